"""The addresses of the service."""

import asyncio
import re
from dataclasses import replace
from html import escape
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get, head, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath

from coach import guard
from coach.bootstrap import Coach
from coach.errors import ShuttingDown
from coach.memory import Memory, begin, kept_nowhere
from coach.reflect import accept, reflect
from coach.web.about import about, page
from coach.web.answering import Answered, answered
from coach.web.callers import usable, who
from coach.web.documentation import shell
from coach.web.door import Door
from coach.web.problems import CATALOGUE, documented
from coach.web.requests import refuse_unsendable, strictly
from coach.web.verdicts import verdict_out
from coach.wire.checks import CheckAnswer, CheckRequest
from coach.wire.reflections import ReflectionAnswer, ReflectionRequest
from coach.wire.service import AboutOut, Alive, MeaningOut, ReadyOut

_MARKED = re.compile("`([^`]+)`")
_VARYING = {"vary": "accept"}


def _texts(body: ReflectionRequest) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = [("/challenge", body.challenge), ("/role", body.role or "")]
    texts += [(f"/{field}/{place}", name) for field in ("functions", "mask", "keep") for place, name in enumerate(getattr(body, field))]
    texts += [(f"/report_back/{name}", getattr(body.report_back, name)) for name in ("tried", "happened", "learned") if body.report_back]
    for place, exchange in enumerate(body.exchanges):
        texts += [(f"/exchanges/{place}/question", exchange.question), (f"/exchanges/{place}/reply", exchange.reply or "")]
    return texts


@post(
    "/v1/reflections",
    status_code=200,
    before_request=strictly(ReflectionRequest),
    operation_id="reflect",
    summary="Reflect on a challenge",
    description=(
        "Answers with one acknowledgement and a few open questions, each tied to the manager's own words and to a passage of guidance. "
        "Where coaching is not what is needed (a crisis, a matter for HR or the law, nothing to go on) `signpost` says where help is, and no "
        "questions follow, but for one after a matter for others. "
        "With `store` it is kept: `kept` says until when and holds the token that opens it. "
        "With `exchanges` it goes on from what was answered: one acknowledgement, one question. Who asks for ideas there is shown what others have "
        "written (`offered`), with the choice left open. "
        "With `Accept: text/event-stream` the same comes as the events `opened`, `signpost`, `notice`, `acknowledged`, `offered`, `asked` (one whole "
        "question each), and at the end `closed` (its `outcome` is `shutting_down` where the service was stopped before all had come) or `failed`; "
        "their ids count from 1, and a comment is sent every 15 seconds."
    ),
    responses={
        200: ResponseSpec(ReflectionAnswer, generate_examples=False, description="The answer"),
        **documented(
            "malformed",
            "challenge-too-long",
            "unsupported-media-type",
            "challenge-too-thin",
            "internal",
            "model-unavailable",
            "model-timeout",
            "busy",
            "journal-busy",
            "unauthorized",
        ),
    },
    tags=["reflections"],
)
async def create_reflection(
    data: Annotated[ReflectionRequest, BodyKwarg()],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    door: NamedDependency[Door],
    memory: NamedDependency[Memory | None],
) -> Answered:
    """Reflect on a challenge."""
    refuse_unsendable(_texts(data))
    challenge = replace(data.to_challenge(), knowledge=usable(data.knowledge, who(request), coach))
    await asyncio.to_thread(accept, challenge, coach.needs)
    coach.needs.answering(challenge)
    if not data.store:
        return await answered(request, door, reflect(challenge, coach.needs))
    if memory is None:
        return await answered(request, door, reflect(challenge, coach.needs, kept_nowhere))
    days = memory.chosen(data.retention_days)
    return await answered(request, door, begin(challenge, coach.needs, memory, who(request), days), begun=True)


@post(
    "/v1/checks",
    status_code=200,
    before_request=strictly(CheckRequest),
    operation_id="check",
    summary="Judge sentences",
    description=(
        "Is each sentence a question that leaves the answer with the person asked? A verdict names the most serious reason against it, the rule, "
        "the words that decided (offsets in code points) and says it in one sentence. With a `challenge`, names, numbers, quotations and claims "
        "that are not in it are refused as `ungrounded`, and what it answers already as `redundant`."
    ),
    responses={
        200: ResponseSpec(CheckAnswer, generate_examples=False, description="The verdicts"),
        **documented("malformed", "unsupported-media-type", "internal"),
    },
    tags=["checks"],
)
async def create_checks(data: Annotated[CheckRequest, BodyKwarg()]) -> Response[CheckAnswer]:
    """Judge sentences."""
    context = guard.Context(data.challenge) if data.challenge else None
    verdicts = await asyncio.to_thread(guard.check_all, data.texts, language=data.language, context=context)
    return Response(CheckAnswer("checks", guard.VERSION, [verdict_out(verdict) for verdict in verdicts]), headers={"cache-control": "no-store"})


