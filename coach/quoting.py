"""Which words of a write-up are worth saying back: spans of 2 to 10 words that read as English, verbatim, with how much they weigh.

A listener reflects what carries weight, in the speaker's own words (Rogers and Farson, Active Listening, 1957; ICF PCC marker 6.2).
The vocabulary is data (knowledge/quoting/); what is here is only the cutting. Offsets are code points of the text as sent.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from coach.model import Evidence, Voice

FEWEST_WORDS = 2
MOST_WORDS = 10
FEWEST_SENTENCE_WORDS = 4
FEWEST_TELLING_WORDS = 4
FEWEST_DIFFERENT_WORDS = 5

# What else makes a span weigh more or less, beside the words in knowledge/quoting/. Set by hand on tests/cases/writeups.jsonl.
_OWN_PART = 0.6
_SPOKEN = 0.5
_WHOLE_STRETCH = 0.4
_ENDS_SENTENCE = 0.3
_SUBJECT_FIRST = 0.3
_LATE = 0.5  # the honest sentence tends to come near the end
_BUSINESS = 0.9
_SHORT = 0.9
_JOINT_FIRST = 0.4
_CUT_OFF = 0.05  # a word, of a clause that is cut before "in" or "at": the later the better
_LEANS = 0.5  # on what stood before it: "that I ask him", "without the dates"
_OTHER_CAPITAL = 0.35

_WORD = re.compile(r"[^\W_]+(?:['’&/-][^\W_]+)*")
_UNQUOTABLE = re.compile(r"[^\s@]{1,64}@\S{1,255}|https?://\S+|www\.\S+|<[^>\n]{0,400}>?|#\S+")
_BREAK = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’)]*+(?=\s|$)|\n+|[;:()\[\]{}<>|*_=~^]|(?<!\w)/|/(?!\w)|,|\s[-–—]+\s|[\"“”„«»]|(?<=\s)['‘]|['’](?=[\s.,;!?]|$)"
)
_HIDDEN = re.compile(
    r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_DIGIT = re.compile(r"\d")
_GAPS = frozenset({" ", "\u00a0"})  # what may stand between two words of a quotation
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_SPEECH = re.compile(r"[\"“„«]([^\"“”„«»\n]{3,300})[\"”“»]|(?<=\s)['‘]([^'‘\n]{3,200})['’](?=[\s.,;!?]|$)")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary of one language; see knowledge/quoting/en.yaml for what each list does."""

    language: str
    connectives: frozenset[str]
    prepositions: frozenset[str]
    never_last: frozenset[str]
    never_first: frozenset[str]
    first_person: frozenset[str]
    weights: Mapping[str, tuple[float, frozenset[str], tuple[str, ...]]]
    business: frozenset[str]
    insults: frozenset[str]
    abbreviations: frozenset[str]
    function_words: frozenset[str]
    insulting_phrases: tuple[str, ...] = ()
    joining: frozenset[str] = frozenset()
    clinging: frozenset[str] = frozenset()
    speakers: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    only_before: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    hollow: frozenset[str] = frozenset()
    trailing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quotable:
    """A span that may be quoted. `weight` grows with how much a listener would lean forward; `voice` says whose words they are."""

    evidence: Evidence
    voice: Voice
    weight: float = field(compare=False)

    @property
    def start(self) -> int:
        """Where it begins, in code points."""
        return self.evidence.start

    @property
    def end(self) -> int:
        """Where it ends, in code points."""
        return self.evidence.end

    def overlaps(self, other: "Quotable") -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class _Token:
    word: str
    start: int
    end: int
    capital: bool


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Words between two breaks. `ends`: it ends a sentence. `speech`: it was spoken. `position`: where in the text it begins, 0 to 1."""

    tokens: tuple[_Token, ...]
    ends: bool
    speech: bool
    position: float


def quotables(text: str, lexicon: Lexicon) -> list[Quotable]:
    """Every span worth quoting, heaviest first, the heavier of two overlapping ones only.

    Linear in the length of the text, except for a sort.
    """
    found = [
        candidate
        for stretch in _stretches(text, lexicon)
        for start, end in _cuts(stretch, lexicon)
        if (candidate := _weigh(text, stretch, start, end, lexicon))
    ]
    found.sort(key=lambda quotable: (-quotable.weight, quotable.start))
    taken = bytearray(len(text))
    said: set[str] = set()
    kept: list[Quotable] = []
    for candidate in found:
        spelled = candidate.evidence.quote.lower()
        if spelled not in said and 1 not in taken[candidate.start : candidate.end]:
            taken[candidate.start : candidate.end] = b"\1" * (candidate.end - candidate.start)
            said.add(spelled)
            kept.append(candidate)
    return kept


def sentences(text: str, lexicon: Lexicon) -> list[tuple[int, int]]:
    """Where each sentence begins and ends; a part of fewer than four words goes with the next."""
    found: list[tuple[int, int]] = []
    begin = 0
    for mark, end in _marks(text, lexicon):
        if mark[0].lstrip()[:1] not in ".!?…\n":
            continue
        if len(_WORD.findall(text, begin, mark.start())) >= FEWEST_SENTENCE_WORDS:
            found.append((begin, mark.start()))
            begin = end
    return found or [(0, len(text))]


def words(text: str, enough: int | None = None) -> int:
    """How many words a text has, counted no further than `enough`. Scripts without spaces count two characters as a word."""
    spaced, unspaced = _UNSPACED.subn(" ", text)
    spelled = (match for match in _WORD.finditer(spaced) if any(map(str.isalpha, match[0])))
    return sum(1 for _ in islice(spelled, enough)) + unspaced // 2


def tells_of_others(text: str, lexicon: Lexicon) -> bool:
    """Whether somebody else is in the story: a pronoun, a function or a rank."""
    return any(match[0].lower() in lexicon.others for match in _WORD.finditer(text))


def reads_as(text: str, lexicon: Lexicon) -> float:
    """The share of a text's words that are common words of the language, 0 to 1.

    It is next to none in gibberish and in a list, and none where one word is said again and again.
    """
    seen = [match[0].lower() for match in _WORD.finditer(text)]
    return sum(word in lexicon.function_words for word in seen) / len(seen) if len(set(seen)) >= FEWEST_DIFFERENT_WORDS else 0.0


def _stretches(text: str, lexicon: Lexicon) -> Iterator[_Stretch]:
    spoken = _marked(text, (_inside(match) for match in _SPEECH.finditer(text)))
    barred = _marked(text, (match.span() for pattern in (_UNQUOTABLE, _HIDDEN) for match in pattern.finditer(text)))
    begin = 0
    for mark, end in _marks(text, lexicon):
        tokens = tuple(_tokens(text, begin, mark.start()))
        begin = end
        if not tokens or 1 in barred[tokens[0].start : tokens[-1].end]:
            continue
        ends = mark[0].lstrip()[:1] in ".!?…\n" or mark.end() >= len(text)
        speech = 0 not in spoken[tokens[0].start : tokens[-1].end]
        yield _Stretch(tokens, ends, speech, tokens[0].start / max(len(text), 1))


def _marked(text: str, spans: Iterable[tuple[int, int]]) -> bytearray:
    """One byte a character: 1 inside a span."""
    marks = bytearray(len(text))
    for start, end in spans:
        marks[start:end] = b"\1" * (end - start)
    return marks


def _inside(match: re.Match[str]) -> tuple[int, int]:
    group = 1 if match[1] is not None else 2
    return match.span(group)


def _marks(text: str, lexicon: Lexicon) -> Iterator[tuple[re.Match[str], int]]:
    for match in _BREAK.finditer(text + "\n"):
        if match[0].startswith(".") and _abbreviated(text, match.start(), lexicon):
            continue
        yield match, match.end()


def _abbreviated(text: str, dot: int, lexicon: Lexicon) -> bool:
    before = re.search(r"[^\s]+$", text[max(0, dot - 12) : dot])
    return before is not None and before[0].lower() in lexicon.abbreviations


def _tokens(text: str, start: int, end: int) -> Iterator[_Token]:
    for match in _WORD.finditer(text, start, end):
        word = match[0].lower().replace("’", "'")
        yield _Token(word, match.start(), match.end(), match[0][:1].isupper())


def _cuts(stretch: _Stretch, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Index ranges that begin and end where a phrase may: whole stretches, and stretches cut before connectives."""
    tokens = stretch.tokens
    inner = [i for i in range(1, len(tokens)) if _joins(tokens, i, lexicon)]
    starts = [0, *inner, *(i + 1 for i in [0, *inner] if tokens[i].word in lexicon.joining and i + 1 < len(tokens))]
    ends = [*(i for i in inner if tokens[i].word not in lexicon.clinging), len(tokens)]
    if len(tokens) > MOST_WORDS:
        ends = sorted({*ends, *(i for i, token in enumerate(tokens) if i and token.word in lexicon.prepositions)})
    ends.sort()
    for start in dict.fromkeys(starts):
        near = ends[bisect_left(ends, start + FEWEST_WORDS) : bisect_right(ends, start + MOST_WORDS)]
        for end in near if _begins(tokens, start, lexicon) else ():
            if not _trails(tokens[start:end], lexicon) or (stretch.ends and end == len(tokens)):
                yield start, end


