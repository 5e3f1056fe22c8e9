"""A sentence as the rules read it: lower case, plain marks, quoted words blanked out, and every character traced to the original."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_SAME = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "…": ".", "？": "?"})
_OPENING = frozenset('"“„«')  # what a sentence may open with before its first letter
_QUOTED = re.compile(r'"[^"]{0,400}"')
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_INVISIBLE = {"Cf", "Cc", "Mn"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """`plain[i]` came from `text[at[i]]`. `words` counts the words of the original, quoted ones included."""

    text: str
    plain: str
    at: Sequence[int]
    words: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets into `plain`, as offsets into the original text."""
        if not self.at:
            return (0, len(self.text))
        last = min(end, len(self.at)) - 1
        return (self.at[min(start, len(self.at) - 1)], self.at[max(last, 0)] + 1)


def read(text: str) -> Sentence:
    """Prepare a sentence for the rules. Linear in its length; never raises."""
    if text.isascii() and text.isprintable() and "  " not in text and text[:1].isalnum() and not text.endswith(" "):
        plain = text.lower()  # the usual case: nothing to fold, nothing to drop
        return Sentence(text, _blank_quotes(plain), range(len(text)), len(_WORD.findall(plain)))
    kept: list[str] = []
    at: list[int] = []
    for index, char in enumerate(text):
        if char.isspace():
            if kept and kept[-1] != " ":
                kept.append(" ")
                at.append(index)
        elif unicodedata.category(char) not in _INVISIBLE and (kept or char.isalnum() or char in _OPENING):
            lowered = char.translate(_SAME).lower()
            kept.append(lowered if len(lowered) == 1 else lowered[:1])
            at.append(index)
    if kept and kept[-1] == " ":
        kept.pop()
        at.pop()
    plain = "".join(kept)
    words = len(_WORD.findall(plain))
    return Sentence(text, _blank_quotes(plain), tuple(at), words)


def _blank_quotes(plain: str) -> str:
    """A quotation is somebody's words, mentioned and not asked: it reads as one noun of the same length."""
    return _QUOTED.sub(lambda match: '"' + "x" * (len(match[0]) - 2) + '"', plain)
