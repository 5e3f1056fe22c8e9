"""A text as the name finder reads it: words, where they stand, and how they are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"(?:[^\W\d_][^\W\d_]?\.){2,}(?:[^\W\d_]\b)?|[^\W_]+(?:['’&-][^\W_]+)*")
_ELIDED = re.compile(r"(?:[dlcjmnst]|qu|jusqu|lorsqu)['’](?=[^\W\d_])", re.IGNORECASE)
_OPENERS = frozenset(" \t\u00a0\"“”„«»'‘’(*[•·–—-")
_ENDS = frozenset(".!?:;\n…")
_POSSESSIVES = ("'s", "’s", "'S", "’S")
FEWEST_SHOUTED = 3


@dataclass(frozen=True, slots=True)
class Token:
    """A word. `first` says that a sentence or a quotation begins with it, `shouted` that all around it is in capitals."""

    text: str
    start: int
    end: int
    first: bool
    shouted: bool
    gap: str  # what stands before it, from the end of the word before

    @property
    def low(self) -> str:
        """In lower case, with straight apostrophes."""
        return self.text.lower().replace("’", "'")

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital letter."""
        return self.text[0].isupper()

    @property
    def upper(self) -> bool:
        """Whether it is written in capitals throughout: "DW", "J.K."."""
        return sum(map(str.isalpha, self.text)) > 1 and not any(map(str.islower, self.text))

    @property
    def mixed(self) -> bool:
        """Whether it is spelled as products are: "FlowDesk", "GX-40"."""
        inner = any(letter.isupper() and before.islower() for before, letter in zip(self.text, self.text[1:], strict=False))
        return inner or (self.capital and any(map(str.isdigit, self.text)))


def read(text: str, language: str) -> list[Token]:
    """The words of a text, possessive endings and French elisions left off."""
    found: list[Token] = []
    bounds = [_bound(match, language) for match in _WORD.finditer(text)]
    shouting = _shouting(text, bounds)
    before = 0
    for (start, end), loud in zip(bounds, shouting, strict=True):
        found.append(Token(text[start:end], start, end, _begins(text, start, found), loud, text[before:start]))
        before = end
    return found


def _bound(match: re.Match[str], language: str) -> tuple[int, int]:
    start, end = match.span()
    if language == "fr" and (elided := _ELIDED.match(match[0])) and (match[0][0].islower() or match[0][elided.end()].islower()):
        start += elided.end()
    if match[0].endswith(_POSSESSIVES):
        end -= 2
    return (start, end) if start < end else match.span()


def _begins(text: str, start: int, before: Sequence[Token]) -> bool:
    """Whether nothing of the sentence, or of the quotation, stands before."""
    place = start - 1
    while place >= 0 and text[place] in _OPENERS:
        if text[place] in '"“„«':
            return True
        place -= 1
    if place < 0:
        return True
    if text[place] == "." and before and text[place - 1 : place].isalpha() and len(before[-1].text) <= 3 and before[-1].capital:
        return False  # "Mr. Okell", "J. Smith"
    return text[place] in _ENDS


def _shouting(text: str, bounds: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each word stands among others in capitals, so that its own say nothing."""
    loud = [end - start > 1 and text[start:end].isupper() for start, end in bounds]
    found = []
    for place, (start, _) in enumerate(bounds):
        near = range(max(0, place - 3), min(len(bounds), place + 4))
        same = [other for other in near if "\n" not in text[min(start, bounds[other][0]) : max(start, bounds[other][0])]]
        found.append(loud[place] and sum(loud[other] for other in same) >= max(FEWEST_SHOUTED, len(same) * 0.6))
    return found
