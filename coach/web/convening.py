"""The addresses of a real group: the host's, the members', and the sheet."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, QueryParameter

from coach import convene as meet
from coach.bootstrap import Coach
from coach.convene import Circle
from coach.errors import ExtraMissing, KeepsNothing, Malformed, NotKept, SheetFault
from coach.kept import Report
from coach.memory import Memory
from coach.paper.page import style_hash
from coach.sessions import Session
from coach.web.callers import bearer, who
from coach.web.door import Door
from coach.web.meetings import OwnPrinted, Printed, made_out, print_all, seat_out, session_out
from coach.web.preparing import HTML, ICS, MARKDOWN, PDF
from coach.web.problems import documented
from coach.web.requests import refuse_unsendable, strictly
from coach.web.schema import signpost_out
from coach.webhooks import SheetReady
from coach.wire.kept import Erasure
from coach.wire.sessions import FileRequest, HandIn, SeatOut, SessionMade, SessionOut, SessionRequest, Withdrawn
from coach.wire.sheets import SheetOut

_PRIVATE = {"cache-control": "no-store", "vary": "accept"}
_TAGS = ["peer groups"]
_MISSED = ("not-kept", "keeps-nothing", "journal-unavailable", "journal-busy", "internal")
Paper = Annotated[Literal["A4", "letter"], QueryParameter(description="The paper of what is printed.")]
Slot = Annotated[int | None, QueryParameter(ge=1, le=600, description="The slot of this sheet, if it is not to be the session's.")]
_SHAPE = ("group-size", "slot-size", "same-alias", "reporting-line", "unknown-protocol")


def circle_of(coach: Coach, memory: Memory | None) -> Circle:
    """Where sessions are kept. Raises KeepsNothing where nothing is."""
    if memory is None:
        raise KeepsNothing
    return Circle(memory, memory.sessions, coach.groups)


@post(
    "/v1/sessions",
    status_code=201,
    before_request=strictly(SessionRequest),
    operation_id="convene",
    summary="Invite a group to prepare its meeting",
    description=(
        "Each member gets an invitation of his or her own and hands in alone until the deadline; the host is shown who has, not what. "
        "The secrets in the answer are not shown again. The session and its secrets expire."
    ),
    responses={
        201: ResponseSpec(SessionMade, generate_examples=False, description="The session"),
        **documented("malformed", "unsupported-media-type", *_SHAPE, "unauthorized", *_MISSED),
    },
    tags=_TAGS,
)
async def create_session(
    data: Annotated[SessionRequest, BodyKwarg()],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    memory: NamedDependency[Memory | None],
) -> Response[SessionMade]:
    """Invite a group."""
    refuse_unsendable([("/name", data.name), *((f"/members/{at}/challenge", one.challenge) for at, one in enumerate(data.members))])
    circle = circle_of(coach, memory)
    held = circle.memory
    days = held.chosen(data.retention_days)
    carried: tuple[tuple[str, Report], ...] = ()
    if data.follows:
        last = await meet.hosted(data.follows.id, data.follows.host_token, None, circle)
        carried = meet.shared_reports(last, [one.alias for one in data.members])
    made = await meet.convene(data.to_agenda(carried), data.to_handed(held.now()), circle, who(request).owner, days)
    return Response(made_out(made), headers={**_PRIVATE, "location": f"/v1/sessions/{made.session.id}"}, status_code=201)


async def _hosted(identifier: str, request: Request[Any, Any, Any], circle: Circle) -> Session:
    secret = bearer(request)
    owner = None if secret.startswith((meet.HOST, meet.MEMBER)) else who(request).owner
    return await meet.hosted(identifier, secret, owner, circle)


@get(
    "/v1/sessions/{identifier:str}",
    operation_id="read_session",
    summary="Who has handed in",
    description="What the host is shown: who has, and until when; not what.",
    responses=documented(*_MISSED),
    tags=_TAGS,
)
async def read_session(
    identifier: FromPath[str], request: Request[Any, Any, Any], coach: NamedDependency[Coach], memory: NamedDependency[Memory | None]
) -> Response[SessionOut]:
    """What the host sees."""
    return Response(session_out(await _hosted(identifier, request, circle_of(coach, memory))), headers=_PRIVATE)


@delete(
    "/v1/sessions/{identifier:str}",
    status_code=200,
    operation_id="erase_session",
    summary="Erase a session with all that was handed in",
    description="The host may do it at any time; every secret of the session opens nothing after.",
    responses=documented(*_MISSED),
    tags=_TAGS,
)
async def erase_session(
    identifier: FromPath[str], request: Request[Any, Any, Any], coach: NamedDependency[Coach], memory: NamedDependency[Memory | None]
) -> Response[Erasure]:
    """Erase it all."""
    circle = circle_of(coach, memory)
    session = await _hosted(identifier, request, circle)
    await circle.sessions.erase(session.id)
    return Response(Erasure("erasure", 1, await circle.memory.journal.sweep()), headers=_PRIVATE)


@post(
    "/v1/sessions/{identifier:str}/sheet",
    status_code=200,
    operation_id="make_session_sheet",
    summary="Make the sheet of what was handed in so far",
    description=(
        "The group's part, as it is printed; made again, it takes the place of the one before. `minutes` makes this one for another slot than the "
        "session's, where that one would not do (`slot-size`)."
    ),
    responses={
        200: ResponseSpec(SheetOut, generate_examples=False, description="The group's part"),
        **documented("malformed", *_SHAPE, "busy", *_MISSED),
    },
    tags=_TAGS,
)
async def make_session_sheet(  # noqa: PLR0913, PLR0917 (Litestar passes what is named)
    identifier: FromPath[str],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    memory: NamedDependency[Memory | None],
    door: NamedDependency[Door],
    minutes: Slot = None,
) -> Response[SheetOut]:
    """Make the sheet; again, if there is one."""
    door.check()
    circle = circle_of(coach, memory)
    session = await _hosted(identifier, request, circle)
    if minutes is not None:
        session = replace(session, agenda=replace(session.agenda, minutes=minutes))
    return Response(await _print(session, circle), headers=_PRIVATE)


async def _print(session: Session, circle: Circle) -> SheetOut:
    sheet = await meet.make(session, circle)
    printed, pages = await print_all(sheet, session)
    await circle.sessions.print(SheetReady(session.id, len(session.seats), session.agenda.minutes, sheet.protocol.id), printed, pages)
    return msgspec.json.decode(printed, type=Printed).sheet


@get(
    "/v1/sessions/{identifier:str}/sheet",
    operation_id="read_session_sheet",
    summary="The sheet, for host and members",
    description="By `Accept` as JSON, `text/markdown`, `text/html`, `application/pdf` or `text/calendar` (where the session has a time).",
    responses={
        200: ResponseSpec(SheetOut, generate_examples=False, description="The group's part"),
        **documented("malformed", "extra-missing", *_MISSED),
    },
    tags=_TAGS,
)
async def read_session_sheet(
    identifier: FromPath[str],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    memory: NamedDependency[Memory | None],
    paper: Paper = "A4",
) -> Response[Any]:
    """The group's part of what was printed."""
    circle, secret = circle_of(coach, memory), bearer(request)
    if secret.startswith(meet.MEMBER):
        session, _ = await meet.seated(identifier, secret, circle)
    else:
        session = await _hosted(identifier, request, circle)
    if not session.sheet:
        raise NotKept
    return _as(msgspec.json.decode(session.sheet, type=Printed), request, paper)


