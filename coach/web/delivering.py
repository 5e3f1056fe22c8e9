"""What webhooks are to be told is delivered while the service runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime

from litestar import Litestar

from coach.deliver import deliver
from coach.errors import JournalFault
from coach.ports import Courier, Outbox
from coach.webhooks import Taken

EVERY = 1.0  # seconds between two looks into the outbox
LONGER = 30.0  # seconds after the database did not answer
AT_ONCE = 16

log = logging.getLogger("coach.web")

Now = Callable[[], datetime]


def delivering(outbox: Outbox, courier: Courier, now: Now, every: float = EVERY) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Delivers for as long as the application runs. What is under way at its end is cut off, and comes again when its lease is over."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(_again_and_again(outbox, courier, now, every))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return lifespan


async def _again_and_again(outbox: Outbox, courier: Courier, now: Now, every: float) -> None:
    """A receiver that hangs holds one place of several, and none for longer than a delivery may last."""
    async with asyncio.TaskGroup() as under_way:
        running: set[asyncio.Task[None]] = set()
        while True:
            pause = every
            try:
                for taken in await outbox.take(AT_ONCE - len(running)) if len(running) < AT_ONCE else ():
                    running.add(task := under_way.create_task(_one(taken, outbox, courier, now)))
                    task.add_done_callback(running.discard)
            except JournalFault as error:
                log.warning("nothing can be delivered for now: %s", error)
                pause = LONGER
            await asyncio.sleep(pause)


async def _one(taken: Taken, outbox: Outbox, courier: Courier, now: Now) -> None:
    """The outer edge of a delivery: whatever happens to one, the others go on, and it comes again when its lease is over."""
    try:
        await deliver(taken, outbox, courier, now)
    except JournalFault as error:
        log.warning("nothing can be delivered for now: %s", error)
    except Exception as error:  # noqa: BLE001 (see above)
        log.error("unexpected %s", type(error).__name__)  # noqa: TRY400 (a traceback could hold an address)
