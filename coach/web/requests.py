"""What a request is called, and what of it may be worked with."""

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.datastructures import Headers
from litestar.exceptions import HTTPException
from litestar.types import Scope

from coach.errors import Malformed
from coach.shapes import plain, pointer

EVENT_STREAM = "text/event-stream"
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of this request, made once: the caller's X-Request-ID if it is a plain one, else ours."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        sent = dict(scope.get("headers", [])).get(b"x-request-id", b"")
        state["request_id"] = sent.decode() if _PLAIN.fullmatch(sent) else f"req_{secrets.token_urlsafe(9)}"
    return str(state["request_id"])


def whole_path(scope: Scope) -> str:
    """The path that was asked for, as it was sent. Within a mount, `path` is only what is left of it."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def strictly(kind: type[msgspec.Struct]) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """A hook before a handler: the body is announced as JSON, is JSON, and fits `kind` to the letter (Litestar alone would take "3" for 3).

    Errors: HTTPException 415, Malformed with a pointer to the field.
    """
    decoder = msgspec.json.Decoder(kind, strict=True)

    async def intake(request: Request[Any, Any, Any]) -> None:
        if request.content_type[0] != "application/json":
            raise HTTPException(status_code=415)
        try:
            decoder.decode(await request.body())
        except msgspec.ValidationError as error:
            raise malformed(error, kind) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Malformed("The body is not JSON in UTF-8, or is nested too deeply.") from None

    return intake


def malformed(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> Malformed:
    """What does not fit `kind`, where, and what would do, without what was sent."""
    return Malformed(plain(str(error), kind), pointer(str(error)))


def refuse_unsendable(texts: Iterable[tuple[str, str]]) -> None:
    """NUL and lone surrogates are no text. `texts` come with their pointers. Raises Malformed with the pointer to the first that has some."""
    for place, text in texts:
        if _UNSENDABLE.search(text):
            raise Malformed("It holds a NUL character or half a surrogate pair, which are not text.", place)


def refuse_nul(scope: Scope) -> None:
    """Nothing is called by a name with NUL in it, and PostgreSQL takes none. Raises HTTPException 404, or Malformed for what follows the `?`."""
    if "\x00" in scope["path"]:
        raise HTTPException(status_code=404)
    if b"%00" in scope.get("query_string", b""):
        named = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        refuse_unsendable((f"/{name}" if name.isidentifier() else "", value) for name, value in named)


def wants_stream(headers: Headers) -> bool:
    """Whether the caller asked for events."""
    return EVENT_STREAM in headers.get("accept", "")