def _as(printed: Printed, request: Request[Any, Any, Any], paper: str) -> Response[Any]:
    accept = request.headers.get("accept", "")
    if PDF in accept:
        if paper not in printed.pdf:  # it was made where there was no typst
            raise ExtraMissing("pdf")
        return Response(printed.pdf[paper], media_type=PDF, headers=_PRIVATE)
    if ICS in accept:
        if printed.ics is None:
            raise Malformed("The session has no time; `starts_at` sets one when it is made.", "/starts_at")
        return Response(printed.ics, media_type=ICS, headers=_PRIVATE)
    if MARKDOWN in accept:
        return Response(printed.markdown, media_type=MARKDOWN, headers=_PRIVATE)
    if HTML in accept:
        return _page(printed.html[paper], paper)
    return Response(printed.sheet, headers=_PRIVATE)


def _page(html: str, paper: str) -> Response[str]:
    policy = f"default-src 'none'; style-src '{style_hash(paper)}'; frame-ancestors 'none'; base-uri 'none'"
    return Response(html, media_type=HTML, headers={**_PRIVATE, "content-security-policy": policy})


_SEAT = "/v1/sessions/{identifier:str}/members/{token:str}"


@get(
    _SEAT,
    operation_id="read_seat",
    summary="A member's own part",
    description="What the member handed in and, once there is a sheet, the member's own page; by `Accept: text/html` that page to print.",
    responses={200: ResponseSpec(SeatOut, generate_examples=False, description="The own part"), **documented(*_MISSED)},
    tags=_TAGS,
)
async def read_seat(  # noqa: PLR0913, PLR0917 (Litestar passes what is named)
    identifier: FromPath[str],
    token: FromPath[str],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    memory: NamedDependency[Memory | None],
    paper: Paper = "A4",
) -> Response[Any]:
    """What a member sees; the own page by `Accept: text/html`."""
    session, seat = await meet.seated(identifier, token, circle_of(coach, memory))
    if HTML in request.headers.get("accept", "") and seat.page and session.sheet:
        return _page(msgspec.json.decode(seat.page, type=OwnPrinted).html[paper], paper)
    return Response(seat_out(session, seat), headers=_PRIVATE)


