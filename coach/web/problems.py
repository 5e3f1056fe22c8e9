"""Errors as RFC 9457 problem documents. One table says what each code means; nothing a person wrote goes into one."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import ExceptionHandlersMap

from coach.errors import (
    BudgetSpent,
    Busy,
    ChallengeTooLong,
    ChallengeTooThin,
    CoachError,
    EmbedderUnavailable,
    IndexFault,
    JournalFault,
    Malformed,
    ModelUnavailable,
    RateLimited,
    RequestInFlight,
    SheetFault,
    SlotMisfit,
    StoreUnavailable,
    SubmittedFaults,
    Unauthorized,
)
from coach.shapes import escaped, plain
from coach.web.limits import until_midnight
from coach.web.requests import request_id
from coach.wire.service import Problem

log = logging.getLogger("coach.web")

MEDIA_TYPE = "application/problem+json"


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
    "misdirected": Kind(421, "This service does not answer to that name", "COACH_HOSTS lists the names it answers to."),
    "not-found": Kind(404, "There is nothing at this address", "The documentation at /schema lists every address."),
    "model-unavailable": Kind(
        502, "The language model did not do", "The request wanted no other answer. `trouble` says what happened; it can be tried again."
    ),
    "model-timeout": Kind(504, "The language model took too long", "The request wanted no other answer. It can be tried again."),
    "busy": Kind(503, "There is more to do than can be done in good time", "Retry-After says when to try again."),
    "shutting-down": Kind(503, "The service is being stopped", "Nothing was answered. Retry-After says when to try again."),
    "journal-unavailable": Kind(503, "What is kept cannot be reached just now", "Nothing that was kept is lost. Retry-After says when to try again."),
    "journal-busy": Kind(503, "The place where things are kept is busy", "Nothing was changed. Retry-After says when to try again."),
    "store-key-wrong": Kind(503, "What is kept cannot be read", "It is encrypted, and the key that was set does not fit. That is for the operator."),
    "knowledge-faults": Kind(
        422,
        "The document is not as guidance has to be",
        "`detail` names each fault: where, what is wrong, what would do; `pointer` is the first one's.",
    ),
    "index-locked": Kind(503, "Another is writing to this collection", "Nothing was changed. Retry-After says when to try again."),
    "collection-broken": Kind(503, "The collection cannot be read", "Other answers are not touched by that. It can be erased and put again."),
    "store-unavailable": Kind(503, "The collection does not answer just now", "Nothing is lost. Retry-After says when to try again."),
    "embedder-unavailable": Kind(503, "No vector can be made just now", "The document was not put. Retry-After says when to try again."),
    "deadline-passed": Kind(409, "It comes after the deadline", "The host set until when members hand in; it can still be told in the meeting."),
    "group-size": Kind(422, "The group is too small or too large", "`detail` says how many the protocol is for."),
    "slot-size": Kind(422, "The slot does not fit", "`least` and `most` are the minutes that would."),
    "same-alias": Kind(422, "Two members go by one name", "On the sheet nobody could tell them apart."),
    "reporting-line": Kind(
        422, "One member leads another", "The group is for people of equal rank; `override_reporting_line` makes the sheet all the same."
    ),
    "unknown-protocol": Kind(422, "There is no such protocol", "`GET /v1/protocols` lists them."),
    "conflict": Kind(409, "Something else was written at the same moment", "Read the reflection again, then send yours again if it still fits."),
    "already-answered": Kind(409, "These words are there already", "The question was answered with them, and the next one was asked."),
    "conversation-full": Kind(409, "The conversation has its most exchanges", "A new reflection can begin where it ended."),
    "unknown-model": Kind(404, "There is no such model", "`/openai/v1/models` lists the one there is."),
    "keeps-nothing": Kind(409, "Nothing is kept here", "The operator has turned it off, and this cannot do without; a sheet by itself can be made."),
    "not-kept": Kind(404, "There is nothing of that name", "It was never kept, has expired, was erased, or another key, token or link opens it."),
    "unauthorized": Kind(401, "Whoever asks for this has to be somebody", "Send a key as `Authorization: Bearer`; `coach keys create` makes one."),
    "forbidden": Kind(
        403, "This key is not for that", "`detail` says which scope it would take, that the key belongs to other pages, or that it owns nothing."
    ),
    "rate-limited": Kind(429, "Too many requests", "Retry-After says when there is room again; RateLimit says where the caller stands."),
    "idempotency-mismatch": Kind(422, "This Idempotency-Key stands for another request", "A request that differs wants a key of its own."),
    "idempotency-in-flight": Kind(409, "The same request is being answered", "Retry-After says when to send it again; it then gets the same answer."),
    "budget-spent": Kind(
        429, "The tokens for today are used up", "Retry-After says when the next day begins; with `fallback: bank` the library answers."
    ),
    "foreign-origin": Kind(403, "A page of another origin called", "COACH_ORIGINS lists the origins whose pages may."),
    "extra-missing": Kind(
        406, "This service cannot give that form", "Who runs it left out what it takes; `detail` names it. The other forms are there."
    ),
    "internal": Kind(500, "Something here failed", "It was our fault. `request_id` finds it in the log of the service."),
}
_BY_STATUS = {
    421: "misdirected",
    404: "not-found",
    405: "method-not-allowed",
    413: "challenge-too-long",
    415: "unsupported-media-type",
    400: "malformed",
}


def documented(*codes: str) -> dict[int, ResponseSpec]:
    """Problem documents as OpenAPI lists them: one a status, which several codes may share."""
    named: dict[int, list[Example]] = {}
    for code in codes:
        named.setdefault(CATALOGUE[code].status, []).append(Example(id=code))  # coach.web.contract fills it in
    return {
        status: ResponseSpec(Problem, generate_examples=False, description="", media_type=MEDIA_TYPE, examples=examples)
        for status, examples in named.items()
    }


def problem(request: Request[Any, Any, Any], code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response[Problem]:
    """A response that says what went wrong."""
    kind = CATALOGUE[code]
    body = Problem(f"/problems/{code}", kind.title, kind.status, detail, code, request_id(request.scope), **more)
    return Response(body, status_code=kind.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def _ours(request: Request[Any, Any, Any], error: CoachError) -> Response[Problem]:
    if error.code not in CATALOGUE:
        return _unexpected(request, error)
    return problem(request, error.code, str(error), _headers(error), **_more(error))


def _more(error: CoachError) -> dict[str, Any]:
    """What a document says beyond its code."""
    match error:
        case ChallengeTooLong():
            return {"limit": error.limit, "unit": error.unit}
        case ChallengeTooThin():
            return {"pointer": "/challenge"}
        case ModelUnavailable():
            return {"trouble": error.trouble}
        case SlotMisfit():
            return {"pointer": error.pointer, "least": error.least, "most": error.most}
        case Malformed() | SheetFault() | SubmittedFaults():
            return {"pointer": error.pointer}
    return {}


def _headers(error: CoachError) -> dict[str, str]:
    """When to try again, and who may."""
    match error:
        case RateLimited():
            return {"retry-after": str(error.retry_after), **dict(error.headers)}
        case BudgetSpent():
            return {"retry-after": str(until_midnight())}
        case ModelUnavailable():
            return {"retry-after": str(math.ceil(error.retry_after))} if error.retry_after else {}
        case Busy() | RequestInFlight() | JournalFault() | IndexFault() | StoreUnavailable() | EmbedderUnavailable():
            return {"retry-after": str(error.retry_after)}
        case Unauthorized():
            return {"www-authenticate": 'Bearer realm="coach", error="invalid_token"' if error.sent else 'Bearer realm="coach"'}  # RFC 6750
    return {}


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    code = _BY_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "malformed")
    headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    if code == "challenge-too-long":
        return problem(request, code, "The limit is 128 KB for a body.", limit=131_072, unit="bytes")
    if isinstance(error, ValidationException) and isinstance(error.extra, list) and error.extra:
        first = error.extra[0]  # of the address: a body was read before, by coach.web.requests
        name = str(first.get("key", ""))
        asked = request.route_handler.parsed_fn_signature.parameters.get(name)
        told = plain(str(first.get("message", "")), asked.annotation if asked else None)
        return problem(request, code, told, pointer=f"/{escaped(name)}")
    return problem(request, code, CATALOGUE[code].meaning, headers)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.error("unexpected %s request_id=%s", type(error).__name__, request_id(request.scope))
    return problem(request, "internal", CATALOGUE["internal"].meaning)


HANDLERS: ExceptionHandlersMap = {
    CoachError: _ours,
    HTTPException: _http,
    Exception: _unexpected,
}
