"""How a real group's session becomes what travels over HTTP (coach/wire), and how its sheet is printed."""

import asyncio
from dataclasses import replace

import msgspec

from coach.convene import Convened
from coach.paper.calendar import calendar
from coach.paper.markdown import markdown
from coach.paper.page import PAPERS, own, page, whole
from coach.paper.pdf import pdf_aside
from coach.paper.typesetting import sets
from coach.sessions import Seat, Session
from coach.sheets import Sheet
from coach.web.sheets import sheet_out
from coach.wire.reflections import SignpostOut
from coach.wire.sessions import Attendance, FiledOut, Invitation, SeatOut, SessionMade, SessionOut
from coach.wire.sheets import MemberPageOut, SheetOut


class Printed(msgspec.Struct, frozen=True):
    """A sheet in all its forms, as it is kept: what was printed is what everybody gets."""

    sheet: SheetOut
    markdown: str
    html: dict[str, str]
    pdf: dict[str, bytes]
    ics: bytes | None


class OwnPrinted(msgspec.Struct, frozen=True):
    """One member's page."""

    page: MemberPageOut
    html: dict[str, str]


async def print_all(sheet: Sheet, session: Session) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The group's part, which holds nobody's own page, and each member's page, as they are kept; both under the name of the session."""
    sheet = replace(sheet, name=session.agenda.name)
    handed = [seat.handed for seat in session.seats]
    wire = sheet_out(sheet, [(len(one.challenge), len(one.report_back)) for one in handed])
    agenda = session.agenda
    printed = Printed(
        sheet=msgspec.structs.replace(wire, member_pages=[]),
        markdown=markdown(sheet, pages=False),
        html={paper: page(sheet, paper=paper, pages=False) for paper in PAPERS},
        pdf=dict(zip(PAPERS, await asyncio.gather(*(pdf_aside(sheet, paper=paper, pages=False) for paper in PAPERS)), strict=True)) if sets() else {},
        ics=calendar(sheet, agenda.starts_at, agenda.time_zone) if agenda.starts_at else None,
    )
    pages = [
        OwnPrinted(out, {paper: whole(sheet.title, own(one), paper, sheet.language) for paper in PAPERS})
        for out, one in zip(wire.member_pages, sheet.pages, strict=True)
    ]
    numbers = [seat.number for seat in session.seats]
    return msgspec.json.encode(printed), [(number, msgspec.json.encode(one)) for number, one in zip(numbers, pages, strict=True)]


def made_out(made: Convened) -> SessionMade:
    """A new session, as it is sent."""
    session = made.session
    invitations = [Invitation(alias, token, f"/meet/{session.id}#{token}") for alias, token in made.invitations]
    return SessionMade("session", session.id, made.host, f"/host/{session.id}#{made.host}", invitations, session.agenda.deadline, session.expires)


def session_out(session: Session) -> SessionOut:
    """What the host sees, as it is sent."""
    attending = [
        Attendance(seat.handed.alias, seat.handed.function, seat.handed.submitted is not None, seat.handed.filed is not None)
        for seat in session.seats
    ]
    agenda = session.agenda
    return SessionOut(
        "session",
        session.id,
        agenda.name,
        agenda.minutes,
        agenda.protocol,
        agenda.deadline,
        session.expires,
        attending,
        bool(session.sheet),
        session.sheet_gone,
    )


def seat_out(session: Session, seat: Seat, signpost: SignpostOut | None = None) -> SeatOut:
    """What a member sees, as it is sent."""
    handed = seat.handed
    filed = FiledOut(handed.filed.tried, handed.filed.happened, handed.filed.learned) if handed.filed else None
    printed = msgspec.json.decode(seat.page, type=OwnPrinted).page if seat.page and session.sheet else None
    return SeatOut(
        "seat",
        session.id,
        session.agenda.name,
        handed.alias,
        session.agenda.deadline,
        session.expires,
        handed.challenge,
        handed.report_back,
        handed.submitted,
        signpost,
        filed,
        handed.share,
        printed,
        bool(session.sheet),
        session.sheet_gone,
    )
