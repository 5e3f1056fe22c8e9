"""A provider on a real socket that does what a test tells it to, byte by byte."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

Behaviour = Callable[["Call"], Awaitable[None]]

LABELS = {"skill": "curiosity", "about": "situation", "perspective": "own", "form": "humble", "quote": "", "guidance_id": "1"}
SETS = ({}, {"about": "self", "form": "process"}, {"about": "outcome", "perspective": "other", "form": "systemic"})


def drafted(*texts: str, heard: str = 'You write "I never asked him what it was like".', **labels: str) -> str:
    """An answer as the prompt asks for it: these questions, which keep the rules of a set, unless labels say otherwise."""
    drafts = [{"text": text, **LABELS, **SETS[place % 3], **labels} for place, text in enumerate(texts)]
    return json.dumps({"acknowledgement": heard, "drafts": drafts})


class Call:
    """One request, and the socket to answer it on."""

    def __init__(self, body: dict, writer: asyncio.StreamWriter) -> None:
        self.body, self._writer = body, writer

    async def send(self, *parts: bytes | str) -> None:
        """Bytes, as they are."""
        for part in parts:
            self._writer.write(part.encode() if isinstance(part, str) else part)
            await self._writer.drain()

    async def head(self, status: str = "200 OK", kind: str = "text/event-stream", **headers: str) -> None:
        """A status line and headers; the body ends with the connection."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        await self.send(f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n{more}\r\n")

    async def delta(self, content: str) -> None:
        """A piece of a stream."""
        await self.send(f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': content}}]})}\n\n")

    async def finish(self, reason: str | None = "stop", *, done: bool = True) -> None:
        """The end of a stream, with what it cost."""
        usage = {"prompt_tokens": 1900, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 1024}}
        await self.send(
            f"data: {json.dumps({'choices': [{'index': 0, 'delta': {}, 'finish_reason': reason}]})}\n\n",
            f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n",
            "data: [DONE]\n\n" if done else "",
        )

    async def error(self, status: str, code: str = "", **headers: str) -> None:
        """An error in OpenAI's form."""
        await self.head(status, "application/json", **headers)
        await self.send(json.dumps({"error": {"message": "no", "type": code, "code": code}}))


def answering(content: str, *, pieces: int = 40, delay: float = 0.0) -> Behaviour:
    """Stream this text in pieces of some characters, `delay` seconds apart."""

    async def behave(call: Call) -> None:
        await call.head()
        for low in range(0, len(content), pieces):
            await call.delta(content[low : low + pieces])
            if delay:
                await asyncio.sleep(delay)
        await call.finish()

    return behave


class FakeProvider:
    """Serves on a free port in a thread of its own. Behaviours are used in turn, the last for all further calls."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours: Sequence[Behaviour] = behaviours
        self.calls: list[dict] = []
        self.left: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """What goes into OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_details: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readexactly(4)
            if not head.startswith(b"POST"):
                return  # somebody who speaks TLS
            head += await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            self.calls.append(json.loads(await reader.readexactly(length)))
            behave = self.behaviours[min(len(self.calls), len(self.behaviours)) - 1]
            working = asyncio.ensure_future(behave(Call(self.calls[-1], writer)))
            leaving = asyncio.ensure_future(reader.read())
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self.left.append(time.monotonic())
                working.cancel()
            leaving.cancel()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.append(time.monotonic())
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()
