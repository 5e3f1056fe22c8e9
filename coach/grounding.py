"""Quotations checked against the text, character by character; citations against what was retrieved."""

import re
import unicodedata
from collections.abc import Iterable

from coach.model import Evidence, Found

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”')


def verbatim(text: str, evidence: Iterable[Evidence]) -> bool:
    """Whether each quotation stands in the text just where it says."""
    return all(0 <= item.start < item.end and text[item.start : item.end] == item.quote for item in evidence)


def quoted_words_are_theirs(sentence: str, evidence: Iterable[Evidence]) -> bool:
    """Whether all that the sentence puts in quotation marks is among its evidence, to the letter."""
    theirs = {item.quote for item in evidence}
    return all((match[1] if match[1] is not None else match[2]) in theirs for match in _QUOTED.finditer(sentence))


def cited(guidance: Iterable[str], found: Iterable[Found]) -> tuple[Found, ...] | None:
    """The passages of these ids among those that were retrieved, or None if one was not."""
    retrieved = {item.passage.id: item for item in found}
    wanted = tuple(guidance)
    return tuple(retrieved[name] for name in wanted) if all(name in retrieved for name in wanted) else None


_MARKUP = re.compile(r"[<>`*_#|\\{}\[\]]|\b(?:https?|www|javascript|data):?[/.]{1,2}|&\w+;")
_ALIKE = str.maketrans("“”„‘’‚ʼ–—", '"""' + "'" * 4 + "--")


def plain(sentence: str) -> bool:
    """Whether it is one line of plain text but for the words it quotes: no markup, no address, no control or invisible formatting character."""
    own = _QUOTED.sub('""', sentence)
    return not _MARKUP.search(own) and not any(unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cs"} for letter in own)


def quotations(sentence: str) -> list[str]:
    """What a sentence puts in quotation marks, without the marks."""
    return [match[1] if match[1] is not None else match[2] for match in _QUOTED.finditer(sentence)]


def locate(text: str, quote: str, since: int = 0) -> Evidence | None:
    """Where a text holds these words: to the letter, or but for capitals, kinds of marks and a stop at the end. What comes back is the text's own.

    Words that stand there more than once are found from `since` on, if they are there.
    """
    if since and (late := locate(text[since:], quote)):
        return Evidence(late.quote, late.start + since, late.end + since)
    quote = quote.strip()
    for wanted, there in ((quote, text), (_folded(quote).rstrip(".,;:!?"), _folded(text))):
        start = there.find(wanted) if wanted else -1
        while start >= 0:
            end = start + len(wanted)
            if _whole_words(text, start, end):
                return Evidence(text[start:end], start, end)
            start = there.find(wanted, start + 1)
    return None


def _folded(text: str) -> str:
    """The same length, letter by letter: offsets stay what they are."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text.translate(_ALIKE))


def _whole_words(text: str, start: int, end: int) -> bool:
    """Whether the span begins and ends where words do: "man" in "manager" is nobody's word."""
    begins = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    ends = end == len(text) or not (text[end].isalnum() and text[end - 1].isalnum())
    return begins and ends
