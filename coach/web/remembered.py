"""What travels over HTTP of what is kept."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import msgspec

from coach import converse
from coach.kept import Answer, Brief, Kept, Reply, Report, Summary
from coach.memory import summary as summed
from coach.memory import told
from coach.model import Closing, Move, Part, Skill
from coach.web.schema import (
    AcknowledgementOut,
    GuidanceRef,
    NoticeOut,
    ProvenanceOut,
    QuestionOut,
    Told,
    draft_out,
    evidence_out,
    provenance_out,
)


class ReplyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """An answer to a question, or another move. With nothing in it, what was said last and got no answer is answered."""

    text: Told = ""
    to: Annotated[str, msgspec.Meta(pattern=r"^q\d{1,4}$", description="The id of the question; the last one asked if left out.")] | None = None
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


def kept_whole(kept: Kept, closings: Mapping[str, Closing]) -> ReflectionKept:
    """A kept reflection as it is sent."""
    challenge = told(kept)
    parts = converse.places(replace(challenge, text=converse.told(challenge.text, (*challenge.also, *challenge.exchanges))))
    return ReflectionKept(
        object="reflection",
        id=kept.id,
        created_at=kept.created,
        expires_at=kept.expires,
        challenge=challenge.text,
        report_back={one.of.rpartition("/")[2]: one.reply for one in challenge.also} or None,
        role=challenge.role,
        functions=list(challenge.functions),
        focus=list(challenge.focus),
        language=challenge.language,
        mask=list(challenge.mask),
        keep=list(challenge.keep),
        country=challenge.country,
        answers=[_answer(entry.at, entry.said, parts) for entry in kept.entries if isinstance(entry.said, Answer)],
        exchanges=[
            ExchangeOut(entry.at, entry.said.to, entry.said.question, entry.said.text, entry.said.move)
            for entry in kept.entries
            if isinstance(entry.said, Reply)
        ],
        report_backs=_reports(kept),
        summary=summary_out(kept, closings),
    )


def _answer(at: datetime, answer: Answer, parts: tuple[Part, ...]) -> AnswerOut:
    heard = answer.acknowledgement
    return AnswerOut(
        at,
        AcknowledgementOut(heard.text, evidence_out(heard.evidence, parts)) if heard else None,
        [draft_out(put.id, put.draft, [GuidanceRef(*one) for one in put.guidance], parts) for put in answer.questions],
        [GuidanceRef(*one) for one in answer.offered],
        [NoticeOut(notice.code, notice.message) for notice in answer.notices],
        provenance_out(answer.provenance),
    )


def _reports(kept: Kept) -> list[ReportOut]:
    return [
        ReportOut(entry.at, entry.said.tried, entry.said.happened, entry.said.learned) for entry in kept.entries if isinstance(entry.said, Report)
    ]


def summary_out(kept: Kept, closings: Mapping[str, Closing]) -> SummaryOut:
    """What a manager takes away, as it is sent."""
    found = summed(kept, closings)
    return SummaryOut("summary", kept.id, found.seen, found.to_try, found.to_peers, _reports(kept), edited=bool(kept.of(Summary)))


def brief_out(brief: Brief) -> BriefOut:
    """A line of a list, as it is sent."""
    return BriefOut(brief.id, brief.created, brief.expires, brief.begins, brief.replies, brief.reports)


_TITLES = {"seen": "What I see now", "to_try": "What I want to try or ask", "to_peers": "What I take to my peers"}
_CAME = {"tried": "What I tried", "happened": "What happened", "learned": "What I learned"}


def summary_text(summary: SummaryOut, *, markdown: bool) -> str:
    """The same to read: as Markdown, where the writer's words stand as quotations, or as plain text."""
    sections = [(title, getattr(summary, name)) for name, title in _TITLES.items()]
    for report in summary.report_backs:
        day = report.at.date().isoformat()
        sections += [(f"{title} ({day})", getattr(report, name)) for name, title in _CAME.items()]
    blocks = [_block(title, text, markdown=markdown) for title, text in sections if text]
    return "\n\n".join(blocks or ["Nothing was written here yet."]) + "\n"


def _block(title: str, text: str, *, markdown: bool) -> str:
    if not markdown:
        return f"{title}\n\n{text.strip()}"
    quoted = text.strip().replace("&", "&amp;").replace("<", "&lt;")
    return f"## {title}\n\n" + "\n".join(f"> {line}".rstrip() for line in quoted.splitlines())
