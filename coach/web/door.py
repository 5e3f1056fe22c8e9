"""Who is let in, and what happens when somebody leaves before the answer."""

import asyncio
import math
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from litestar import Request

from coach.bootstrap import Coach
from coach.errors import Busy
from coach.model import Closed, Event
from coach.web.limits import Limits

SECONDS_TO_READ = 0.05  # about what reading one write-up takes, for Retry-After
FEW = 6  # that wait are always well: they are through in half a second
LONGEST_WAIT = 0.1  # seconds: a crowd that comes at once is let in, a queue that does not shorten is not let grow (after CoDel, RFC 8289)

Answer = TypeVar("Answer")


class Gone(Exception):
    """The caller hung up; nobody is there to be answered."""


class Door:
    """Counts the answers under way. Beyond what can be answered in good time it is closed, so that those inside are still served."""

    def __init__(self, coach: Coach, limits: Limits) -> None:
        """The bounds are the settings' of the coach behind it."""
        self._coach = coach
        self._limits = limits
        self.open = 0

    def check(self) -> None:
        """Before an answer begins. Raises Busy."""
        settings, library = self._coach.settings, self._coach.library
        standing = library.waiting >= FEW and library.waited > LONGEST_WAIT
        if standing or library.waiting >= settings.most_waiting or self.open >= settings.most_open:
            raise Busy(max(1, math.ceil(library.waiting * SECONDS_TO_READ)))

    async def through(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events, counted as one answer for as long as they last; what they cost is counted too."""
        self.open += 1
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Closed):
                        await self._limits.spend(event.usage)
                    yield event
        finally:
            self.open -= 1


async def unless_gone(request: Request[Any, Any, Any], work: Coroutine[Any, Any, Answer]) -> Answer:
    """The work's result; cancelled as soon as the caller hangs up, which no server does for an ordinary handler (../shared/FACTS.md).

    Errors: those of the work, and Gone.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_leaving(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Gone
        return task.result()
    finally:
        for one in (task, leaving):
            if not one.done():
                one.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await one


async def _leaving(request: Request[Any, Any, Any]) -> None:
    """Until the caller has hung up. The body was read before, so that nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
