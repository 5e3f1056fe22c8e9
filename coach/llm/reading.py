"""Reads the model's JSON while it is still being written: each draft as soon as nothing of it is missing.

The text of a draft comes before its other fields, so the guard can read it while the model still writes those.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jiter

FIELDS = frozenset({"text", "skill", "about", "perspective", "form", "quote", "guidance_id"})
MOST_DRAFTS = 24  # more than anybody can ask for, with all spares
MOST_CHARACTERS = 60_000

Value = str | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """The acknowledgement is there."""

    text: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of a draft are there; its other fields may not be."""

    place: int
    text: str


@dataclass(frozen=True, slots=True)
class Whole:
    """All of a draft is there."""

    place: int
    fields: dict[str, str]


Item = Heard | Spoken | Whole


@dataclass
class Reader:
    """Fed piece by piece. Whatever is not what was asked for is passed over."""

    _text: str = ""
    _heard: bool = False
    _spoken: set[int] = field(default_factory=set)
    _whole: set[int] = field(default_factory=set)

    def feed(self, piece: str) -> Iterator[Item]:
        """What this piece completes."""
        if len(self._text) < MOST_CHARACTERS:
            self._text += piece
            if '"' in piece or "}" in piece or "]" in piece:  # nothing else completes a field
                yield from self._found(ended=False)

    def end(self) -> Iterator[Item]:
        """What is complete now that nothing more comes."""
        yield from self._found(ended=True)

    @property
    def understood(self) -> bool:
        """Whether anything came that was asked for."""
        return self._heard or bool(self._spoken)

    def _found(self, *, ended: bool) -> Iterator[Item]:
        document = self._parsed()
        heard = document.get("acknowledgement")
        if isinstance(heard, str) and not self._heard:
            self._heard = True
            yield Heard(heard)
        drafts = document.get("drafts")
        listed = drafts[:MOST_DRAFTS] if isinstance(drafts, list) else []
        for place, draft in enumerate(listed):
            if not isinstance(draft, dict) or not isinstance(draft.get("text"), str):
                continue
            if place not in self._spoken:
                self._spoken.add(place)
                yield Spoken(place, draft["text"])
            if place not in self._whole and (ended or place < len(listed) - 1 or draft.keys() >= FIELDS):
                self._whole.add(place)
                yield Whole(place, {name: str(value) for name in sorted(FIELDS) if isinstance(value := draft.get(name), str | int)})

    def _parsed(self) -> dict[str, Any]:
        """The document as far as it goes; text around it, such as a fence, is passed over. Unfinished strings are left out."""
        start = self._text.find("{")
        if start < 0:
            return {}
        body = self._text[start:].encode("utf-8", "replace")
        try:
            document = jiter.from_json(body, partial_mode="on", catch_duplicate_keys=False)
        except ValueError:
            end = body.rfind(b"}")
            try:
                document = jiter.from_json(body[: end + 1]) if end > 0 else {}
            except ValueError:
                return {}
        return document if isinstance(document, dict) else {}
