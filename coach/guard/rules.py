"""One short pure function per reason: does this sentence break it, and where?"""

import re
from collections.abc import Callable, Mapping

from coach.guard.phrases import Phrases
from coach.guard.sentence import Sentence
from coach.model import Reason

Span = tuple[int, int]
Rule = Callable[[Sentence, Phrases], Span | None]

MOST_WORDS = 30
LONGEST_PREFACE = 12

_SCALE = re.compile(r"\b(?:scale|(?:from|between) (?:0|1|zero|one) (?:to|and) (?:10|ten)|ten is|10 is|one is)\b")
_ELSE = re.compile(r"^(?:and )?is there anything else\b")
_COLON = re.compile(r"^([^?:]*): ")


def _first(reason: Reason, sentence: Sentence, phrases: Phrases) -> Span | None:
    for find in phrases.patterns[reason]:
        if match := find(sentence.plain):
            return match.span()
    return None


def directive(sentence: Sentence, phrases: Phrases) -> Span | None:
    """It contains or smuggles advice, a solution or an instruction."""
    return _first(Reason.DIRECTIVE, sentence, phrases)


def leading(sentence: Sentence, phrases: Phrases) -> Span | None:
    """It presupposes the answer, a diagnosis or the asker's opinion."""
    return _first(Reason.LEADING, sentence, phrases)


def blaming(sentence: Sentence, phrases: Phrases) -> Span | None:
    """It accuses the manager or somebody absent."""
    return _first(Reason.BLAMING, sentence, phrases)


def closed(sentence: Sentence, phrases: Phrases) -> Span | None:
    """Yes, no, a bare fact or a forced choice answers it. Scaling and "Is there anything else about ...?" are open by custom."""
    if _SCALE.search(sentence.plain) or _ELSE.search(sentence.plain):
        return None
    return _first(Reason.CLOSED, sentence, phrases)


def stacked(sentence: Sentence, phrases: Phrases) -> Span | None:
    """It asks two or more things."""
    return _first(Reason.STACKED, sentence, phrases)


def wordy(sentence: Sentence, phrases: Phrases) -> Span | None:
    """More than 30 words, or a preface or a reason before the question (WIAL: a preface is the asker answering)."""
    if sentence.words > MOST_WORDS:
        return (0, len(sentence.plain))
    colon = _COLON.match(sentence.plain)
    if colon and '"' not in colon[1] and len(colon[1].split()) > LONGEST_PREFACE:
        return colon.span(1)
    return _first(Reason.WORDY, sentence, phrases)


def not_a_question(sentence: Sentence, phrases: Phrases) -> Span | None:
    """A statement, an imperative, praise or an interpretation."""
    if not sentence.plain.endswith("?") or not any(char.isalpha() for char in sentence.plain):
        return (0, len(sentence.plain))
    return _first(Reason.NOT_A_QUESTION, sentence, phrases)


# In order of seriousness: the first that speaks is the reason given.
RULES: Mapping[Reason, Rule] = {
    Reason.DIRECTIVE: directive,
    Reason.LEADING: leading,
    Reason.BLAMING: blaming,
    Reason.CLOSED: closed,
    Reason.STACKED: stacked,
    Reason.WORDY: wordy,
    Reason.NOT_A_QUESTION: not_a_question,
}
