"""Errors as RFC 9457 problem documents. One table says what each code means; nothing a person wrote goes into one."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.types import ExceptionHandlersMap

from coach.errors import ChallengeTooLong, ChallengeTooThin, CoachError, Malformed
from coach.web.requests import request_id

log = logging.getLogger("coach.web")

MEDIA_TYPE = "application/problem+json"
_POINTER = re.compile(r"at `\$([^`]*)`")
_VALUE = re.compile(r"(?<=value) .*", re.DOTALL)
_FIELD = re.compile(r"(?:unknown|required) field `([^`]*)`")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code means."""

    status: int
    title: str
    meaning: str


CATALOGUE: Mapping[str, Kind] = {
    "challenge-too-thin": Kind(422, "There is too little to reflect on", "The challenge has fewer than five words."),
    "challenge-too-long": Kind(413, "The challenge is too long", "More than 12,000 characters, or a body of more than 128 KB."),
    "malformed": Kind(400, "The request is not what the contract says", "`pointer` names the field; an empty one means the body as a whole."),
    "unsupported-media-type": Kind(415, "The body is not JSON", "Send Content-Type: application/json."),
    "method-not-allowed": Kind(405, "This address does not answer to that method", "The Allow header lists those it answers to."),
    "not-found": Kind(404, "There is nothing at this address", "The documentation at /schema lists every address."),
    "internal": Kind(500, "Something here failed", "It was our fault. `request_id` finds it in the log of the service."),
}
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "challenge-too-long", 415: "unsupported-media-type", 400: "malformed"}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    pointer: str | None = None
    limit: int | None = None
    unit: str | None = None


def problem(request: Request[Any, Any, Any], code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response[Problem]:
    """A response that says what went wrong."""
    kind = CATALOGUE[code]
    body = Problem(f"/problems/{code}", kind.title, kind.status, detail, code, request_id(request.scope), **more)
    return Response(body, status_code=kind.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def _ours(request: Request[Any, Any, Any], error: CoachError) -> Response[Problem]:
    match error:
        case ChallengeTooLong():
            return problem(request, error.code, str(error), limit=error.limit, unit=error.unit)
        case ChallengeTooThin():
            return problem(request, error.code, str(error), pointer="/challenge")
        case Malformed():
            return problem(request, error.code, str(error), pointer=error.pointer)
        case _:
            return _unexpected(request, error)


def _invalid(request: Request[Any, Any, Any], error: ValidationException | SerializationException) -> Response[Problem]:
    """Litestar's errors about a body: a field that does not fit, or no JSON at all. Their texts name types and fields, never values."""
    extra = error.extra if isinstance(error, ValidationException) and isinstance(error.extra, list) else []
    cause = error.__cause__ or error.__context__
    if isinstance(cause, msgspec.ValidationError):
        return problem(request, "malformed", _plain(str(cause)), pointer=pointer(str(cause)))
    if extra:
        first = extra[0]
        return problem(request, "malformed", str(first.get("message", "")), pointer=f"/{first.get('key', '')}")
    return problem(request, "malformed", "The body is not JSON in UTF-8.", pointer="")


def pointer(message: str) -> str:
    """The RFC 6901 pointer that a msgspec message speaks of: "... - at `$.focus[0]`" is /focus/0."""
    place = match[1] if (match := _POINTER.search(message)) else ""
    steps = re.findall(r"\.([^.\[\]]+)|\[([^\]]*)\]", place.removeprefix(".data"))
    path = "".join(f"/{name or index}" for name, index in steps)
    return f"{path}/{match[1]}" if (match := _FIELD.search(message)) else path


def _plain(message: str) -> str:
    """What msgspec says, without the place (that is the pointer's) and without the value (that is the caller's)."""
    bare = _VALUE.sub("", _POINTER.sub("", message)).rstrip(" -").replace("`", "")
    return f"{bare}."


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    code = _BY_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "malformed")
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    if code == "malformed":
        return problem(request, code, "The body is not JSON in UTF-8.", pointer="")
    if code == "challenge-too-long":
        return problem(request, code, "The limit is 128 KB for a body.", limit=131_072, unit="bytes")
    return problem(request, code, CATALOGUE[code].meaning, headers)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.error("unexpected %s request_id=%s", type(error).__name__, request_id(request.scope))
    return problem(request, "internal", CATALOGUE["internal"].meaning)


def _unreadable(request: Request[Any, Any, Any], _error: Exception) -> Response[Problem]:
    return problem(request, "malformed", "The body is not JSON in UTF-8, or is nested too deeply.", pointer="")


HANDLERS: ExceptionHandlersMap = {
    CoachError: _ours,
    ValidationException: _invalid,
    SerializationException: _invalid,
    UnicodeDecodeError: _unreadable,
    RecursionError: _unreadable,
    HTTPException: _http,
    Exception: _unexpected,
}