@put(
    _SEAT,
    before_request=strictly(HandIn),
    operation_id="hand_in",
    summary="Hand in, alone",
    description=("Until the deadline, as often as one likes. What is noticed as a crisis or a matter for HR or the law is not kept: help is named."),
    responses=documented("malformed", "unsupported-media-type", "deadline-passed", *_MISSED),
    tags=_TAGS,
)
async def hand_in(
    data: Annotated[HandIn, BodyKwarg()],
    identifier: FromPath[str],
    token: FromPath[str],
    coach: NamedDependency[Coach],
    memory: NamedDependency[Memory | None],
) -> Response[SeatOut]:
    """What a member brings."""
    refuse_unsendable([("/challenge", data.challenge), ("/report_back", data.report_back)])
    circle = circle_of(coach, memory)
    session, seat = await meet.seated(identifier, token, circle)
    signpost = await meet.hand_in(session, seat, data.challenge, data.report_back, circle)
    session, seat = await meet.seated(identifier, token, circle)
    return Response(seat_out(session, seat, signpost_out(signpost) if signpost else None), headers=_PRIVATE)


@delete(
    _SEAT,
    status_code=200,
    operation_id="withdraw",
    summary="Withdraw: the own part is erased, and the sheet made again without it",
    description="`sheet_made` says whether one could be made of those who are left.",
    responses=documented(*_MISSED),
    tags=_TAGS,
)
async def withdraw(
    identifier: FromPath[str], token: FromPath[str], coach: NamedDependency[Coach], memory: NamedDependency[Memory | None]
) -> Response[Withdrawn]:
    """Leave."""
    circle = circle_of(coach, memory)
    session, seat = await meet.seated(identifier, token, circle)
    left = await meet.withdraw(session, seat, circle)
    made = False
    if session.sheet and left.seats:
        try:
            await _print(replace(left, sheet=b""), circle)
            made = True
        except SheetFault:  # too few are left: the host sees that there is no sheet
            made = False
    return Response(Withdrawn("withdrawn", made, await circle.memory.journal.sweep()), headers=_PRIVATE)


@post(
    f"{_SEAT}/report-back",
    status_code=200,
    before_request=strictly(FileRequest),
    operation_id="file_report",
    summary="Tell what came of the session",
    description="With `share` the group reads it at the beginning of its next session, word for word; else nobody else does.",
    responses=documented("malformed", "unsupported-media-type", *_MISSED),
    tags=_TAGS,
)
async def file_report(
    data: Annotated[FileRequest, BodyKwarg()],
    identifier: FromPath[str],
    token: FromPath[str],
    coach: NamedDependency[Coach],
    memory: NamedDependency[Memory | None],
) -> Response[SeatOut]:
    """What came of it."""
    refuse_unsendable([(f"/{name}", getattr(data, name)) for name in ("tried", "happened", "learned")])
    circle = circle_of(coach, memory)
    session, seat = await meet.seated(identifier, token, circle)
    await meet.file(session, seat, Report(data.tried, data.happened, data.learned), circle, share=data.share)
    return Response(seat_out(*await meet.seated(identifier, token, circle)), headers=_PRIVATE)


HANDLERS = (
    create_session,
    read_session,
    erase_session,
    make_session_sheet,
    read_session_sheet,
    read_seat,
    hand_in,
    withdraw,
    file_report,
)
