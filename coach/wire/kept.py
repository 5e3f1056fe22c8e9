"""What travels of what is kept."""

from datetime import datetime
from typing import Annotated

import msgspec

from coach.model import Move, Skill
from coach.shapes import words
from coach.wire.reflections import AcknowledgementOut, GuidanceRef, NoticeOut, ProvenanceOut, QuestionOut, Told


class ReplyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """An answer to a question, or another move. With nothing in it, what was said last and got no answer is answered."""

    text: Told = ""
    to: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^q\d{1,4}$",
                extra=words("the id of a question, such as q1"),
                description="The id of the question; the last one asked if left out.",
            ),
        ]
        | None
    ) = None
    move: Move = Move.REPLY


class SummaryRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A summary as its writer wants it."""

    seen: Told = ""
    to_try: Told = ""
    to_peers: Told = ""


class AnswerOut(msgspec.Struct, frozen=True):
    """What the coach said, and when."""

    at: datetime
    acknowledgement: AcknowledgementOut | None
    questions: list[QuestionOut]
    offered: list[GuidanceRef]
    notices: list[NoticeOut]
    provenance: ProvenanceOut


class ExchangeOut(msgspec.Struct, frozen=True):
    """What the manager did with a question, and when."""

    at: datetime
    to: str
    question: str
    reply: str
    move: Move


class ReportOut(msgspec.Struct, frozen=True):
    """What came of it, and when it was told."""

    at: datetime
    tried: str
    happened: str
    learned: str


class SummaryOut(msgspec.Struct, frozen=True):
    """What a manager takes away, in the manager's own words; empty where nothing was said. Nothing is added, and nobody else is shown it."""

    object: str
    id: str
    seen: str
    to_try: str
    to_peers: str
    report_backs: list[ReportOut]
    edited: bool


class ReflectionKept(msgspec.Struct, frozen=True):
    """A kept reflection, whole. `of` in evidence points into this document."""

    object: str
    id: str
    created_at: datetime
    expires_at: datetime
    challenge: str
    report_back: dict[str, str] | None
    role: str | None
    functions: list[str]
    focus: list[Skill]
    language: str | None
    mask: list[str]
    keep: list[str]
    country: str | None
    answers: list[AnswerOut]
    exchanges: list[ExchangeOut]
    report_backs: list[ReportOut]
    summary: SummaryOut


class BriefOut(msgspec.Struct, frozen=True):
    """A kept reflection in a list."""

    id: str
    created_at: datetime
    expires_at: datetime
    begins: str
    replies: int
    report_backs: int


class ReflectionList(msgspec.Struct, frozen=True):
    """A page of what the caller keeps, the newest first. `next` goes into `after` for the page behind it; none at the end."""

    object: str
    data: list[BriefOut]
    next: str | None


class Erasure(msgspec.Struct, frozen=True):
    """What was erased. It cannot be read from then on; `swept` says that no trace is left in the files either, else that is tried again each hour."""

    object: str
    reflections: int
    swept: bool
