"""The use-cases of a real group: a host invites, members hand in alone, the sheet is made when the host says so, and reports are carried on."""

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from coach import ids
from coach.errors import DeadlinePassed, Malformed, NotKept, SlotMisfit
from coach.kept import Report, digest
from coach.memory import Memory
from coach.model import Flag, Signpost
from coach.ports import Sessions
from coach.prepare import GroupNeeds, prepare, refuse
from coach.reflect import ENGLISH
from coach.sessions import Agenda, Handed, Seat, Session
from coach.sheets import Group, Member, Sheet, known_as

SHORTER = "The slot has {slot} minutes. With {people} people this takes {minutes} of them; the rest is yours."

HOST, MEMBER = "ht_", "mt_"


@dataclass(frozen=True)
class Circle:
    """Where sessions are kept, what time it is, and what a sheet needs."""

    memory: Memory
    sessions: Sessions
    groups: GroupNeeds


@dataclass(frozen=True)
class Convened:
    """A session that was just made, with the secrets: they are not shown again."""

    session: Session
    host: str
    invitations: tuple[tuple[str, str], ...]


async def convene(agenda: Agenda, members: Sequence[Handed], circle: Circle, owner: str | None, days: int) -> Convened:
    """Invite a group. Errors: those of a sheet that could never be made of it; JournalFault."""
    refuse(_group(agenda, members), circle.groups.protocols)
    now = circle.memory.now()
    if not now < agenda.deadline <= now + timedelta(days=circle.memory.most_days):
        raise Malformed(f"It has to lie ahead, by at most {circle.memory.most_days} days.", "/deadline")
    members = [replace(one, challenge="") if await asyncio.to_thread(_stopped, one.challenge, agenda.language, circle) else one for one in members]
    host, tokens = f"{HOST}{secrets.token_urlsafe(32)}", [f"{MEMBER}{secrets.token_urlsafe(32)}" for _ in members]
    seats = tuple(Seat(number, digest(token), one) for number, (token, one) in enumerate(zip(tokens, members, strict=True)))
    expires = max(now, agenda.deadline) + timedelta(days=days)
    session = Session(ids.new("g"), owner, digest(host), now, expires, agenda, seats)
    await circle.sessions.begin(session)
    return Convened(session, host, tuple((one.alias, token) for one, token in zip(members, tokens, strict=True)))


async def hosted(identifier: str, secret: str, owner: str | None, circle: Circle) -> Session:
    """A session, for its host alone. Raises NotKept."""
    found = await circle.sessions.read(identifier)
    if found is None or not (hmac.compare_digest(digest(secret), found.host) or (owner is not None and owner == found.owner)):
        raise NotKept
    return found


async def seated(identifier: str, secret: str, circle: Circle) -> tuple[Session, Seat]:
    """A session and the place of whoever holds this invitation. Raises NotKept, in the same words for an expired and a foreign one."""
    found = await circle.sessions.read(identifier)
    wanted = digest(secret)
    seat = next((seat for seat in found.seats if hmac.compare_digest(wanted, seat.token)), None) if found else None
    if found is None or seat is None:
        raise NotKept
    return found, seat


async def hand_in(session: Session, seat: Seat, challenge: str, report_back: str, circle: Circle) -> Signpost | None:
    """What a member brings, until the deadline. Where coaching is the wrong answer it is not kept; the host sees it as handed in, like any other.

    Errors: DeadlinePassed, JournalFault.
    """
    now = circle.memory.now()
    if now > session.agenda.deadline:
        raise DeadlinePassed(session.agenda.deadline)
    signpost = await asyncio.to_thread(_stopped, f"{challenge}\n\n{report_back}", session.agenda.language, circle)
    kept = replace(
        seat.handed, challenge="" if signpost else challenge.strip() and challenge, report_back="" if signpost else report_back, submitted=now
    )
    await circle.sessions.put(session.id, replace(seat, handed=kept))
    return signpost


def _stopped(text: str, language: str | None, circle: Circle) -> Signpost | None:
    needs = circle.groups.needs
    if not text.strip():
        return None
    written_in = needs.languages.detect(text) or ENGLISH
    judgement = needs.safety.judge(text, written_in)
    return needs.safety.signpost(judgement, language or written_in, needs.country) if judgement.flag in {Flag.CRISIS, Flag.HR_LEGAL} else None


async def make(session: Session, circle: Circle) -> Sheet:
    """The sheet of what was handed in so far; shorter, and saying so, where those who are left cannot fill the slot. Errors: those of `prepare`."""
    group = _group(session.agenda, [seat.handed for seat in session.seats])
    try:
        return await prepare(group, circle.groups)
    except SlotMisfit as misfit:
        if misfit.minutes <= misfit.most:
            raise
        sheet = await prepare(replace(group, minutes=misfit.most), circle.groups)
        return replace(sheet, warnings=(SHORTER.format(slot=misfit.minutes, minutes=misfit.most, people=len(group.members)), *sheet.warnings))


async def withdraw(session: Session, seat: Seat, circle: Circle) -> Session:
    """Erase a member's part and place: what is left of the session. Errors: JournalFault."""
    await circle.sessions.take_out(session.id, seat.number)
    return replace(session, seats=tuple(one for one in session.seats if one.number != seat.number))


async def file(session: Session, seat: Seat, report: Report, circle: Circle, *, share: bool) -> None:
    """What came of it. The next session of the group carries it in these words if it is to be shared. Errors: JournalFault."""
    await circle.sessions.put(session.id, replace(seat, handed=replace(seat.handed, filed=report, share=share)))


def shared_reports(session: Session, aliases: Sequence[str]) -> tuple[tuple[str, Report], ...]:
    """What members of a session who are invited again marked to share, word for word."""
    again = {known_as(alias) for alias in aliases}
    handed = [seat.handed for seat in session.seats]
    return tuple((one.alias, one.filed) for one in handed if one.filed and one.share and known_as(one.alias) in again)


def _group(agenda: Agenda, handed: Sequence[Handed]) -> Group:
    members = tuple(Member(one.alias, one.function, one.challenge or None, one.report_back or None, one.reports_to) for one in handed)
    return Group(
        members,
        agenda.minutes,
        agenda.protocol,
        agenda.rounds and min(agenda.rounds, len(handed)),
        agenda.trust,
        agenda.matter,
        override=agenda.override,
        language=agenda.language,
        carried=agenda.carried,
    )
