"""`Idempotency-Key`: a request that is sent again is done once, and answered with the same bytes (draft-ietf-httpapi-idempotency-key-header)."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from coach.errors import Malformed
from coach.memory import Caller
from coach.web.gate import bearer
from coach.web.replays import Answer, Named, Replays
from coach.web.requests import whole_path

HEADER = b"idempotency-key"
MOST_BYTES = 2_000_000  # of an answer that is remembered
_NAME = re.compile(rb"[\x21-\x7e]{1,255}")
_KEPT = re.compile(rb'"kept":\{')
_ID = re.compile(r"\b([rg]_[0-9a-z]{26})\b")
_BROKEN = (b"\nevent: failed\n", b'"shutting-down"', b'"shutting_down"')  # an answer that broke off is no answer: who asks again is answered anew

Exists = Callable[[str], Awaitable[bool]]


class Idempotency(ASGIMiddleware):
    """Stands behind the gate: what it remembers is the caller's."""

    def __init__(self, replays: Replays, exists: Exists, most_bytes: int) -> None:
        """`exists` says whether a reflection or session is still kept: an answer about one that was erased is not given again."""
        self._replays = replays
        self._exists = exists
        self._most_bytes = most_bytes

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Errors: Malformed, RequestInFlight, RequestMismatch."""
        if scope["type"] != ScopeType.HTTP or "caller" not in scope.get("state", {}):
            await next_app(scope, receive, send)
        elif scope["method"] == "DELETE" and scope["path"] == "/v1/me":
            await next_app(scope, receive, send)
            await self._replays.forget_all(_named(scope, b"", b""))
        elif scope["method"] == "POST" and (name := dict(scope["headers"]).get(HEADER)) is not None:
            await self._once(scope, receive, send, next_app, name)
        else:
            await next_app(scope, receive, send)

    async def _once(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp, name: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise Malformed("Idempotency-Key is 1 to 255 visible characters of ASCII; a UUID will do.")
        body, read = await _read(receive, self._most_bytes)
        if body is None:
            await next_app(scope, read, send)  # too long: it is refused there
            return
        named = _named(scope, name, body)
        answer = await self._replays.claim(named)
        if answer and (answer.kept is None or await self._exists(answer.kept)):
            await _say(answer, send)
            return
        if answer:
            await self._replays.forget(named)
        await self._answer(scope, read, send, next_app, named)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp, named: Named) -> None:
        """Answer, listening. Only a whole and good answer is remembered."""
        heard = _Heard()

        async def listening(message: Message) -> None:
            heard.hear(message)
            if heard.whole:
                await self._end(named, heard, whole_path(scope))
            await send(message)

        try:
            await next_app(scope, receive, listening)
        finally:
            if not heard.whole:
                await self._replays.forget(named)

    async def _end(self, named: Named, heard: "_Heard", path: str) -> None:
        answer = heard.answer(path)
        if answer:
            await self._replays.remember(named, answer)
        else:
            await self._replays.forget(named)


class _Heard:
    """An answer as it goes by."""

    def __init__(self) -> None:
        self.whole = False
        self._status, self._headers, self._body, self._bytes = 0, list[tuple[bytes, bytes]](), list[bytes](), 0

    def hear(self, message: Message) -> None:
        """One more message."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], [(bytes(name), bytes(value)) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            self._bytes += len(message["body"])
            if self._bytes <= MOST_BYTES:
                self._body.append(message["body"])
            self.whole = not message.get("more_body", False)

    def answer(self, path: str) -> Answer | None:
        """What is to be remembered, if anything is."""
        body = b"".join(self._body)
        if not 200 <= self._status < 300 or self._bytes > MOST_BYTES or any(sign in body for sign in _BROKEN):
            return None
        named = _ID.search(path) or (_ID.search(body[:4096].decode("utf-8", "replace")) if _KEPT.search(body) or "/v1/sessions" in path else None)
        return Answer(self._status, self._headers, body, named[1] if named else None)


async def _say(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"idempotency-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _named(scope: Scope, name: bytes, body: bytes) -> Named:
    """What the caller called the request. Whoever has no key is known by a secret, or by a member's address, which holds one."""
    caller: Caller = scope["state"]["caller"]
    headers = dict(scope["headers"])
    secret = bearer(headers)
    who = caller.owner or (f"key {caller.key.name}" if caller.key else secret or whole_path(scope))
    asked = b"\0".join((whole_path(scope).encode(), scope["query_string"], headers.get(b"accept", b""), headers.get(b"content-type", b""), body))
    return Named.of(who, secret, name.decode("ascii", "replace"), asked)


async def _read(receive: Receive, most: int) -> tuple[bytes | None, Receive]:
    """The body, or None where it is too long or did not come to its end; and a way to read it again, and what follows it."""
    messages: list[Any] = []
    size, more = 0, True
    while more and size <= most:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            break
        size, more = size + len(message["body"]), message.get("more_body", False)
    whole = b"".join(message["body"] for message in messages if message["type"] == "http.request") if not more and size <= most else None
    waiting = iter(messages)

    async def again() -> Any:
        return next(waiting, None) or await receive()

    return whole, again