def _trails(tokens: Sequence[_Token], lexicon: Lexicon) -> bool:
    """Whether something has to follow: "the two weeks were never", "he told me"."""
    last = " " + " ".join(token.word for token in tokens[-3:])
    return tokens[-1].word in lexicon.never_last or last.endswith(lexicon.trailing)


def _joins(tokens: Sequence[_Token], place: int, lexicon: Lexicon) -> bool:
    """Whether a clause begins here: a connective, and not one that only looks like it ("that phone call", "you say so")."""
    word = tokens[place].word
    if word not in lexicon.connectives:
        return False
    return word not in lexicon.only_before or (place + 1 < len(tokens) and tokens[place + 1].word in lexicon.subjects)


def _begins(tokens: Sequence[_Token], start: int, lexicon: Lexicon) -> bool:
    """Whether a quotation may begin here."""
    first = tokens[start].word
    if first in lexicon.only_before:
        return start + 1 < len(tokens) and tokens[start + 1].word in lexicon.subjects
    return first not in lexicon.never_first


def _weigh(text: str, stretch: _Stretch, start: int, end: int, lexicon: Lexicon) -> Quotable | None:
    tokens = stretch.tokens[start:end]
    spelled = [token.word for token in tokens]
    quote = text[tokens[0].start : tokens[-1].end]
    if _unfit(quote, tokens, lexicon):
        return None
    voice = Voice.SAID if stretch.speech else Voice.OWN if _speaks(spelled, lexicon) else Voice.ANY
    whole = start == 0 and end == len(stretch.tokens)
    weight = _word_weight(spelled, lexicon) - _OTHER_CAPITAL * sum(token.capital and token.word not in lexicon.first_person for token in tokens[1:])
    weight += _WHOLE_STRETCH * whole + _ENDS_SENTENCE * (stretch.ends and end == len(stretch.tokens)) + _LATE * stretch.position
    if end < len(stretch.tokens) and stretch.tokens[end].word in lexicon.prepositions - lexicon.connectives:
        weight -= _CUT_OFF * (len(stretch.tokens) - end)
    weight += _SPOKEN * stretch.speech - _SHORT * (len(tokens) < FEWEST_TELLING_WORDS)
    return Quotable(Evidence(quote, tokens[0].start, tokens[-1].end), voice, round(weight, 4))


