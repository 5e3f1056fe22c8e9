"""Webhooks and what is to be delivered to them, in the journal's database: written where it happened, taken by one at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from coach import ids
from coach.store.journal import SqlJournal, milliseconds, moment
from coach.store.tables import outbox, sessions, webhooks
from coach.webhooks import LEASE, PATIENCE, TRIES, Happened, Taken, Topic, Webhook, told

Sealed = tuple[str, str]  # the address and the secret: whoever knows them could speak in our name, or guess what the address gives away


class SqlOutbox:
    """Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong.

    Who writes to both tables writes to `webhooks` first: two that fail at once would else wait for each other.
    """

    def __init__(self, journal: SqlJournal) -> None:
        """The same database, the same key, the same erasure."""
        self._journal = journal

    async def add(self, webhook: Webhook) -> None:
        """Tell one more."""
        row = {
            "id": webhook.id,
            "owner": webhook.owner,
            "created": milliseconds(webhook.created),
            "topics": " ".join(webhook.topics),
            "body": self._journal.sealer.seal(msgspec.json.encode((webhook.url, webhook.secret)), webhook.id),
            "trouble": "",
        }
        await self._journal.transact(lambda connection: connection.execute(webhooks.insert().values(row)))

    async def all(self) -> list[Webhook]:
        """Every webhook, the oldest first."""
        chosen = sa.select(webhooks).order_by(webhooks.c.id)
        return [self._webhook(row) for row in await self._journal.consult(lambda connection: connection.execute(chosen).all())]

    async def find(self, identifier: str) -> Webhook | None:
        """One of them."""
        return next((one for one in await self.all() if one.id == identifier), None)

    async def drop(self, identifier: str) -> bool:
        """Tell that one no more, and erase its address, its secret and what was still to be told. Whether there was one."""
        gone: list[int] = []
        which = webhooks.delete().where(webhooks.c.id == identifier)
        await self._journal.overwrite(lambda connection: gone.append(connection.execute(which).rowcount))
        await self._journal.sweep()
        return gone == [1]

    async def take(self, limit: int) -> list[Taken]:
        """At most so many that are due: ours alone until their lease is over, then again anybody's, as after a crash.

        To take one is to put off when it is due, so that the lease needs no column of its own, and `due` tells whose it is.
        Tries count when they begin, and what was tried often enough goes here too: what brings a process down does not come for ever.
        """
        if not await self._journal.exists():
            return []
        now = self._journal.now()
        alive = (outbox.c.due <= milliseconds(now), sessions.c.expires > milliseconds(now))
        due = sa.select(outbox.c.id).join(sessions, sessions.c.id == outbox.c.session).where(*alive).order_by(outbox.c.due).limit(limit)
        if not await self._journal.consult(lambda connection: connection.scalar(due)):
            return []  # nobody is kept from writing where there is nothing to do

        def write(connection: sa.Connection) -> Sequence[Any]:
            connection.execute(outbox.delete().where(outbox.c.due <= milliseconds(now), outbox.c.tries >= TRIES))
            names = connection.scalars(due.with_for_update(skip_locked=True, of=outbox)).all()
            mine = outbox.c.id.in_(names)
            connection.execute(outbox.update().where(mine).values(due=milliseconds(now + LEASE), tries=outbox.c.tries + 1))
            ours = sa.select(outbox.c.id.label("message"), outbox.c.tries, outbox.c.due, outbox.c.told, webhooks)
            return connection.execute(ours.join(webhooks, webhooks.c.id == outbox.c.webhook).where(mine).order_by(outbox.c.id)).all()

        rows = await self._journal.transact(write)
        return [Taken(row.message, self._webhook(row), row.tries, moment(row.due), row.told) for row in rows]

    async def delivered(self, taken: Taken) -> None:
        """It was taken by its receiver: it goes, and failures before it are forgotten."""

        def write(connection: sa.Connection) -> None:
            connection.execute(_well(taken.webhook.id).where(webhooks.c.failing.is_not(None)))
            connection.execute(outbox.delete().where(outbox.c.id == taken.id))

        await self._journal.transact(write)

    async def failed(self, taken: Taken, trouble: str, due: datetime | None, *, gone: bool) -> bool:
        """It was not: it is due again at `due`, or given up. Whether the webhook is off now: after a day of failures, or where it is `gone`.

        What another has taken meanwhile, since our lease was over, is left to it.
        """
        now = milliseconds(self._journal.now())
        mine = (outbox.c.id == taken.id, outbox.c.due == milliseconds(taken.lease))
        itself = webhooks.c.id == taken.webhook.id

        def write(connection: sa.Connection) -> bool:
            connection.execute(webhooks.update().where(itself).values(failing=sa.func.coalesce(webhooks.c.failing, now), trouble=trouble))
            connection.execute(outbox.update().where(*mine).values(due=milliseconds(due)) if due else outbox.delete().where(*mine))
            tired = sa.true() if gone else webhooks.c.failing <= milliseconds(self._journal.now() - PATIENCE)
            off = connection.execute(webhooks.update().where(itself, webhooks.c.disabled.is_(None), tired).values(disabled=now)).rowcount
            if off:
                connection.execute(outbox.delete().where(outbox.c.webhook == taken.webhook.id))
            return bool(off)

        return await self._journal.transact(write)

    async def well(self, identifier: str) -> None:
        """A webhook can be reached: failures are forgotten, and one that was off is on."""
        await self._journal.transact(lambda connection: connection.execute(_well(identifier)))

    def _webhook(self, row: Any) -> Webhook:
        url, secret = msgspec.json.decode(self._journal.sealer.open(row.body, row.id), type=Sealed)
        topics = tuple(map(Topic, row.topics.split()))
        return Webhook(row.id, row.owner, moment(row.created), url, secret, topics, _perhaps(row.failing), _perhaps(row.disabled), row.trouble)


def announce(connection: sa.Connection, happened: Happened, now: datetime) -> None:
    """Put what happened into the outbox of each webhook of the session's owner that wants it, in the transaction in which it happens."""
    theirs = sa.select(webhooks.c.id, webhooks.c.topics).join(sessions, sessions.c.owner == webhooks.c.owner)
    rows = connection.execute(theirs.where(sessions.c.id == happened.session, webhooks.c.disabled.is_(None))).all()
    due, content = milliseconds(now), told(happened, now)
    wanting = [row.id for row in rows if happened.topic in row.topics.split()]
    new = [{"id": ids.new("msg"), "webhook": one, "session": happened.session, "due": due, "tries": 0, "told": content} for one in wanting]
    if new:
        connection.execute(outbox.insert(), new)


def _well(identifier: str) -> sa.Update:
    return webhooks.update().where(webhooks.c.id == identifier).values(failing=None, disabled=None, trouble="")


def _perhaps(since: int | None) -> datetime | None:
    return None if since is None else moment(since)
