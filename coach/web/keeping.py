"""The addresses of what is kept."""

from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, QueryParameter, SkipValidation
from litestar.response import Stream

from coach import ids
from coach import memory as remember
from coach.bootstrap import Coach
from coach.errors import Malformed
from coach.kept import Kept, Report, Summary
from coach.memory import Memory
from coach.model import Closing
from coach.web.answering import Answered, answered
from coach.web.door import Door
from coach.web.meetings import session_out
from coach.web.problems import documented
from coach.web.remembered import brief_out, kept_whole, summary_out, summary_text
from coach.web.requests import refuse_unsendable, strictly
from coach.web.schema import encode
from coach.wire.kept import Erasure, ReflectionKept, ReflectionList, ReplyRequest, SummaryOut, SummaryRequest
from coach.wire.reflections import ReflectionAnswer, ReportRequest

LINES = "application/x-ndjson"
MARKDOWN, PLAIN = "text/markdown", "text/plain"
_PRIVATE = {"cache-control": "no-store"}
_VARYING = {**_PRIVATE, "vary": "accept"}
_DOWNLOAD = {**_PRIVATE, "content-disposition": 'attachment; filename="reflections.jsonl"'}
_MISSED = ("not-kept", "unauthorized", "journal-unavailable", "journal-busy", "internal")
_TAGS = ["kept reflections"]


@post(
    "/v1/reflections/{identifier:str}/replies",
    status_code=200,
    before_request=strictly(ReplyRequest),
    operation_id="reply",
    summary="Go on with a kept reflection",
    description=(
        "Answers a question, or makes another move, and brings one acknowledgement and one next question: the same answer, events and checks as "
        "those of `POST /v1/reflections`. What the manager wrote is kept before anything is answered. An answer that got lost is asked for "
        "again with an empty body."
    ),
    responses={
        200: ResponseSpec(ReflectionAnswer, generate_examples=False, description="The answer"),
        **documented(
            "malformed", "unsupported-media-type", "conflict", "already-answered", "conversation-full", "model-unavailable", "model-timeout", *_MISSED
        ),
    },
    tags=_TAGS,
)
async def create_reply(  # noqa: PLR0913, PLR0917 (Litestar passes what is named)
    data: Annotated[ReplyRequest, BodyKwarg()],
    kept: NamedDependency[SkipValidation[Kept]],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    held: NamedDependency[Memory],
    door: NamedDependency[Door],
) -> Answered:
    """Go on with a kept reflection."""
    refuse_unsendable([("/text", data.text)])
    reply = remember.reply_to(kept, data.to, data.text, data.move)
    return await answered(request, door, remember.go_on(kept, reply, coach.needs, held), begun=True)


@post(
    "/v1/reflections/{identifier:str}/report-backs",
    status_code=200,
    before_request=strictly(ReportRequest),
    operation_id="report_back",
    summary="Tell what came of it",
    description="What was tried, what happened, what was learned: it is acknowledged, and one question is asked about what was learned.",
    responses={
        200: ResponseSpec(ReflectionAnswer, generate_examples=False, description="The answer"),
        **documented("malformed", "unsupported-media-type", "conflict", *_MISSED),
    },
    tags=_TAGS,
)
async def create_report(  # noqa: PLR0913, PLR0917
    data: Annotated[ReportRequest, BodyKwarg()],
    kept: NamedDependency[SkipValidation[Kept]],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    held: NamedDependency[Memory],
    door: NamedDependency[Door],
) -> Answered:
    """Tell what came of it."""
    refuse_unsendable([(f"/{name}", getattr(data, name)) for name in ("tried", "happened", "learned")])
    report = Report(*(text if text.strip() else "" for text in (data.tried, data.happened, data.learned)))
    if report == Report():
        raise Malformed("There is nothing in it: say what was tried, what happened or what was learned.")
    return await answered(request, door, remember.report_back(kept, report, coach.needs, held), begun=True)


@get(
    "/v1/reflections",
    operation_id="list_reflections",
    summary="What the caller keeps",
    description="A page of it, the newest first, each with how it begins. It takes a key, since a token opens one reflection alone.",
    responses=documented("malformed", *_MISSED[1:]),
    tags=_TAGS,
)
async def list_reflections(
    owner: NamedDependency[str],
    held: NamedDependency[Memory],
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many, 1 to 100.")] = 20,
    after: Annotated[str | None, QueryParameter(max_length=64, description="`next` of the page before.")] = None,
) -> Response[ReflectionList]:
    """A page of what the caller keeps, the newest first. Raises Malformed for a cursor that is none."""
    if after is not None and not ids.fits("r", after):  # the reflection of a cursor may be erased meanwhile: its form alone is looked at
        raise Malformed("after is the `next` of the page before, the id of a reflection.", "/after")
    found = await held.journal.briefs(owner, limit + 1, after)
    page = [brief_out(brief) for brief in found[:limit]]
    return Response(ReflectionList("list", page, page[-1].id if len(found) > limit else None), headers=_PRIVATE)


