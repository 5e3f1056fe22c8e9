"""Quotations checked against the text, character by character; citations against what was retrieved."""

import re
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
