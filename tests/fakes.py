"""Stand-ins for the ports, written by hand: what they say is set by the test, and nothing else happens."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass, field

import numpy as np

from coach.errors import EmbedderUnavailable
from coach.knowledge.embedders import Reading, Span, Vectors, unit
from coach.model import (
    About,
    Challenge,
    Draft,
    Evidence,
    Finding,
    Form,
    Found,
    Passage,
    Perspective,
    Skill,
    Source,
)
from coach.ports import Written
from coach.privacy import Hider

TEXT = "I said it in front of everyone. He has not spoken to me since, and I never asked him what it was like."

PASSAGE = Passage("asking#first", "asking", "Asking", "First", "Words.", (Skill.CURIOSITY,), (Source("A", "B", "1999"),))


def evidence(quote: str, text: str = TEXT) -> Evidence:
    """The place of a quotation in the text."""
    start = text.index(quote)
    return Evidence(quote, start, start + len(quote))


def draft(text: str, *quotes: Evidence, guidance: tuple[str, ...] = (PASSAGE.id,)) -> Draft:
    """A draft that differs from others only in what it says."""
    return Draft(text, Skill.CURIOSITY, About.SELF, Perspective.OWN, Form.HUMBLE, "bank", quotes, guidance)


@dataclass
class FakeLibrary:
    """Finds what it was given."""

    finding: Finding = field(default_factory=lambda: Finding((Found(PASSAGE, 0.5),)))
    version: str = "fake"
    stays: bool = True

    async def find(self, text: str, limit: int, hide: Hider | None = None, collections: tuple[str, ...] = ()) -> Finding:
        return self.finding


@dataclass
class FakeWriter:
    """Writes what it was given."""

    drafts: Sequence[Written]
    engine: str = "bank"
    model: str | None = None
    prompt: str | None = None

    async def draft(
        self, challenge: Challenge, finding: Awaitable[Finding], language: str, asked: Sequence[Draft] = ()
    ) -> AsyncGenerator[Written, None]:
        for item in self.drafts:
            yield item


@dataclass
class FakeDetector:
    """Always detects the same language."""

    language: str | None = "en"

    def detect(self, text: str) -> str | None:
        return self.language


@dataclass
class FakeEmbedder:
    """Two numbers a text, from its length and its first letter; fails when told to. Counts what it embeds."""

    name: str = "fake-1"
    dimensions: int = 2
    at_once: int = 1
    broken: bool = False
    embedded: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.broken:
            raise EmbedderUnavailable(self.name, "told to")
        self.embedded += texts
        return unit(np.array([[len(text) + 1, ord(text[:1] or "a")] for text in texts], np.float32).reshape(len(texts), 2))

    def read(self, text: str, spans: Sequence[Span] = ()) -> Reading:
        vectors = self.embed([text, *(text[start:end] for start, end in spans)])
        return Reading(vectors[:1], vectors[1:])
