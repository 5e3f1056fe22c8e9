"""The rules: does this sentence break one, which, and where? Structure first, then the phrases of its language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from coach.guard.phrases import Pack
from coach.guard.sentence import Sentence
from coach.model import Reason

Span = tuple[int, int]

MOST_WORDS = 30
LONGEST_PREFACE = 12
TOO_LONG = "over-30-words"

_TWO_MARKS = re.compile(r"\?[^?]*\w[^?]*\?")
_COLON = re.compile(r"^([^?:]*): ")


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a sentence breaks, and the words that break it (offsets into the sentence as read)."""

    reason: Reason
    rule: str
    span: Span


def structure(sentence: Sentence) -> Iterator[Hit]:
    """What the marks and the length say, in any language."""
    plain = sentence.plain
    everything = (0, len(plain))
    if len(sentence.tokens) > MOST_WORDS or sentence.cut:
        yield Hit(Reason.WORDY, TOO_LONG, everything)
    if not sentence.asks or not any(char.isalpha() for char in plain):
        yield Hit(Reason.NOT_A_QUESTION, "no-question", everything)
    if match := _TWO_MARKS.search(plain):
        yield Hit(Reason.STACKED, "two-question-marks", match.span())
    colon = _COLON.match(plain)
    if colon and '"' not in colon[1] and len(colon[1].split()) > LONGEST_PREFACE:
        yield Hit(Reason.WORDY, "long-preface", colon.span(1))


def phrases(sentence: Sentence, pack: Pack) -> Iterator[Hit]:
    """What the phrases of a language say: the first of each reason. Scaling and Clean Language are open by custom."""
    words, plain = sentence.words, sentence.plain
    for reason, entries in pack.phrases.items():
        if reason is Reason.CLOSED and (pack.scale.search(plain) or pack.clean.search(plain)):
            continue
        for entry in entries:
            if entry.words and entry.words.isdisjoint(words):
                continue
            if match := entry.find(plain):
                yield Hit(reason, entry.name, match.span())
                break
