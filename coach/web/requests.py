"""What a request is called, and what of it may be worked with."""

import re
import secrets
from typing import Any

from litestar import Request
from litestar.datastructures import Headers
from litestar.exceptions import HTTPException
from litestar.types import Message, Scope

EVENT_STREAM = "text/event-stream"
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id of this request, made once: the caller's X-Request-ID if it is a plain one, else ours."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        sent = dict(scope.get("headers", [])).get(b"x-request-id", b"")
        state["request_id"] = sent.decode() if _PLAIN.fullmatch(sent) else f"req_{secrets.token_urlsafe(9)}"
    return str(state["request_id"])


async def name_request(message: Message, scope: Scope) -> None:
    """Put the request's id on every response."""
    if message["type"] == "http.response.start":
        message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id(scope).encode())]


async def only_json(request: Request[Any, Any, Any]) -> None:
    """Refuse a body that is not announced as JSON."""
    if request.content_type[0] != "application/json":
        raise HTTPException(status_code=415)


def wants_stream(headers: Headers) -> bool:
    """Whether the caller asked for events."""
    return EVENT_STREAM in headers.get("accept", "")
