"""The keys that were given out, as hashes. Read anew once a second, so that requests wait for no database and a revoked key soon opens nothing."""

import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from coach.errors import JournalConflict, JournalFault
from coach.keys import Key, hashed
from coach.store.journal import SqlJournal, milliseconds
from coach.store.tables import keyring, reflections, sessions

FRESH = 1.0  # seconds that what was read counts
UNKNOWN = 0.05  # seconds after which it is read again for a secret that is not in it: somebody may have got it just now

log = logging.getLogger("coach.store")


class SqlKeyring:
    """The keys, in the journal's database. Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong."""

    def __init__(self, journal: SqlJournal) -> None:
        """Nothing is read yet."""
        self._journal = journal
        self._found: Mapping[bytes, Key] | None = None
        self._read = -FRESH

    @property
    def origins(self) -> frozenset[str]:
        """The origins of every key, as last read."""
        return frozenset(origin for key in (self._found or {}).values() for origin in key.origins)

    async def find(self, secret: str) -> Key | None:
        """The key of a secret; None alike for one that is unknown, expired or revoked."""
        wanted = hashed(secret)
        found = await self._known(FRESH)
        if wanted not in found:
            found = await self._known(UNKNOWN)
        key = next((key for known, key in found.items() if hmac.compare_digest(known, wanted)), None)
        return key if key and key.alive(self._journal.now()) else None

    async def empty(self) -> bool:
        """Whether nobody holds a key."""
        return not await self._known(FRESH)

    async def _known(self, age: float) -> Mapping[bytes, Key]:
        """All keys, as read at most that many seconds ago. Where they cannot be read, those read before still open."""
        if self._found is not None and time.monotonic() - self._read < age:
            return self._found
        try:
            self._found = await self._all()
        except JournalFault as error:
            if self._found is None:
                raise
            log.warning("the keys cannot be read; those known before still count: %s", error)
        self._read = time.monotonic()
        return self._found

    async def _all(self) -> dict[bytes, Key]:
        if not await self._journal.exists():
            return {}
        rows = await self._journal.consult(lambda connection: connection.execute(sa.select(keyring).order_by(keyring.c.name)).all())
        return {row.digest: msgspec.json.decode(row.rules, type=Key) for row in rows}

    async def all(self) -> list[Key]:
        """Every key by name, those that have expired too; one that is being rotated is there twice."""
        return list((await self._all()).values())

    async def add(self, key: Key, secret: str) -> None:
        """Let somebody in. Raises JournalConflict if the name is taken."""

        def write(connection: sa.Connection) -> None:
            _forget_expired(connection, self._journal.now())
            if connection.scalar(sa.select(keyring.c.name).where(keyring.c.name == key.name).limit(1)):
                raise JournalConflict
            connection.execute(keyring.insert().values(_row(key, secret)))

        await self._journal.transact(write)
        self._found = None

    async def rotate(self, name: str, secret: str, until: datetime) -> Key | None:
        """Another secret for the same key; the older ones open until then. None where there is no such key."""

        def write(connection: sa.Connection) -> Key | None:
            _forget_expired(connection, self._journal.now())
            rows = connection.execute(sa.select(keyring).where(keyring.c.name == name).order_by(keyring.c.created.desc())).all()
            if not rows:
                return None
            held = [msgspec.json.decode(row.rules, type=Key) for row in rows]
            for row, key in zip(rows, held, strict=True):
                connection.execute(keyring.update().where(keyring.c.digest == row.digest).values(_rules(key.ending(until))))
            key = replace(held[0], created=self._journal.now())
            connection.execute(keyring.insert().values(_row(key, secret)))
            return key

        rotated = await self._journal.transact(write)
        self._found = None
        return rotated

    async def drop(self, name: str) -> bool:
        """Let somebody in no more; what they keep stays. Whether there was such a key."""
        gone = await self._journal.transact(lambda connection: connection.execute(keyring.delete().where(keyring.c.name == name)).rowcount)
        self._found = None
        return bool(gone)

    async def kept(self, name: str) -> tuple[int, int]:
        """How many reflections and how many sessions are kept under that name, and have not expired."""
        if not await self._journal.exists():
            return 0, 0
        now = milliseconds(self._journal.now())

        def count(connection: sa.Connection) -> tuple[int, int]:
            reflected, met = (
                connection.scalar(sa.select(sa.func.count()).where(table.c.owner == name, table.c.expires > now)) for table in (reflections, sessions)
            )
            return reflected or 0, met or 0

        return await self._journal.consult(count)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._journal.close()


def _forget_expired(connection: sa.Connection, now: datetime) -> None:
    connection.execute(keyring.delete().where(keyring.c.expires <= milliseconds(now)))


def _rules(key: Key) -> dict[str, Any]:
    return {"expires": milliseconds(key.until) if key.until else None, "rules": msgspec.json.encode(key)}


def _row(key: Key, secret: str) -> dict[str, Any]:
    return {"digest": hashed(secret), "name": key.name, "created": milliseconds(key.created), **_rules(key)}
