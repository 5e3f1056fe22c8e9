"""Connections to SQLite and PostgreSQL, and what their errors mean here."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
from sqlalchemy import Connection, CursorResult, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from coach.errors import JournalBusy, JournalConflict, JournalUnavailable, SettingsError

WAIT = 2.0  # seconds for a lock that another holds
QUEUE = 10.0  # seconds for this process's own writers, one of which may be sweeping a large file
THREADS = 4
FILE = "kept.db"
READS = {"reads": True}  # the execution option of a connection to SQLite that begins no transaction

Made = TypeVar("Made")
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_BUSY_STATES = {"55P03", "40001", "40P01", "57014"}  # lock_not_available, serialization_failure, deadlock_detected, query_canceled
_PRAGMAS = (
    f"PRAGMA busy_timeout = {int(WAIT * 1000)}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was acknowledged outlives a power cut
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
)


def address(url: str, folder: Path) -> URL:
    """Where things are kept: a file in the data folder, or the database that the settings name. Raises SettingsError."""
    if not url:
        return URL.create(_DRIVERS["sqlite"], database=str(folder / FILE))
    try:
        named = make_url(url)
    except ArgumentError:
        named = URL.create("")
    if named.drivername not in _DRIVERS or not named.database:
        raise SettingsError("COACH_STORE", "can be empty, off, sqlite:////folder/file or postgresql://user:password@host/database")
    if unknown := sorted(set(named.query) - ({"sslmode"} if named.drivername.startswith("postgres") else set())):
        raise SettingsError(
            "COACH_STORE", f"has an option that is not known here: {', '.join(unknown)}. Of PostgreSQL's, sslmode is known; leave out others"
        )
    if mode := named.query.get("sslmode"):  # as libpq and whoever hosts a database spell what asyncpg calls `ssl`
        named = named.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return named.set(drivername=_DRIVERS[named.drivername])


class Database(Protocol):
    """Runs work on a connection without holding up the event loop."""

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        """Work that changes nothing."""

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        """Work as one transaction: all of it, or none where it raises."""

    async def aside(self, statement: str) -> Sequence[Any]:
        """A statement outside of any transaction, such as VACUUM; its first row, if it has one."""

    async def close(self) -> None:
        """Let go of every connection."""


class File:
    """SQLite. It has no asynchronous interface, so each piece of work goes to a thread whole: one hop, where a driver would make one a call."""

    def __init__(self, url: URL) -> None:
        """Nothing is opened yet."""
        self._engine = create_engine(
            url,
            hide_parameters=True,
            connect_args={"timeout": WAIT},
            pool_size=THREADS,
            pool_timeout=WAIT,
            pool_reset_on_return=None,  # a reader has no transaction, a writer has ended its own
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        self._threads = ThreadPoolExecutor(THREADS, "kept")

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        def whole() -> Made:
            with self._engine.connect() as connection:
                return work(connection.execution_options(**READS))

        return await self._in_thread(whole)

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        def whole() -> Made:
            with self._engine.begin() as connection:
                return work(connection)

        return await self._in_thread(whole)

    async def aside(self, statement: str) -> Sequence[Any]:
        return await self.read(lambda connection: _first(connection.exec_driver_sql(statement)))

    async def close(self) -> None:
        await self._in_thread(self._engine.dispose)

    async def _in_thread(self, work: Callable[[], Made]) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class Server:
    """PostgreSQL."""

    def __init__(self, url: URL) -> None:
        """Nothing is opened yet."""
        options = {"lock_timeout": str(int(WAIT * 1000)), "application_name": "coach"}
        self._engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=0,
            pool_timeout=WAIT,
            connect_args={"timeout": 3, "command_timeout": 60, "server_settings": options},
        )

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        async with self._engine.connect() as connection:
            return await (await connection.execution_options(isolation_level="AUTOCOMMIT")).run_sync(work)

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def aside(self, statement: str) -> Sequence[Any]:
        return await self.read(lambda connection: _first(connection.exec_driver_sql(statement)))

    async def close(self) -> None:
        await self._engine.dispose()


def connect(url: URL) -> Database:
    """What stands at the address; nothing is opened yet. Parameters never come into its errors."""
    return File(url) if url.get_backend_name() == "sqlite" else Server(url)


def _first(found: CursorResult[Any]) -> Sequence[Any]:
    return tuple(found.first() or ()) if found.returns_rows else ()


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin`, not by the driver's guess
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("reads"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # two that began as readers could not both become writers


@contextmanager
def plainly() -> Iterator[None]:
    """Errors of the database as ours, without a word of what was written.

    Errors: JournalBusy, JournalConflict, JournalUnavailable.
    """
    try:
        yield
    except IntegrityError:
        raise JournalConflict from None
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if isinstance(error, PoolTimeout) or _is_busy(error):
            raise JournalBusy from None
        raise JournalUnavailable(_cause(error)) from None


def _is_busy(error: BaseException) -> bool:
    original = error.orig if isinstance(error, DBAPIError) else error
    if getattr(original, "sqlstate", None) in _BUSY_STATES:
        return True
    return getattr(original, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _cause(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return getattr(original, "sqlite_errorname", "") or getattr(original, "sqlstate", "") or type(original).__name__
