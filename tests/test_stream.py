import asyncio
import socket
import time

import pytest

from coach.errors import StoreUnavailable
from coach.model import Closed, Opened, Provenance
from coach.reflect import Answering
from coach.web.events import sse
from tests.conftest import serving
from tests.fakes import FakeWriter

OPENED = Opened("r_1", "en", "A program.", Provenance("bank", None, None, "k", "g"))


async def texts(events, ping=15.0):
    return [chunk.decode() async for chunk in sse(events, ping)]


async def test_silence_is_filled_with_comments():
    """A comment whenever the interval passes with nothing to say."""

    async def slow():
        yield OPENED
        await asyncio.sleep(0.25)
        yield Closed((), {})

    got = await texts(slow(), ping=0.1)
    assert got.count(": still here\n\n") == 2
    assert got[0].startswith("id: 1\nevent: opened\n")
    assert got[-1].startswith("id: 2\nevent: closed\n")


async def test_whatever_breaks_inside_becomes_an_event():
    """The reader is told, and not with the words of the error."""

    async def breaking():
        yield OPENED
        raise StoreUnavailable("a secret")

    got = await texts(breaking())
    assert got[-1].startswith("id: 2\nevent: failed\n")
    assert "secret" not in got[-1]


async def test_closing_the_stream_stops_the_work():
    """Nobody goes on writing for a reader who left."""
    stopped = asyncio.Event()

    async def endless():
        try:
            while True:
                yield OPENED
                await asyncio.sleep(0.01)
        finally:
            stopped.set()

    stream = sse(endless())
    await anext(stream)
    await stream.aclose()
    await asyncio.wait_for(stopped.wait(), 1)


class Waiting(FakeWriter):
    """Writes nothing, and says when it is cut off."""

    def __init__(self):
        super().__init__(())
        self.begun, self.ended = asyncio.Event(), None

    async def draft(self, challenge, finding, language, asked=()):
        started = time.monotonic()
        try:
            await asyncio.sleep(30)
        finally:
            self.ended = time.monotonic() - started
        yield


@pytest.mark.timeout(120)  # the index may have to be built first
def test_a_caller_who_hangs_up_ends_the_work_over_a_real_socket(coach):
    """Within a second of the socket's closing."""
    from dataclasses import replace

    writer = Waiting()
    with serving(replace(coach, needs=replace(coach.needs, bank=Answering(writer, "A program.")))) as url:
        host, port = url.removeprefix("http://").split(":")
        body = b'{"challenge": "I told him on Monday that he was wrong"}'
        lines = ["POST /v1/reflections HTTP/1.1", f"host: {host}", "accept: text/event-stream", "content-type: application/json"]
        head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + body)
            read = b""
            while b"event: opened" not in read:
                read += connection.recv(4096)
        deadline = time.monotonic() + 5
        while writer.ended is None and time.monotonic() < deadline:
            time.sleep(0.02)
    assert writer.ended is not None
    assert writer.ended < 3
