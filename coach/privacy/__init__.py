"""What identifies somebody is replaced before a text leaves the process, and put back in what comes home.

Each spelling has a placeholder of its own ("Colleague A" for "Priti Vasani", "Colleague A2" for "Priti"), so that what comes back is what was
written. No placeholder is one that the text holds already. What comes home with a placeholder that was never given is not trusted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from string import ascii_uppercase

from coach.model import Challenge
from coach.privacy import names, shapes
from coach.privacy.spans import Kind, Span
from coach.privacy.words import lists

__all__ = ["Hider", "Kind", "Masked", "Replacement", "Span", "hider", "mask"]

_PLACEHOLDER = re.compile(r"\b(?:" + "|".join(re.escape(kind.word) for kind in Kind) + r") [A-Z]{1,2}\d*\b")
_LOOKS_LIKE_ONE = re.compile(r"\b(?i:" + "|".join(re.escape(kind.word) for kind in Kind) + r")[ _-]?[A-Z]{1,2}\d*\b")
_WORDLIKE = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Replacement:
    """`original[start:end]` stands as `placeholder`. Offsets count code points of the text as sent."""

    start: int
    end: int
    kind: Kind
    placeholder: str


@dataclass(frozen=True)
class Masked:
    """A text without what identifies anybody."""

    original: str = field(repr=False)
    text: str
    replacements: tuple[Replacement, ...] = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """How many different people and things of each kind were replaced, however they were spelled."""
        return dict(Counter(str(kind) for kind, _ in {(item.kind, item.placeholder.rstrip("0123456789")) for item in self.replacements}))

    def part(self, start: int, end: int) -> str:
        """What stands for `original[start:end]`; what is cut by an end is replaced as a whole."""
        touched = [item for item in self.replacements if item.start < end and item.end > start]
        return _replaced(self.original, touched, start, end)

    def unmask(self, text: str) -> str | None:
        """The text with each placeholder put back; None if it holds one that was not given, or something that would pass for one."""
        known = {item.placeholder: self.original[item.start : item.end] for item in self.replacements}
        rest = _PLACEHOLDER.sub(lambda match: "," if match[0] in known else match[0], text)
        if any(found not in self.original for found in _LOOKS_LIKE_ONE.findall(rest)):
            return None
        return _PLACEHOLDER.sub(lambda match: known.get(match[0], match[0]), text)


@dataclass(frozen=True)
class Hider:
    """How to mask the texts of one person: in which language they are, what else to mask, and what to leave (see `mask`)."""

    language: str = "en"
    also: tuple[str, ...] = field(default=(), repr=False)
    keep: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, text: str) -> Masked:
        """The text without what identifies anybody."""
        return mask(text, language=self.language, also=self.also, keep=self.keep)


def hider(challenge: Challenge, language: str) -> Hider:
    """How to mask what a challenge brings."""
    return Hider(language, challenge.mask, challenge.keep)


def mask(text: str, *, language: str = "en", also: Iterable[str] = (), keep: Iterable[str] = ()) -> Masked:
    """Replace people, companies, products, places, addresses and numbers. `also` names more to replace, `keep` what is left, in any case.

    `language` is an ISO 639-1 code; of en, de, fr and es more is known. Linear in the length of the text.
    """
    kept = {word.strip().casefold() for word in keep}
    found = [*names.occurrences(text, also, Kind.OTHER), *shapes.find(text), *names.find(text, language)]
    wanted = [span for span in found if text[span.start : span.end].casefold() not in kept]
    spans = _apart(_whole(text, span) for span in wanted)
    labels = _labels(text, spans, language)
    replacements = tuple(Replacement(span.start, span.end, span.kind, labels[text[span.start : span.end]]) for span in spans)
    return Masked(text, _replaced(text, replacements, 0, len(text)), replacements)


def _replaced(text: str, replacements: Sequence[Replacement], start: int, end: int) -> str:
    parts, place = [], start
    for item in replacements:
        parts += [text[place : item.start], item.placeholder]
        place = item.end
    return "".join((*parts, text[place:end]))


def _whole(text: str, span: Span) -> Span:
    """To where words end, so that a placeholder always stands by itself and is found again."""
    start, end = span.start, span.end
    while start and _WORDLIKE.match(text[start - 1]):
        start -= 1
    while end < len(text) and _WORDLIKE.match(text[end]):
        end += 1
    return Span(start, end, span.kind)


def _apart(spans: Iterable[Span]) -> list[Span]:
    """In order, those that overlap or touch made one; the kind is that of the longest."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if joined and span.start <= joined[-1].end:
            last = joined.pop()
            kind = last.kind if last.end - last.start >= span.end - span.start else span.kind
            span = Span(last.start, max(last.end, span.end), kind)  # noqa: PLW2901 (the two as one)
        joined.append(span)
    return joined


def _labels(text: str, spans: Sequence[Span], language: str) -> dict[str, str]:
    """A placeholder for each spelling: one letter for a person or a thing, a number for each further spelling of the same."""
    taken = set(_LOOKS_LIKE_ONE.findall(text))
    letters: dict[Kind, Iterator[str]] = {}
    groups: list[tuple[Kind, set[str], list[str]]] = []
    titles = lists(language).titles
    for span in spans:
        surface = text[span.start : span.end]
        if any(surface in spellings for _, _, spellings in groups):
            continue
        parts = {part for part in re.findall(r"[^\W_]+", surface.casefold()) if part not in titles and len(part) > 1}
        near = [group for group in groups if group[0] is span.kind and (parts <= group[1] or group[1] <= parts) and parts and group[1]]
        if near:
            near[0][1].update(parts)
            near[0][2].append(surface)
        else:
            groups.append((span.kind, parts, [surface]))
    labels: dict[str, str] = {}
    for kind, _, spellings in groups:
        free = letters.setdefault(kind, _letters())
        base = next(label for letter in free if not _is_taken(label := f"{kind.word} {letter}", taken))
        labels |= {spelling: base if not number else f"{base}{number + 1}" for number, spelling in enumerate(spellings)}
    return labels


def _is_taken(label: str, taken: Iterable[str]) -> bool:
    """Whether the text itself speaks so."""
    return any(other.casefold().startswith(label.casefold()) for other in taken)


def _letters() -> Iterator[str]:
    yield from ascii_uppercase
    yield from ("".join(pair) for pair in product(ascii_uppercase, repeat=2))