@get(
    "/v1/reflections/{identifier:str}",
    operation_id="read_reflection",
    summary="A kept reflection, whole",
    description="What was written, what was asked and answered, and what came of it, with the summary.",
    responses=documented(*_MISSED),
    tags=_TAGS,
)
async def read_reflection(kept: NamedDependency[SkipValidation[Kept]], coach: NamedDependency[Coach]) -> Response[ReflectionKept]:
    """A kept reflection."""
    return Response(kept_whole(kept, coach.needs.closings), headers=_PRIVATE)


@get(
    "/v1/reflections/{identifier:str}/summary",
    operation_id="read_summary",
    summary="What the manager takes away, in the manager's own words",
    description="As JSON, or with `Accept: text/markdown` or `text/plain` as a text to edit and share. Nothing is added to what was written.",
    responses={200: ResponseSpec(SummaryOut, generate_examples=False, description="The summary"), **documented(*_MISSED)},
    tags=_TAGS,
)
async def read_summary(
    kept: NamedDependency[SkipValidation[Kept]], request: Request[Any, Any, Any], coach: NamedDependency[Coach]
) -> Response[SummaryOut] | Response[str]:
    """A summary."""
    found = summary_out(kept, coach.needs.closings)
    for media_type in (MARKDOWN, PLAIN):
        if media_type in request.headers.get("accept", ""):
            return Response(
                summary_text(found, markdown=media_type == MARKDOWN),
                media_type=media_type,
                headers={**_PRIVATE, "vary": "accept"},
            )
    return Response(found, headers={**_PRIVATE, "vary": "accept"})


@put(
    "/v1/reflections/{identifier:str}/summary",
    before_request=strictly(SummaryRequest),
    operation_id="edit_summary",
    summary="Put the summary as its writer wants it",
    description="It takes the place of the summary that was made, word for word.",
    responses=documented("malformed", "unsupported-media-type", "conflict", *_MISSED),
    tags=_TAGS,
)
async def edit_summary(
    data: Annotated[SummaryRequest, BodyKwarg()],
    kept: NamedDependency[SkipValidation[Kept]],
    coach: NamedDependency[Coach],
    held: NamedDependency[Memory],
) -> Response[SummaryOut]:
    """A summary as edited."""
    refuse_unsendable([(f"/{name}", getattr(data, name)) for name in ("seen", "to_try", "to_peers")])
    edited = await remember.edit(kept, Summary(data.seen, data.to_try, data.to_peers), held)
    return Response(summary_out(edited, coach.needs.closings), headers=_PRIVATE)


@delete(
    "/v1/reflections/{identifier:str}",
    status_code=200,
    operation_id="erase_reflection",
    summary="Erase a kept reflection",
    description="It cannot be read from then on; `swept` says that no trace is left in the files either.",
    responses=documented(*_MISSED),
    tags=_TAGS,
)
async def erase_reflection(kept: NamedDependency[SkipValidation[Kept]], held: NamedDependency[Memory]) -> Response[Erasure]:
    """Erase one."""
    return Response(Erasure("erasure", 1, await remember.erase(kept, held)), headers=_PRIVATE)


@delete(
    "/v1/me",
    status_code=200,
    operation_id="erase_me",
    summary="Erase all that the caller keeps",
    description="Every reflection and session of the key that asks.",
    responses=documented(*_MISSED[1:]),
    tags=_TAGS,
)
async def erase_me(owner: NamedDependency[str], held: NamedDependency[Memory]) -> Response[Erasure]:
    """Erase all."""
    count, swept = await remember.erase_all(owner, held)
    return Response(Erasure("erasure", count, swept), headers=_PRIVATE)


@get(
    "/v1/me/export",
    operation_id="export_me",
    summary="All that the caller keeps, as JSON lines",
    description=(
        "One kept reflection a line, the oldest first, then sessions as their host sees them, and a last line "
        '`{"object": "end", ...}` with both counts: where that is missing, the export broke off.'
    ),
    media_type=LINES,
    responses={
        200: ResponseSpec(str, generate_examples=False, media_type=LINES, description="One reflection a line"),
        **documented(*_MISSED[1:]),
    },
    tags=_TAGS,
)
async def export_me(owner: NamedDependency[str], coach: NamedDependency[Coach], held: NamedDependency[Memory]) -> Stream:
    """Everything, to take along."""
    return Stream(
        lines(coach.needs.closings, held, owner),
        media_type=LINES,
        headers={**_PRIVATE, "content-disposition": 'attachment; filename="reflections.jsonl"'},
    )


async def lines(closings: Mapping[str, Closing], memory: Memory, owner: str | None) -> AsyncGenerator[bytes, None]:
    """What an owner keeps: every reflection, a line each, every session as its host sees it, and a last line that says how many they were."""
    count = meetings = 0
    async for kept in memory.journal.everything(owner):
        count += 1
        yield encode(kept_whole(kept, closings)) + b"\n"
    async for session in memory.sessions.of(owner):
        meetings += 1
        yield encode(session_out(session)) + b"\n"
    yield encode({"object": "end", "reflections": count, "sessions": meetings}) + b"\n"


HANDLERS = (
    create_reply,
    create_report,
    list_reflections,
    read_reflection,
    read_summary,
    edit_summary,
    erase_reflection,
    erase_me,
    export_me,
)
