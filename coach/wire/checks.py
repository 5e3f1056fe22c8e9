"""What travels when sentences are judged."""

from typing import Annotated

import msgspec

from coach.model import Reason
from coach.wire.reflections import Tag


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Sentences to judge, and what they are to be judged against."""

    texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=200, description="Sentences, each judged by itself.")]
    challenge: Annotated[str, msgspec.Meta(max_length=12_000, description="The write-up they are about, for the rules of context.")] | None = None
    language: Tag | None = None


class SpanOut(msgspec.Struct, frozen=True):
    """Where in the sentence as sent, in Unicode code points."""

    start: int
    end: int


class FindingOut(msgspec.Struct, frozen=True):
    """One thing that speaks against a sentence."""

    reason: Reason
    rule: str
    span: SpanOut
    message: str


class VerdictOut(msgspec.Struct, frozen=True):
    """What the guard says of a sentence. `reason`, `rule`, `span` and `message` are those of the most serious finding."""

    accept: bool
    reason: Reason | None
    rule: str | None
    span: SpanOut | None
    message: str
    language: str
    scope: str
    findings: list[FindingOut]
    likely: dict[str, float]


class CheckAnswer(msgspec.Struct, frozen=True):
    """A verdict for each sentence, in order."""

    object: str
    guard: str
    verdicts: list[VerdictOut]
