"""A sentence as the rules read it: lower case, plain marks and letters, quoted words blanked out, every character traced to the original."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

MOST_CHARACTERS = 4000  # of a longer text the beginning is read: it is refused in any case, and judging must not take longer than reading

_MARKS = {"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "…": ".", "？": "?", "؟": "?"}
# Letters of other alphabets that look like Latin ones (Unicode TR 39, the small letters among its confusables).
_LOOKALIKES = dict(
    re.findall("(.)(.)", "аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwѵvкkмmтtвbнhгrпnӏlοoαaεeρpυuνvιiκkτtχxωwɑaɡgıiɩiօoսuոnհhցgքqβb")
)  # a letter and what it passes for
_OPENING = frozenset('"“„«')  # what a sentence may open with before its first letter
_QUOTED = re.compile(r'"[^"]{0,400}"')
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_LATIN = re.compile(r"[a-z]")
_INVISIBLE = {"Cf", "Cc", "Cs", "Co", "Mn", "Me"}


@dataclass(frozen=True)
class Sentence:
    """`plain[i]` came from `text[at[i]]`. `cut` says that only the beginning was read."""

    text: str
    plain: str
    at: Sequence[int]
    whole: str = field(repr=False)  # `plain` before quoted words were blanked out
    cut: bool = False

    @cached_property
    def tokens(self) -> list[str]:
        """The words, quoted ones included."""
        return _WORD.findall(self.whole)

    @cached_property
    def words(self) -> frozenset[str]:
        """The different words outside quotation marks."""
        return frozenset(_WORD.findall(self.plain))

    @property
    def asks(self) -> bool:
        """Whether it ends in a question mark."""
        return self.plain.endswith("?") or (self.cut and self.text.rstrip().endswith(("?", "？", "؟")))

    @cached_property
    def told(self) -> tuple[str, Sequence[int]]:
        """The sentence with "that" for each quotation, and where each character came from: what the encoder reads."""
        if '"' not in self.plain:
            return self.plain, self.at
        parts: list[str] = []
        at: list[int] = []
        end = 0
        for match in _QUOTED.finditer(self.plain):
            parts += (self.plain[end : match.start()], '"that"')
            at += (*self.at[end : match.start()], *[self.at[match.start()]] * 5, self.at[match.end() - 1])
            end = match.end()
        return "".join((*parts, self.plain[end:])), (*at, *self.at[end:])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets into `plain`, as offsets into the original text."""
        if not self.at:
            return (0, len(self.text))
        last = min(end, len(self.at)) - 1
        return (self.at[min(start, len(self.at) - 1)], self.at[max(last, 0)] + 1)


def read(text: str, *, fold: bool = True) -> Sentence:
    """Prepare a sentence for the rules. Linear in its length up to 4,000 characters; never raises.

    With `fold`, marks on letters are dropped (café, cafe): right for English, wrong where they tell words apart (konnten, könnten).
    """
    if len(text) <= MOST_CHARACTERS and text.isascii() and text.isprintable() and "  " not in text and text[:1].isalnum() and text[-1] != " ":
        plain = text.lower()  # the usual case: nothing to fold, nothing to drop
        return Sentence(text, _blank_quotes(plain), range(len(text)), plain)
    kept, at = _letters(text[:MOST_CHARACTERS], "NFKD" if fold else "NFKC")
    plain = "".join(kept)
    if _LATIN.search(plain):
        plain = _latin(plain)
    return Sentence(text, _blank_quotes(plain), tuple(at), plain, cut=len(text) > MOST_CHARACTERS)


def _letters(text: str, form: str) -> tuple[list[str], list[int]]:
    """What is left of each character, in lower case, and where it came from."""
    kept: list[str] = []
    at: list[int] = []
    for index, raw in enumerate(text):
        for char in (raw,) if raw.isascii() else unicodedata.normalize(form, _MARKS.get(raw, raw)):  # type: ignore[arg-type]  # one of four names
            if char.isspace():
                if kept and kept[-1] != " ":
                    kept.append(" ")
                    at.append(index)
            elif unicodedata.category(char) not in _INVISIBLE and (kept or char.isalnum() or char in _OPENING):
                kept.append(char.lower()[:1])
                at.append(index)
    if kept and kept[-1] == " ":
        kept.pop()
        at.pop()
    return kept, at


def _latin(plain: str) -> str:
    """Latin letters for those that look like them, in words that mix alphabets and, in a mostly Latin text, in all."""
    foreign = sum(char in _LOOKALIKES for char in plain)
    if not foreign:
        return plain
    latin = len(_LATIN.findall(plain))
    if latin > foreign:
        return "".join(_LOOKALIKES.get(char, char) for char in plain)
    return _WORD.sub(lambda word: "".join(_LOOKALIKES.get(c, c) for c in word[0]) if _LATIN.search(word[0]) else word[0], plain)


def _blank_quotes(plain: str) -> str:
    """A quotation is somebody's words, mentioned and not asked: it reads as one noun of the same length."""
    if '"' not in plain:
        return plain
    return _QUOTED.sub(lambda match: '"' + "x" * (len(match[0]) - 2) + '"', plain)
