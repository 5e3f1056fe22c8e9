"""Sessions of groups over the journal's database: each member's part in a row of its own, sealed like everything else."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from coach.sessions import Agenda, Handed, Seat, Session
from coach.store.journal import SqlJournal, milliseconds, moment
from coach.store.outbox import announce
from coach.store.tables import seats, sessions
from coach.webhooks import MemberSubmitted, SheetReady, Withdrawn


class SqlSessions:
    """Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong."""

    def __init__(self, journal: SqlJournal) -> None:
        """The same database, the same key, the same erasure."""
        self._journal = journal

    async def begin(self, session: Session) -> None:
        """Keep a session with its places."""
        seal = self._journal.sealer.seal
        row = {
            "id": session.id,
            "owner": session.owner,
            "host": session.host,
            "created": milliseconds(session.created),
            "expires": milliseconds(session.expires),
            "body": seal(msgspec.json.encode(session.agenda), session.id),
            "sheet": seal(session.sheet, f"{session.id}/sheet"),
        }
        places = [self._row(session.id, seat) for seat in session.seats]

        def write(connection: sa.Connection) -> None:
            connection.execute(sessions.insert().values(row))
            connection.execute(seats.insert(), places)

        await self._journal.transact(write)

    async def read(self, identifier: str) -> Session | None:
        """A session with all its places, or None if it is not there or has expired."""
        alive = sa.select(sessions).where(sessions.c.id == identifier, sessions.c.expires > milliseconds(self._journal.now()))
        there = sa.select(seats).where(seats.c.session == identifier).order_by(seats.c.number)
        row, places = await self._journal.consult(lambda connection: (connection.execute(alive).one_or_none(), connection.execute(there).all()))
        return self._session(row, places) if row else None

    async def of(self, owner: str | None) -> AsyncGenerator[Session, None]:
        """The sessions of an owner, the oldest first; of every owner where none is named."""
        alive = sa.select(sessions.c.id).where(sessions.c.expires > milliseconds(self._journal.now()))
        alive = alive if owner is None else alive.where(sessions.c.owner == owner)
        for name in await self._journal.consult(lambda connection: list(connection.scalars(alive.order_by(sessions.c.id)).all())):
            if found := await self.read(name):
                yield found

    async def put(self, identifier: str, seat: Seat) -> None:
        """Keep what a member handed in, in place of what was there. What was there leaves traces until the next sweep.

        That a member handed in for the first time is put into the outbox in the same transaction: it is told if, and only if, it happened.
        """
        row = self._row(identifier, seat)
        same = (seats.c.session == identifier, seats.c.number == seat.number)

        def write(connection: sa.Connection) -> None:
            before = self._handed(connection, identifier)
            connection.execute(seats.update().where(*same).values(body=row["body"], page=row["page"]))
            if seat.number in before and before[seat.number].submitted is None and seat.handed.submitted is not None:
                submitted = 1 + sum(one.submitted is not None for one in before.values())
                announce(connection, MemberSubmitted(identifier, seat.number, submitted, len(before)), self._journal.now())

        await self._journal.overwrite(write)

    async def print(self, ready: SheetReady, sheet: bytes, pages: Sequence[tuple[int, bytes]]) -> None:
        """Keep what was printed: the sheet of all, and each member's page, and that it was; all of it or none."""
        seal, identifier = self._journal.sealer.seal, ready.session

        def write(connection: sa.Connection) -> None:
            sealed = seal(sheet, f"{identifier}/sheet")
            connection.execute(sessions.update().where(sessions.c.id == identifier).values(sheet=sealed))
            for number, page in pages:
                same = (seats.c.session == identifier, seats.c.number == number)
                connection.execute(seats.update().where(*same).values(page=seal(page, f"{identifier}/{number}/page")))
            announce(connection, ready, self._journal.now())

        await self._journal.overwrite(write)

    async def take_out(self, identifier: str, number: int) -> None:
        """Erase a member's place, and with it all that was handed in; what was printed of it goes too."""
        seal = self._journal.sealer.seal

        def write(connection: sa.Connection) -> None:
            before = self._handed(connection, identifier)
            connection.execute(seats.delete().where(seats.c.session == identifier, seats.c.number == number))
            connection.execute(sessions.update().where(sessions.c.id == identifier).values(sheet=seal(b"", f"{identifier}/sheet")))
            if before.pop(number, None):
                submitted = sum(one.submitted is not None for one in before.values())
                announce(connection, Withdrawn(identifier, number, submitted, len(before)), self._journal.now())

        await self._journal.overwrite(write)

    async def erase(self, identifier: str) -> None:
        """Erase a session with all that was handed in."""
        await self._journal.overwrite(lambda connection: connection.execute(sessions.delete().where(sessions.c.id == identifier)))

    def _handed(self, connection: sa.Connection, identifier: str) -> dict[int, Handed]:
        """What every member has handed in. Who else writes to the session waits from here on (in SQLite from the start): so the counts are true."""
        connection.execute(sa.select(sessions.c.id).where(sessions.c.id == identifier).with_for_update())
        there = connection.execute(sa.select(seats.c.number, seats.c.body).where(seats.c.session == identifier)).all()
        unseal = self._journal.sealer.open
        return {place.number: msgspec.json.decode(unseal(place.body, f"{identifier}/{place.number}"), type=Handed) for place in there}

    def _row(self, identifier: str, seat: Seat) -> dict[str, Any]:
        seal = self._journal.sealer.seal
        return {
            "session": identifier,
            "number": seat.number,
            "token": seat.token,
            "body": seal(msgspec.json.encode(seat.handed), f"{identifier}/{seat.number}"),
            "page": seal(seat.page, f"{identifier}/{seat.number}/page"),
        }

    def _session(self, row: Any, places: Sequence[Any]) -> Session:
        unseal = self._journal.sealer.open
        found = tuple(
            Seat(
                place.number,
                place.token,
                msgspec.json.decode(unseal(place.body, f"{row.id}/{place.number}"), type=Handed),
                unseal(place.page, f"{row.id}/{place.number}/page"),
            )
            for place in places
        )
        agenda = msgspec.json.decode(unseal(row.body, row.id), type=Agenda)
        return Session(row.id, row.owner, row.host, moment(row.created), moment(row.expires), agenda, found, unseal(row.sheet, f"{row.id}/sheet"))
