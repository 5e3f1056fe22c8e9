"""How what is kept becomes what travels over HTTP (coach/wire)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from coach import converse
from coach.kept import Answer, Brief, Kept, Reply, Report, Summary
from coach.memory import summary as summed
from coach.memory import told
from coach.model import Closing, Part
from coach.web.schema import draft_out, evidence_out, provenance_out
from coach.wire.kept import AnswerOut, BriefOut, ExchangeOut, ReflectionKept, ReportOut, SummaryOut
from coach.wire.reflections import AcknowledgementOut, GuidanceRef, NoticeOut


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
