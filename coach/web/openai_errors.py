"""Errors in OpenAI's shape, on the addresses that speak it: made from the problem documents, so that there is one catalogue."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from coach.wire.service import Problem

PREFIX = "/openai/v1"

_CODES = {"unknown-model": "model_not_found", "unauthorized": "invalid_api_key", "challenge-too-long": "context_length_exceeded"}
_TOO_MANY_REQUESTS = 429


class OpenAIError(msgspec.Struct, frozen=True):
    """What went wrong. `code` is OpenAI's own where it has one, else that of the catalogue at /problems."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorBody(msgspec.Struct, frozen=True):
    """The body of every error here."""

    error: OpenAIError


def shaped(found: Problem) -> OpenAIErrorBody:
    """The same problem as OpenAI would say it."""
    if found.status == _TOO_MANY_REQUESTS:
        return OpenAIErrorBody(OpenAIError(found.detail, "rate_limit_error", None, "rate_limit_exceeded"))
    kind = "server_error" if found.status >= 500 else "invalid_request_error"
    param = "model" if found.code == "unknown-model" else _param(found.pointer or "")
    return OpenAIErrorBody(OpenAIError(found.detail, kind, param, _CODES.get(found.code, found.code)))


def _param(pointer: str) -> str | None:
    """A JSON pointer as OpenAI names a field: /messages/0/content is messages[0].content."""
    return re.sub(r"/(\d+)(?=/|$)", r"[\1]", pointer).removeprefix("/").replace("/", ".") or None


def with_openai_shape(handlers: ExceptionHandlersMap) -> dict[Any, Any]:
    """The same handlers, whose problem documents have OpenAI's shape under its prefix.

    For the whole application, not for a router: what no route was found for, and what a middleware refuses, never comes to a router's handlers.
    """
    return {kind: _also(handler) for kind, handler in handlers.items()}


def _also(handler: Callable[[Any, Any], Response[Any]]) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        found = handler(request, error)
        path = request.scope["path"]
        if not isinstance(found.content, Problem) or not (path == PREFIX or path.startswith(f"{PREFIX}/")):
            return found
        return Response(shaped(found.content), status_code=found.status_code, headers=found.headers, media_type="application/json")

    return handle
