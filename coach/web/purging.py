"""What has expired is erased while the service runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from litestar import Litestar

from coach.errors import JournalFault
from coach.memory import Memory, purge

EVERY = 3600.0  # seconds; what has expired cannot be read before, either

log = logging.getLogger("coach.web")


Told = Callable[[int | None], None]


def purging(memory: Memory, told: Told, every: float = EVERY) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Purges at the start and every hour for as long as the application runs, and lets go of the database at its end.

    `told` hears how much each purge erased, None if it could not.
    """

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(_purge_again_and_again(memory, told, every))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await memory.journal.close()

    return lifespan


async def _purge_again_and_again(memory: Memory, told: Told, every: float) -> None:
    while True:
        try:
            if await memory.journal.exists():
                count, _ = await purge(memory)
                log.info("purged=%d", count)
                told(count)
        except JournalFault as error:
            log.warning("nothing was purged: %s", error)
            told(None)
        await asyncio.sleep(every)
