"""Does a text that a whole group will read give away what one of them wrote in confidence?

It does if it holds four content words of a write-up in a row, a name of one, any figure, or a word that only one of them used and that is not of the
library's own: whoever reads it could tell whose it is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coach import privacy

IN_A_ROW = 4
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d[\d.,:/]*")
_FIGURE = re.compile(r"\d")
_STEM = 5  # letters by which forms of one word are known: told, tells are not; delivering, delivery are


@dataclass(frozen=True)
class Veil:
    """What the write-ups of a group hold that must not be read by all of it."""

    runs: frozenset[tuple[str, ...]]
    names: frozenset[str]
    alone: frozenset[str]

    def gives_away(self, text: str) -> str | None:
        """What a text gives away: `run`, `name`, `figure` or `detail`; None where it gives away nothing."""
        words = _words(text)
        if self.runs & set(_runs(_content(words))):
            return "run"
        if self.names & {word.lower() for word in words}:
            return "name"
        if any(_FIGURE.search(word) for word in words):
            return "figure"
        if self.alone & {_stem(word) for word in _content(words)}:
            return "detail"
        return None


def veil(writeups: Sequence[str], common: Iterable[str], languages: Sequence[str]) -> Veil:
    """What of these must stay with whoever wrote it. `common` are texts whose words everybody uses: the library's own."""
    shared = {_stem(word) for text in common for word in _content(_words(text))}
    words = [_words(text) for text in writeups]
    stems = [{_stem(word) for word in _content(each)} for each in words]
    alone = {stem for place, own in enumerate(stems) for stem in own if not any(stem in other for at, other in enumerate(stems) if at != place)}
    names = {word.lower() for text, language in zip(writeups, languages, strict=True) for word in _names(text, language)}
    runs = {run for each in words for run in _runs(_content(each))}
    return Veil(frozenset(runs), frozenset(names), frozenset(alone - shared))


def _names(text: str, language: str) -> Iterable[str]:
    """What the masker takes for something that identifies somebody, word by word; function words within are no names."""
    for replaced in privacy.mask(text, language=language).replacements:
        yield from (word for word in _words(text[replaced.start : replaced.end]) if word.lower() not in _FUNCTION)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _content(words: Iterable[str]) -> list[str]:
    return [word.lower().replace("’", "'") for word in words if word.lower().replace("’", "'") not in _FUNCTION]


def _runs(content: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(content[place : place + IN_A_ROW]) for place in range(len(content) - IN_A_ROW + 1))


def _stem(word: str) -> str:
    return word.lower()[:_STEM]


_FUNCTION_WORDS = (
    "a about above after again against all also am an and any are aren't as at be because been before being below between both but by can cannot "
    "can't could couldn't did didn't do does doesn't doing don't down during each else ever every everybody everyone everything few for from "
    "further get gets go goes got had hadn't has hasn't have haven't having he he'd he'll he's her here hers herself him himself his how i i'd "
    "i'll i'm i've if in into is isn't it it's its itself just let like made make makes many may maybe me might mine more most much must my "
    "myself never no nobody none nor not nothing now of off on once one only or other others ought our ours ourselves out over own per put quite "
    "rather said same say says see shall she she'd she'll she's should shouldn't since so some somebody someone something still such take than "
    "that that's the their theirs them themselves then there there's these they they'd they'll they're they've thing things this those though "
    "through till to too under until up upon us very was wasn't way we we'd we'll we're we've well went were weren't what what's when where "
    "whether which while who whole whom whose why will with within without won't would wouldn't yet you you'd you'll you're you've your yours "
    "yourself yourselves"
)
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
