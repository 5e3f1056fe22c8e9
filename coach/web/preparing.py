"""The addresses of a group that prepares: protocols, and sheets made of nothing but what was sent."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg

from coach.bootstrap import Coach
from coach.errors import Malformed
from coach.paper.calendar import calendar
from coach.paper.markdown import markdown
from coach.paper.page import page, style_hash
from coach.paper.pdf import pdf_aside
from coach.prepare import prepare
from coach.schedule import takes
from coach.sheets import Sheet
from coach.web.answering import CLIENT_CLOSED_REQUEST
from coach.web.door import Door, Gone, unless_gone
from coach.web.problems import documented
from coach.web.requests import refuse_unsendable, strictly
from coach.web.sheets import sheet_out
from coach.wire.sheets import ProtocolOut, SheetOut, SheetRequest

HTML, MARKDOWN, PDF, ICS = "text/html", "text/markdown", "application/pdf", "text/calendar"
_PRIVATE = {"cache-control": "no-store", "vary": "accept"}


@post(
    "/v1/sheets",
    status_code=200,
    before_request=strictly(SheetRequest),
    operation_id="make_sheet",
    summary="Prepare a group's session",
    description=(
        "From the members, a slot and a protocol to a sheet that the group runs without a facilitator: who does what, minute by minute, and which "
        "questions when. What the members wrote shows on their own pages alone; the group's part says in words of the library what several brought. "
        "Nothing is kept. JSON, or by `Accept`: `text/markdown`, `text/html`, `application/pdf`, `text/calendar` (which needs `starts_at`)."
    ),
    responses={
        200: ResponseSpec(SheetOut, generate_examples=False, description="The sheet"),
        **documented(
            "malformed",
            "challenge-too-long",
            "unsupported-media-type",
            "group-size",
            "slot-size",
            "same-alias",
            "reporting-line",
            "unknown-protocol",
            "extra-missing",
            "busy",
            "internal",
        ),
    },
    tags=["peer groups"],
)
async def create_sheet(
    data: Annotated[SheetRequest, BodyKwarg()],
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    door: NamedDependency[Door],
) -> Response[SheetOut] | Response[bytes] | Response[str] | Response[None]:
    """Prepare a group's session."""
    texts = [(f"/members/{at}/{name}", getattr(one, name) or "") for at, one in enumerate(data.members) for name in ("challenge", "report_back")]
    refuse_unsendable(texts)
    door.check()
    try:
        sheet = await unless_gone(request, prepare(data.to_group(), coach.groups))
    except Gone:
        return Response(None, status_code=CLIENT_CLOSED_REQUEST)
    if printed := await _printed(sheet, data, request.headers.get("accept", "")):
        return printed
    lengths = [(len(one.challenge), len(one.report_back)) for one in data.members]
    return Response(sheet_out(sheet, lengths), headers=_PRIVATE)


async def _printed(sheet: Sheet, data: SheetRequest, accept: str) -> Response[bytes] | Response[str] | None:
    """The sheet as the caller wants it, if not as JSON."""
    if PDF in accept:
        return Response(await pdf_aside(sheet, paper=data.paper, pages=data.member_pages), media_type=PDF, headers=_named("pdf"))
    if ICS in accept:
        if data.starts_at is None:
            raise Malformed("A calendar entry needs to know when it begins.", "/starts_at")
        entry = calendar(sheet, data.starts_at, data.time_zone, alarms=data.alarms)
        return Response(entry, media_type=ICS, headers=_named("ics"))
    if MARKDOWN in accept:
        return Response(markdown(sheet, pages=data.member_pages), media_type=MARKDOWN, headers=_PRIVATE)
    if HTML in accept:
        policy = f"default-src 'none'; style-src '{style_hash(data.paper)}'; frame-ancestors 'none'; base-uri 'none'"
        headers = {**_PRIVATE, "content-security-policy": policy}
        return Response(page(sheet, paper=data.paper, pages=data.member_pages), media_type=HTML, headers=headers)
    return None


def _named(ending: str) -> dict[str, str]:
    return {**_PRIVATE, "content-disposition": f'inline; filename="session.{ending}"'}


@get(
    "/v1/protocols",
    operation_id="protocols",
    summary="The ways in which a group can work",
    description="Each protocol: when it serves, for how many people and rounds, how many minutes it takes, and where it comes from.",
    tags=["peer groups"],
)
async def list_protocols(coach: NamedDependency[Coach]) -> list[ProtocolOut]:
    """Each protocol, whom it is for, and how long it takes."""
    return [
        ProtocolOut(
            id=one.id,
            title=one.title,
            when=one.when,
            people={"least": one.fewest, "best": one.best, "most": one.largest},
            rounds={"least": 1, "most": one.most_rounds},
            minutes={"least": takes(one, 1).least, "ideal": takes(one, 1).ideal, "most": takes(one, one.most_rounds).most},
            ideas=one.ideas,
            sources=[f"{source.author}, {source.title}, {source.year}" for source in one.sources],
        )
        for one in coach.groups.protocols.values()
    ]


HANDLERS = (create_sheet, list_protocols)
