"""An answer on its way out: whole, or event by event."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from coach.errors import ShuttingDown
from coach.model import Closed, Event, Outcome
from coach.web.door import Door, Gone, unless_gone
from coach.web.events import sse
from coach.web.requests import EVENT_STREAM, wants_stream
from coach.web.schema import Folder
from coach.wire.reflections import ReflectionAnswer

CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody reads it

Answered = Response[ReflectionAnswer] | Response[None] | Stream


async def answered(request: Request[Any, Any, Any], door: Door, events: AsyncGenerator[Event, None], *, begun: bool = False) -> Answered:
    """The events as the caller wants them. With `begun` the first is waited for, so that what goes wrong before it is a problem document.

    Errors: those of `events` while nothing was sent; Busy, ShuttingDown.
    """
    door.check()
    through = door.through(events)
    try:
        if not wants_stream(request.headers):
            return Response(await unless_gone(request, folded(through)), headers={"cache-control": "no-store"})
        through = _from(await unless_gone(request, anext(through)), through) if begun else through
    except Gone:
        return Response(None, status_code=CLIENT_CLOSED_REQUEST)
    return Stream(sse(through), media_type=EVENT_STREAM, headers={"cache-control": "no-store", "x-accel-buffering": "no"})


async def _from(first: Event, rest: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    async with aclosing(rest):
        yield first
        async for event in rest:
            yield event


async def folded(events: AsyncGenerator[Event, None]) -> ReflectionAnswer:
    """The whole answer. Errors: those of `events`."""
    folder = Folder()
    async with aclosing(events):
        async for event in events:
            folder.add(event)
            if isinstance(event, Closed) and event.outcome is Outcome.SHUTTING_DOWN and not folder.worth_sending:
                raise ShuttingDown
    return folder.answer()