@get(
    "/v1/about",
    operation_id="about",
    summary="Who answers here, where texts go, what is kept",
    description="The facts somebody should know before the first word: they are those of the page /about.",
    tags=["about"],
)
async def about_json(coach: NamedDependency[Coach]) -> AboutOut:
    """The facts somebody should know before the first word."""
    return about(coach)


@get("/about", include_in_schema=False, media_type=MediaType.HTML)
async def about_page(coach: NamedDependency[Coach]) -> str:
    """The same as a page."""
    return page(about(coach))


@get(
    "/health/live",
    operation_id="live",
    summary="Is the process alive?",
    description="It answers as long as the process does, whatever its parts do.",
    tags=["health"],
)
async def live() -> Alive:
    """Whether the process answers at all."""
    return Alive("alive")


@get(
    "/health/ready",
    operation_id="ready",
    summary="Can it answer, and with what?",
    description=(
        "`ok`, or `degraded` where a part does not do and others stand in for it; `parts` says how each is. 503 where the service is being stopped."
    ),
    responses=documented("shutting-down"),
    tags=["health"],
)
async def ready(coach: NamedDependency[Coach], door: NamedDependency[Door], memory: NamedDependency[Memory | None]) -> ReadyOut:
    """Each part and how it is. It answers 200 as long as the coach can answer, which it can without a store. Raises ShuttingDown."""
    if door.draining:
        raise ShuttingDown
    parts = await coach.health()
    if memory:
        parts["journal"] = "ok" if await memory.journal.ready() else "does not answer: nothing can be kept just now"
    return ReadyOut("ok" if set(parts.values()) == {"ok"} else "degraded", parts)


@head("/health/live", include_in_schema=False)
async def live_without_body() -> None:
    """The same for load balancers that ask so."""


@head("/health/ready", include_in_schema=False)
async def ready_without_body(door: NamedDependency[Door]) -> None:
    """Whether it can answer, as the status alone. Raises ShuttingDown."""
    if door.draining:
        raise ShuttingDown


@get(
    "/problems",
    operation_id="problems",
    summary="Every problem code and what it means",
    description="The catalogue that `type` in a problem document points into, by code. With `Accept: text/html` a page.",
    responses={200: ResponseSpec(dict[str, MeaningOut], generate_examples=False, description="Each code")},
    tags=["problems"],
)
async def problems(request: Request[Any, Any, Any]) -> Response[dict[str, MeaningOut]] | Response[str]:
    """The catalogue that `type` in a problem document points into."""
    if MediaType.HTML in request.headers.get("accept", ""):
        rows = "".join(
            f'<li><a href="/problems/{code}">{escape(kind.title)}</a> (<code>{code}</code>, {kind.status})</li>' for code, kind in CATALOGUE.items()
        )
        return _page("What can go wrong", f"<ul>{rows}</ul>")
    return Response({code: _explained(code) for code in CATALOGUE}, headers=_VARYING)


@get(
    "/problems/{code:str}",
    operation_id="problem",
    summary="What one problem code means",
    description="One entry of the catalogue: where `type` in a problem document leads. With `Accept: text/html` a page.",
    responses={200: ResponseSpec(MeaningOut, generate_examples=False, description="What it means"), **documented("not-found")},
    tags=["problems"],
)
async def one_problem(code: FromPath[str], request: Request[Any, Any, Any]) -> Response[MeaningOut] | Response[str]:
    """One entry of the catalogue."""
    if code not in CATALOGUE:
        raise HTTPException(status_code=404)
    if MediaType.HTML in request.headers.get("accept", ""):
        kind = CATALOGUE[code]
        told = _MARKED.sub(r"<code>\1</code>", escape(kind.meaning))
        return _page(kind.title, f"<p>{told}</p><p>Code <code>{code}</code>, HTTP status {kind.status}.</p>")
    return Response(_explained(code), headers=_VARYING)


def _explained(code: str) -> MeaningOut:
    kind = CATALOGUE[code]
    return MeaningOut(code, kind.status, kind.title, kind.meaning)


def _page(title: str, body: str) -> Response[str]:
    """For a person who followed a `type`."""
    more = '<p><a href="/problems">Every problem</a>, and <a href="/docs/http">how errors are answered</a>.</p>'
    return Response(shell("", title, f"<h1>{escape(title)}</h1>{body}{more}"), media_type=MediaType.HTML, headers=_VARYING)


HANDLERS = (
    create_reflection,
    create_checks,
    about_json,
    about_page,
    live,
    ready,
    live_without_body,
    ready_without_body,
    problems,
    one_problem,
)