def _word_weight(spelled: Sequence[str], lexicon: Lexicon) -> float:
    """What the words themselves weigh: each kind of telling word once, the writer's own part, business and mere joints taken off."""
    joined = f" {' '.join(spelled)} "
    weight = 0.0
    for value, single, phrases in lexicon.weights.values():
        if not single.isdisjoint(spelled) or any(phrase in joined for phrase in phrases):
            weight += value
    weight += _OWN_PART * (not lexicon.first_person.isdisjoint(spelled)) - _BUSINESS * (not lexicon.business.isdisjoint(spelled))
    weight += _SUBJECT_FIRST * (spelled[0] in lexicon.first_person or spelled[0] in lexicon.subjects)
    leans = spelled[0] in lexicon.only_before or spelled[0] in lexicon.prepositions
    return weight - _JOINT_FIRST * (spelled[0] in lexicon.joining) - _LEANS * leans


def _speaks(spelled: Sequence[str], lexicon: Lexicon) -> bool:
    """Whether the writer is the subject: "I did not ask", "and I laughed", not "as I ask" nor "my deputy thinks"."""
    head = spelled[1:] if spelled[0] in lexicon.joining else spelled
    return bool(head) and head[0] in lexicon.speakers


def hollow(spelled: Sequence[str], lexicon: Lexicon) -> bool:
    """Whether words only fill a pause or a space: "I don't know", "but fine", "I suppose"."""
    joined = " ".join(spelled)
    return joined in lexicon.hollow or (spelled[0] in lexicon.joining and joined.partition(" ")[2] in lexicon.hollow)


def _unfit(quote: str, tokens: Sequence[_Token], lexicon: Lexicon) -> bool:
    """Names alone, figures, insults, shouting, words that say nothing, words with anything but one space between them."""
    if not lexicon.insults.isdisjoint(token.word for token in tokens) or hollow([token.word for token in tokens], lexicon):
        return True
    if _DIGIT.search(quote) or any(phrase in quote.lower() for phrase in lexicon.insulting_phrases):
        return True
    if all(token.capital or token.word in lexicon.never_last for token in tokens):
        return True
    begin = tokens[0].start
    if any(quote[first.end - begin : second.start - begin] not in _GAPS for first, second in pairwise(tokens)):
        return True
    return sum(map(str.isupper, quote)) > sum(map(str.isalpha, quote)) / 2
