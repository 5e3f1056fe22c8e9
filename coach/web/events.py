"""Typed events as Server-Sent Events (WHATWG HTML, section 9.2): numbered, with a comment when nothing else is said for a while."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from coach.errors import ModelUnavailable
from coach.model import Event, Failed
from coach.web.schema import Folder, encode

PING_SECONDS = 15.0

log = logging.getLogger("coach.web")


def softly(events: AsyncGenerator[Event, None], ping: float = PING_SECONDS) -> AsyncGenerator[Event | None, None]:
    """The events, with `failed` for whatever breaks inside, and None whenever `ping` seconds pass with nothing said."""
    return _with_pings(_failing_softly(events), ping)


async def sse(events: AsyncGenerator[Event, None], ping: float = PING_SECONDS) -> AsyncGenerator[bytes, None]:
    """Each event as one message. An error inside becomes the event `failed`, since a cut socket tells nobody anything."""
    folder = Folder()
    number = 0
    async with aclosing(softly(events, ping)) as timed:
        async for event in timed:
            if event is None:
                yield b": still here\n\n"
                continue
            number += 1
            name, data = folder.add(event)
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), encode(data))


async def _failing_softly(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except ModelUnavailable as error:
        yield Failed(error.code, str(error))
    except Exception as error:  # noqa: BLE001 (the outer edge of this door: whatever broke, the reader is told)
        log.error("stream broke off: %s", type(error).__name__)  # noqa: TRY400 (a traceback could carry a person's words)
        yield Failed("internal", "The answer broke off through a fault of ours. What came before it stands.")


async def _with_pings(events: AsyncGenerator[Event, None], ping: float) -> AsyncGenerator[Event | None, None]:
    """The events, and None whenever `ping` seconds pass without one."""
    upcoming: asyncio.Task[Event] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({upcoming}, timeout=ping)
            if not done:
                yield None
                continue
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield event
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.wait({upcoming})
        await events.aclose()
