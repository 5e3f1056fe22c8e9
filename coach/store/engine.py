"""Connections to SQLite and PostgreSQL, and what their errors mean here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from coach.errors import JournalBusy, JournalConflict, JournalUnavailable, SettingsError

WAIT = 2.0  # seconds for a lock that another holds
FILE = "kept.db"
READS = {"reads": True}  # the execution option of a connection that only reads
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_BUSY_STATES = {"55P03", "40001", "40P01", "57014"}  # lock_not_available, serialization_failure, deadlock_detected, query_canceled
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was acknowledged outlives a power cut
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {int(WAIT * 1000)}",
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
    return named.set(drivername=_DRIVERS[named.drivername])


def connect(url: URL) -> AsyncEngine:
    """An engine; nothing is opened yet. Parameters never come into its errors."""
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": WAIT}, pool_size=4, max_overflow=4, pool_timeout=WAIT)
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        return engine
    wait = str(int(WAIT * 1000))
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=8,
        pool_timeout=WAIT,
        connect_args={"timeout": 3, "command_timeout": 60, "server_settings": {"lock_timeout": wait, "application_name": "coach"}},
    )


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
