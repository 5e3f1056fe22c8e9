"""Who is let in, and what happens when somebody leaves before the answer."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from litestar import Request

from coach.bootstrap import Coach
from coach.errors import Busy, ShuttingDown
from coach.llm import meter
from coach.model import Closed, Engine, Event, Notice, Noticed, Opened, Outcome, Privacy
from coach.web.limits import Limits
from coach.web.metrics import Metrics

SECONDS_TO_READ = 0.05  # about what reading one write-up takes, for Retry-After
FEW = 6  # that wait are always well: they are through in half a second
LONGEST_WAIT = 0.1  # seconds: a crowd that comes at once is let in, a queue that does not shorten is not let grow (after CoDel, RFC 8289)

SHUTTING_DOWN = Notice("shutting-down", "This service is being stopped, so the answer ends here. What came before it stands.")

log = logging.getLogger("coach.web")

Answer = TypeVar("Answer")


class Gone(Exception):
    """The caller hung up; nobody is there to be answered."""


class Door:
    """Counts the answers under way. Beyond what can be answered in good time it is closed, so that those inside are still served.

    When the service is stopped it lets nobody in, and after a while ends what is not done.
    """

    def __init__(self, coach: Coach, limits: Limits | None = None, metrics: Metrics | None = None) -> None:
        """The bounds are the settings' of the coach behind it; what answers cost is counted by `limits`, how they went by `metrics`."""
        self._coach = coach
        self._limits = limits or Limits(coach.settings)
        self._metrics = metrics or Metrics()
        self._patience: set[asyncio.Timeout] = set()
        self._cut = False
        self.draining = False
        self.open = 0

    def check(self) -> None:
        """Before an answer begins. Raises Busy, ShuttingDown."""
        if self.draining:
            raise ShuttingDown
        settings, library = self._coach.settings, self._coach.library
        standing = library.waiting >= FEW and library.waited > LONGEST_WAIT
        if standing or library.waiting >= settings.most_waiting or self.open >= settings.most_open:
            raise Busy(max(1, math.ceil(library.waiting * SECONDS_TO_READ)))

    def drain(self) -> None:
        """Let nobody in any more; what is not done after the seconds of the settings is cut. Called in the loop that answers."""
        if not self.draining:
            self.draining = True
            log.info("draining")
            asyncio.get_running_loop().call_later(self._coach.settings.shutdown, self.cut)

    def cut(self) -> None:
        """End every answer under way with a word about why."""
        self._cut = True
        log.info("cut %d answers", self.open)
        for patience in self._patience:
            patience.reschedule(0)

    async def through(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events, counted as one answer for as long as they last, with what it costs; cut short where the service is stopped before."""
        self.open += 1
        opened: Opened | None = None
        cost = meter.running()
        try:
            with self._metrics.watch() as watch:
                async with aclosing(events):
                    while event := await self._next(events):
                        opened = event if isinstance(event, Opened) else opened
                        if isinstance(event, Closed):
                            await self._limits.spend(cost.take())
                        self._metrics.waiting.set(self._coach.library.waiting)
                        watch.see(event)
                        yield event
                if self._cut and not watch.outcome:
                    for event in (Noticed(SHUTTING_DOWN), self._closed(opened)):
                        watch.see(event)
                        yield event
        finally:
            self.open -= 1
            await self._limits.spend(cost.take())  # of an answer that was left half way
            self._metrics.waiting.set(self._coach.library.waiting)

    async def _next(self, events: AsyncGenerator[Event, None]) -> Event | None:
        """The next event; None at their end, or if they are cut."""
        try:
            async with asyncio.timeout(0 if self._cut else None) as patience:
                self._patience.add(patience)
                return await anext(events, None)
        except TimeoutError:
            if not patience.expired():
                raise
            return None
        finally:
            self._patience.discard(patience)

    def _closed(self, opened: Opened | None) -> Closed:
        """The end of an answer that was cut. What left is then not known to the last word: it is said rather too widely than too narrowly."""
        places = [*self._coach.library.hosts]
        if opened and opened.provenance.engine == Engine.LLM and self._coach.llm:
            places.append(self._coach.llm.provider.host)
        privacy = Privacy(bool(places), ", ".join(places) or None, stored=bool(opened and opened.keeping))
        return Closed((), {}, privacy, Outcome.SHUTTING_DOWN)


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
