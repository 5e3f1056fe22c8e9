"""Keeps, reads, erases. What is acknowledged was committed; what is erased is gone from the files."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from coach.errors import JournalBusy, JournalFault
from coach.kept import KINDS, Brief, Entry, Kept, Kind, kind_of
from coach.model import Challenge
from coach.store.engine import QUEUE, WAIT, address, connect, plainly
from coach.store.sealing import Sealer
from coach.store.tables import HEAD, entries, reflections, seats, sessions, state, webhooks

_CANARY, _UNSWEPT = "canary", "unswept"
_WORD = b"coach"  # what the canary says when it is opened
_LOCK = 6_217_334_901  # PostgreSQL's advisory lock for migrations: any number, always the same
_BEGINS = 160  # characters of a write-up in a list
_BATCH = 500
_TRIES = 2
_OPENINGS, _PAUSE = 3, 0.2  # tries, and seconds between them
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Now = Callable[[], datetime]
Steps = tuple[str | None, str | None]
Made = TypeVar("Made")
log = logging.getLogger("coach.store")


def utc_now() -> datetime:
    """The time, in UTC, to the millisecond, as it is kept."""
    return moment(milliseconds(datetime.now(UTC)))


class SqlJournal:
    """What people asked to keep. Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong.

    It belongs to the event loop that first used it.
    """

    def __init__(self, url: str, folder: Path, sealer: Sealer, now: Now = utc_now) -> None:
        """`url` as in COACH_STORE; nothing is opened before something is kept or asked for. Raises SettingsError."""
        self._url = address(url, folder)
        self._file = Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None
        self._database = connect(self._url)
        self.sealer = sealer
        self.now = now
        self._ready = self._failed = False
        self._preparing = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._sweeping = asyncio.Lock()
        self._erased, self._swept = 0, -1

    @property
    def local(self) -> bool:
        """Whether it is a file of this machine."""
        return self._file is not None

    async def open(self) -> Steps:
        """Make the tables if they are missing or old, and see that the key fits; from which step to which."""
        async with self._preparing:
            self._failed = True
            for left in reversed(range(_OPENINGS)):
                try:
                    with plainly():
                        self._make_folder()
                        steps = await self._database.write(self._prepare)
                except JournalBusy:  # SQLite does not wait where another is just turning the file into one with a log
                    if not left:
                        raise
                    await asyncio.sleep(_PAUSE)
                else:
                    break
            self._ready, self._failed = True, False
            return steps

    def _prepare(self, connection: sa.Connection) -> Steps:
        step = _step(connection)
        steps: Steps = (step, step)
        if step != HEAD:
            if not self.local:
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            steps = import_module("coach.store.migrating").upgrade(connection)
        self._try_key(connection)
        return steps

    def _make_folder(self) -> None:
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):  # a file that is there is not touched: closing it would take this process's locks off (POSIX)
                os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # nobody else's to read
            os.environ.setdefault("SQLITE_TMPDIR", str(self._file.parent))  # VACUUM copies there, not where others look

    def _try_key(self, connection: sa.Connection) -> None:
        """A word sealed with the key in force: it does not open with another."""
        sealed = connection.scalar(sa.select(state.c.value).where(state.c.name == _CANARY))
        if sealed is None:
            connection.execute(state.insert().values(name=_CANARY, value=self.sealer.seal(_WORD, _CANARY)))
        else:
            self.sealer.open(sealed, _CANARY)

    async def begin(self, kept: Kept) -> None:
        """Keep a write-up, before anything was said about it."""
        row = {
            "id": kept.id,
            "owner": kept.owner,
            "token": kept.token,
            "created": milliseconds(kept.created),
            "expires": milliseconds(kept.expires),
            "body": self.sealer.seal(msgspec.json.encode(kept.challenge), kept.id),
        }
        await self.transact(lambda connection: connection.execute(reflections.insert().values(row)))

    async def add(self, identifier: str, seq: int, entry: Entry) -> None:
        """Keep what was said as the entry number `seq`, from 0. Raises JournalConflict where there is one already, or the reflection is gone."""
        body = self.sealer.seal(msgspec.json.encode(entry.said), _place(identifier, seq))
        row = {"reflection": identifier, "seq": seq, "kind": kind_of(entry.said), "at": milliseconds(entry.at), "body": body}
        await self.transact(lambda connection: connection.execute(entries.insert().values(row)))

    async def read(self, identifier: str) -> Kept | None:
        """A reflection with all its entries, or None if it is not there or has expired."""
        return next(iter(await self._whole([identifier])), None)

    async def briefs(self, owner: str, limit: int, after: str | None = None) -> list[Brief]:
        """What an owner keeps, the newest first, at most `limit`, from behind the id `after`."""
        columns = (reflections.c.id, reflections.c.created, reflections.c.expires, reflections.c.body)
        chosen = self._page(sa.select(*columns), owner, limit, after)

        def read(connection: sa.Connection) -> tuple[Sequence[Any], dict[tuple[str, str], int]]:
            rows = connection.execute(chosen).all()
            counted = (
                sa.select(entries.c.reflection, entries.c.kind, sa.func.count())
                .where(entries.c.reflection.in_([row.id for row in rows]), entries.c.kind.in_([Kind.REPLY, Kind.REPORT]))
                .group_by(entries.c.reflection, entries.c.kind)
            )
            return rows, {(name, kind): count for name, kind, count in connection.execute(counted).all()}

        rows, counts = await self.consult(read)
        return [self._brief(row, counts) for row in rows]

    def _brief(self, row: Any, counts: Mapping[tuple[str, str], int]) -> Brief:
        begins = " ".join(self._challenge(row).text.split())
        begins = begins if len(begins) <= _BEGINS else begins[:_BEGINS].rsplit(" ", 1)[0] + " ..."
        return Brief(
            row.id, moment(row.created), moment(row.expires), begins, counts.get((row.id, Kind.REPLY), 0), counts.get((row.id, Kind.REPORT), 0)
        )

    async def everything(self, owner: str | None) -> AsyncGenerator[Kept, None]:
        """All that an owner keeps, the oldest first, whole; of every owner where none is named."""
        after = ""
        while True:
            chosen = self._alive(sa.select(reflections.c.id)).where(reflections.c.id > after).order_by(reflections.c.id).limit(_BATCH // 10)
            chosen = chosen if owner is None else chosen.where(reflections.c.owner == owner)
            names = await self.consult(lambda connection, chosen=chosen: list(connection.scalars(chosen).all()))  # type: ignore[misc]
            if not names:
                return
            for kept in await self._whole(names):
                yield kept
            after = names[-1]

    async def erase(self, identifiers: Sequence[str]) -> int:
        """Erase reflections; how many there were. What is left of them in the files is gone after `sweep`."""
        return await self._delete(reflections.c.id.in_(identifiers))

    async def erase_owner(self, owner: str | None) -> int:
        """Erase all that an owner keeps; of every owner where none is named."""
        if owner is None:
            return await self._delete(sa.true(), sa.true())
        return await self._delete(reflections.c.owner == owner, sessions.c.owner == owner)

    async def purge(self) -> int:
        """Erase what has expired."""
        now = milliseconds(self.now())
        return await self._delete(reflections.c.expires <= now, sessions.c.expires <= now)

    async def sweep(self) -> bool:
        """Overwrite what erased texts have left in the files: rebuilt database, empty log. Whether it could be done; if not, the next one does.

        SQLite's secure_delete zeroes what is freed, but rows that moved leave copies in the gaps of pages; only VACUUM is sure (test_erasure.py).
        In PostgreSQL rows are vacuumed; its own log and backups are its administrator's.
        """
        wanted = self._erased
        async with self._sweeping:
            if self._swept >= wanted and not await self._left_by_another():
                return True  # one that began after our erasure has done it
            begun = self._erased
            try:
                await self._vacuum()
                if begun == self._erased:
                    await self.transact(lambda connection: connection.execute(state.delete().where(state.c.name == _UNSWEPT)))
            except JournalFault as error:
                log.warning("erased texts may be left in the files until the next sweep: %s", error)
                return False
            self._swept = begun
            return True

    async def unswept(self) -> bool:
        """Whether something was erased and not swept, as after a crash."""
        return await self._scalar(sa.select(state.c.name).where(state.c.name == _UNSWEPT)) is not None

    async def _left_by_another(self) -> bool:
        """Whether another process erased and did not sweep. Where that cannot be looked up the sweep is tried, and says how it went."""
        try:
            return await self.unswept()
        except JournalFault:
            return True

    async def _vacuum(self) -> None:
        if not self.local:
            await self._aside("VACUUM reflections, entries, sessions, seats, webhooks, outbox")
            return
        await self._aside("VACUUM")
        for _ in range(_TRIES):  # the log is cut when nobody reads from it; each waits as long as for a lock
            busy, *_ = await self._aside("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy:
                return
        raise JournalBusy

    async def _aside(self, statement: str) -> Sequence[Any]:
        """Something that is done outside of any transaction; its first row."""
        await self._opened()
        with plainly():
            async with self._turn():
                return await self._database.aside(statement)

    async def reseal(self) -> int:
        """Seal everything with the newest key; how many texts were not yet. Afterwards the older keys can go."""
        changed = 0
        for table, columns, place in (
            (reflections, (reflections.c.id,), lambda row: row.id),
            (entries, (entries.c.reflection, entries.c.seq), lambda row: _place(row.reflection, row.seq)),
            (webhooks, (webhooks.c.id,), lambda row: row.id),
            (state, (state.c.name,), lambda row: row.name),
        ):
            changed += await self._reseal_table(table, table.c.value if table is state else table.c.body, columns, place)
        sheet, page = sessions.c.sheet, seats.c.page
        changed += await self._reseal_table(sessions, sessions.c.body, (sessions.c.id,), lambda row: row.id)
        changed += await self._reseal_table(sessions, sheet, (sessions.c.id,), lambda row: f"{row.id}/sheet")
        changed += await self._reseal_table(seats, seats.c.body, (seats.c.session, seats.c.number), lambda row: _place(row.session, row.number))
        changed += await self._reseal_table(seats, page, (seats.c.session, seats.c.number), lambda row: f"{row.session}/{row.number}/page")
        if changed:
            await self.sweep()
        return changed

    async def _reseal_table(self, table: sa.Table, value: sa.Column[Any], columns: tuple[sa.Column[Any], ...], place: Callable[[Any], str]) -> int:
        changed, after = 0, None
        while True:
            chosen = sa.select(*columns, value.label("blob")).order_by(*columns).limit(_BATCH)
            chosen = chosen if after is None else chosen.where(sa.tuple_(*columns) > sa.tuple_(*(sa.literal(part) for part in after)))
            rows = await self.consult(lambda connection, chosen=chosen: connection.execute(chosen).all())  # type: ignore[misc]
            if not rows:
                return changed
            stale = [row for row in rows if not self.sealer.fresh(row.blob) and (table is not state or row.name == _CANARY)]
            if stale:
                await self.overwrite(lambda connection, stale=stale: self._rewrite(connection, value, columns, stale, place))  # type: ignore[misc]
            changed += len(stale)
            after = tuple(rows[-1][: len(columns)])

    def _rewrite(
        self, connection: sa.Connection, value: sa.Column[Any], columns: tuple[sa.Column[Any], ...], rows: Iterable[Any], place: Callable[[Any], str]
    ) -> None:
        for row in rows:
            sealed = self.sealer.seal(self.sealer.open(row.blob, place(row)), place(row))
            same = [column == part for column, part in zip(columns, row[: len(columns)], strict=True)]
            connection.execute(value.table.update().where(*same).values({value: sealed}))

    async def exists(self) -> bool:
        """Whether anything was ever kept; a database of its own always is."""
        return self._file is None or self._file.exists()

    async def ready(self) -> bool:
        """Whether it can be read; where nothing was ever kept, whether it could be when last tried."""
        if not await self.exists():
            return not self._failed
        try:
            await asyncio.wait_for(self.unswept(), WAIT)
        except (JournalFault, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Let go of every connection."""
        await self._database.close()

    async def _whole(self, identifiers: Sequence[str]) -> list[Kept]:
        chosen = self._alive(sa.select(reflections)).where(reflections.c.id.in_(identifiers)).order_by(reflections.c.id)
        said = sa.select(entries).where(entries.c.reflection.in_(identifiers)).order_by(entries.c.reflection, entries.c.seq)
        rows, following = await self.consult(lambda connection: (connection.execute(chosen).all(), connection.execute(said).all()))
        found: dict[str, list[Entry]] = {row.id: [] for row in rows}
        for row in following:
            if row.reflection in found:
                body = self.sealer.open(row.body, _place(row.reflection, row.seq))
                found[row.reflection].append(Entry(moment(row.at), msgspec.json.decode(body, type=KINDS[Kind(row.kind)])))
        return [
            Kept(row.id, row.owner, row.token, moment(row.created), moment(row.expires), self._challenge(row), tuple(found[row.id])) for row in rows
        ]

    def _challenge(self, row: Any) -> Challenge:
        return msgspec.json.decode(self.sealer.open(row.body, row.id), type=Challenge)

    def _alive(self, chosen: sa.Select[Any]) -> sa.Select[Any]:
        """What has expired is not there, purged or not."""
        return chosen.where(reflections.c.expires > milliseconds(self.now()))

    def _page(self, chosen: sa.Select[Any], owner: str, limit: int, after: str | None) -> sa.Select[Any]:
        chosen = self._alive(chosen).where(reflections.c.owner == owner).order_by(reflections.c.id.desc()).limit(limit)
        return chosen if after is None else chosen.where(reflections.c.id < after)

    async def _delete(self, which: sa.ColumnElement[bool], meetings: sa.ColumnElement[bool] | None = None) -> int:
        def write(connection: sa.Connection) -> int:
            gone = connection.execute(reflections.delete().where(which)).rowcount
            gone += connection.execute(sessions.delete().where(meetings)).rowcount if meetings is not None else 0
            if gone:
                _note_unswept(connection)
            return gone

        count = await self.transact(write)
        self._erased += bool(count)
        return count

    async def overwrite(self, work: Callable[[sa.Connection], object]) -> None:
        """A transaction that overwrites or erases texts, and notes in itself that traces of them are left: a crash after it forgets neither."""

        def noted(connection: sa.Connection) -> None:
            work(connection)
            _note_unswept(connection)

        await self.transact(noted)
        self._erased += 1

    async def transact(self, work: Callable[[sa.Connection], Made]) -> Made:
        """One transaction. It runs to its end even if who asked for it is gone."""

        async def whole() -> Made:
            await self._opened()
            with plainly():
                async with self._turn():
                    return await self._database.write(work)

        return await asyncio.shield(asyncio.ensure_future(whole()))

    async def consult(self, work: Callable[[sa.Connection], Made]) -> Made:
        """Work that changes nothing."""
        await self._opened()
        with plainly():
            return await self._database.read(work)

    async def _scalar(self, chosen: sa.Select[Any]) -> Any:
        return await self.consult(lambda connection: connection.scalar(chosen))

    async def _opened(self) -> None:
        if not self._ready:
            await self.open()

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        """SQLite has one writer: within this process they queue here, which is quicker than to find it locked."""
        if not self.local:
            yield
            return
        try:
            async with asyncio.timeout(QUEUE):
                await self._writing.acquire()
        except TimeoutError:
            raise JournalBusy from None
        try:
            yield
        finally:
            self._writing.release()


def _step(connection: sa.Connection) -> str | None:
    """Which migration the tables are at."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _note_unswept(connection: sa.Connection) -> None:
    connection.execute(state.delete().where(state.c.name == _UNSWEPT))
    connection.execute(state.insert().values(name=_UNSWEPT, value=b""))


def _place(identifier: str, seq: int) -> str:
    return f"{identifier}/{seq}"


def milliseconds(at: datetime) -> int:
    """A time as it is kept: since 1970, in UTC."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def moment(since: int) -> datetime:
    """The other way round."""
    return _EPOCH + timedelta(milliseconds=since)
