"""The OpenAPI document, completed: what Litestar makes of the handlers, with the schemas of msgspec, which decodes what is sent, and what all share.

Who may ask stands in coach.web.gate, what can go wrong in coach.web.problems, the examples in coach.web.examples: nothing is said twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import msgspec
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from coach.model import About, Form, Perspective, Skill
from coach.web import examples, gate
from coach.web.problems import CATALOGUE, MEDIA_TYPE
from coach.wire import checks, kept, library, reflections, service, sessions, sheets

Json = dict[str, Any]
JSON, TEXT, EVENT_STREAM = "application/json", {"type": "string"}, "text/event-stream"

_EVERYBODY = ("misdirected", "internal")
_KEYED = ("unauthorized", "forbidden", "rate-limited", "journal-unavailable")
_NAMED = ("malformed", *(code for code in CATALOGUE if code.startswith("idempotency-")))  # of requests with an Idempotency-Key
_WITH_BODY = ("malformed", "challenge-too-long", "unsupported-media-type")

OTHER_FORMS: Mapping[str, tuple[str, ...]] = {  # what an operation answers by `Accept`, beside JSON
    "reflect": (EVENT_STREAM,),
    "reply": (EVENT_STREAM,),
    "report_back": (EVENT_STREAM,),
    "read_summary": ("text/markdown", "text/plain"),
    "make_sheet": ("text/markdown", "text/html", "application/pdf", "text/calendar"),
    "read_session_sheet": ("text/markdown", "text/html", "application/pdf", "text/calendar"),
    "read_seat": ("text/html",),
    "read_guidance": ("text/markdown",),
    "read_document": ("text/markdown",),
    "problems": ("text/html",),
    "problem": ("text/html",),
}
_WORDS: Mapping[str, type[StrEnum]] = {"skill": Skill, "about": About, "perspective": Perspective, "form": Form}
_PLACES = {
    "identifier": "The id, as the service or its writer gave it.",
    "token": "The member's secret, from the invitation.",
    "name": "The collection: 1 to 63 small letters, digits and dashes.",
    "code": "The code of a problem.",
}

_KEPT = {"identifier": "$response.body#/id"}
_SEAT = {**_KEPT, "token": "$response.body#/invitations/0/token"}
_OF = {"name": "$request.path.name"}
_PUT = {**_OF, "identifier": "$request.path.identifier"}
LINKS: Mapping[str, Mapping[str, Mapping[str, str]]] = {  # where an answer leads to
    "reflect": dict.fromkeys(("reply", "report_back", "read_reflection", "read_summary", "edit_summary", "erase_reflection"), _KEPT),
    "convene": {
        **dict.fromkeys(("read_session", "make_session_sheet", "read_session_sheet", "erase_session"), _KEPT),
        **dict.fromkeys(("hand_in", "read_seat", "file_report", "withdraw"), _SEAT),
    },
    "put_document": {
        **dict.fromkeys(("read_document", "erase_document"), _PUT),
        **dict.fromkeys(("list_documents", "erase_collection"), _OF),
    },
}

SCHEMES: Mapping[str, tuple[str, str]] = {  # by how the secret begins
    "ck_": ("key", "A key (`coach keys create`). The roles that an operation lists are the scopes that it takes; `admin` opens everything."),
    gate.TOKEN: ("continue_token", "Opens one kept reflection. It comes in `kept` when the reflection is made."),
    gate.HOST: ("host_token", "Opens one session for its host. It comes when the session is made."),
    gate.MEMBER: ("member_token", "Opens the sheet of one session for a member. It comes in the member's invitation."),
}
TAGS = {
    "reflections": "A challenge in, an acknowledgement and open questions out.",
    "kept reflections": "Reflections that somebody asked to keep: go on with them, read, export and erase them.",
    "checks": "Is a sentence a question that leaves the answer with the person asked?",
    "peer groups": "Sheets for a group's session, and sessions to which members are invited.",
    "library": "The guidance and the questions that answers are made from.",
    "own knowledge": "Guidance of an organisation's own, in collections that keys name.",
    "about": "Who answers, and what becomes of words.",
    "health": "For whoever operates the service.",
    "problems": "What each problem code means.",
}
_HEADERS = {
    "X-Request-ID": "The id of this request: what was sent as X-Request-ID if it is a plain one, else one of the service's.",
    "RateLimit": "Where the caller stands: what is left, and the seconds until there is room again (draft-ietf-httpapi-ratelimit-headers-10).",
    "RateLimit-Policy": "How many requests in how many seconds.",
    "Retry-After": "Seconds after which it makes sense to try again.",
    "Idempotency-Replayed": "`true` where this is the stored answer to an earlier request with the same Idempotency-Key.",
    "WWW-Authenticate": "How to say who asks.",
    "Location": "The address of what was made.",
}
_ASKED = {
    "X-Request-ID": "An id for this request, for the logs of both sides: 1 to 64 letters, digits, dots, dashes and underscores. Others are replaced.",
    "Idempotency-Key": "A name for this request, such as a UUID: sent again with the same one, it is not done twice.",
}


class Contract(OpenAPI):
    """The document as Litestar makes it, completed wherever it is written out."""

    def to_schema(self) -> Json:
        """The document."""
        return completed(super().to_schema())


class ContractConfig(OpenAPIConfig):
    """Litestar's, for a document that is completed."""

    def to_openapi_schema(self) -> OpenAPI:
        """The document before the addresses are in it."""
        plain = super().to_openapi_schema()
        return Contract(**{item.name: getattr(plain, item.name) for item in fields(plain)})


def completed(document: Json) -> Json:
    """The same document with all that the addresses share."""
    document["info"]["description"] = files("coach.web").joinpath("contract.md").read_text(encoding="utf-8")
    document["tags"] = [{"name": name, "description": told} for name, told in TAGS.items()]
    document["components"] = {
        "schemas": schemas(),
        "headers": {name: {"description": told, "schema": {"type": "string"}} for name, told in _HEADERS.items()},
        "parameters": {name: {"name": name, "in": "header", "description": told, "schema": TEXT} for name, told in _ASKED.items()},
        "securitySchemes": {name: {"type": "http", "scheme": "bearer", "description": told} for name, told in SCHEMES.values()},
        "examples": {code: _problem_example(code) for code in CATALOGUE},
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation)
    used = str(document["paths"])
    found = document["components"]["examples"]
    document["components"]["examples"] = {name: one for name, one in found.items() if f"#/components/examples/{name}'" in used}
    return document


def kinds() -> dict[str, type[msgspec.Struct]]:
    """Every struct that travels, by its name."""
    modules = (checks, kept, library, reflections, service, sessions, sheets)
    found = (one for module in modules for one in vars(module).values() if isinstance(one, type) and issubclass(one, msgspec.Struct))
    return {one.__name__: one for one in found if one is not msgspec.Struct}


def schemas() -> Json:
    """The schema of each, as msgspec holds what is sent to it."""
    _, found = msgspec.json.schema_components(kinds().values(), ref_template="#/components/schemas/{name}")
    return {**found, "ReflectionEvent": {"description": "One message of a stream.", "oneOf": [_event(*one) for one in reflections.EVENTS.items()]}}


def _event(name: str, kind: type[msgspec.Struct]) -> Json:
    data = {**TEXT, "contentMediaType": JSON, "contentSchema": {"$ref": f"#/components/schemas/{kind.__name__}"}}
    return {"type": "object", "title": name, "properties": {"id": TEXT, "event": {"const": name}, "data": data}, "required": ["id", "event", "data"]}


def _problem_example(code: str) -> Json:
    kind = CATALOGUE[code]
    body = service.Problem(f"/problems/{code}", kind.title, kind.status, kind.meaning, code, "req_8jT2mYkQpX1d")
    return {"summary": kind.title, "value": msgspec.to_builtins(body)}


def _complete(path: str, method: str, operation: Json) -> None:
    called = operation["operationId"]
    example = examples.BY_OPERATION.get(called)
    operation["security"] = list(_security(path, method))
    operation["parameters"] = [_parameter(one, example) for one in operation.get("parameters", [])]
    asked = ("X-Request-ID", "Idempotency-Key") if method == "post" else ("X-Request-ID",)
    operation["parameters"] += [{"$ref": f"#/components/parameters/{name}"} for name in asked]
    if body := operation.get("requestBody"):
        body["content"][JSON] = {"schema": _plain(body["content"][JSON]["schema"]), **(_shown(example.summary, example.body) if example else {})}
    responses = operation["responses"]
    good = {status: one for status, one in responses.items() if int(status) < 400}
    for status, response in good.items():
        response["headers"] = _headers(path, method, int(status))
        if response["description"] == HTTPStatus(int(status)).description:
            response["description"] = operation["summary"]
        if JSON in response["content"] and example and int(status) == example.status:
            response["content"][JSON] |= _shown(example.summary, example.answer)
        response["content"] |= {kind: _form(kind) for kind in OTHER_FORMS.get(called, ())}
        if leads := LINKS.get(called):
            response["links"] = {name: {"operationId": name, "parameters": dict(given)} for name, given in leads.items()}
        if "application/x-ndjson" in response["content"]:
            lines = [{"$ref": f"#/components/schemas/{name}"} for name in ("ReflectionKept", "SessionOut")]
            response["content"]["application/x-ndjson"] = {"schema": TEXT, "x-lines": lines}
    operation["responses"] = {**good, **dict(_problems(path, method, operation))}


def _security(path: str, method: str) -> Iterator[Json]:
    """What opens an address: nothing in particular, or one of these."""
    scope = gate.wanted(path)
    if scope is None:
        return
    if gate.opened_by_its_path(path):
        yield {}
        return
    yield {"key": [scope.value]}
    for begin, secrets in gate.OWN_SECRETS.items():
        shared = method == "get" and path.endswith("/sheet")  # all that a member sees but the own part
        yield from ({SCHEMES[one][0]: []} for one in secrets if path.startswith(begin) and (one != gate.MEMBER or shared))


def _problems(path: str, method: str, operation: Json) -> Iterator[tuple[str, Json]]:
    """The problem documents of an operation: those that its handler names, and those of everything around it, one a status."""
    named = [code for one in operation["responses"].values() for code in one.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())]
    more: list[str] = [*_EVERYBODY]
    more += _KEYED if gate.wanted(path) is not None else ()
    more += _WITH_BODY if "requestBody" in operation else ()
    more += _NAMED if method == "post" else ()
    more += ("malformed",) if any(one.get("in") == "query" for one in operation["parameters"]) else ()
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys([*named, *more]):
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        shown = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": shown}}
        description = "; ".join(CATALOGUE[code].title for code in codes)
        headers = _headers(path, method, status)
        if "idempotency-in-flight" in codes:
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        yield str(status), {"description": description, "headers": headers, "content": content}


def _headers(path: str, method: str, status: int) -> Json:
    """The headers that matter in a response."""
    names = ["X-Request-ID"]
    names += ["RateLimit", "RateLimit-Policy"] if gate.wanted(path) is not None and status not in {401, 403, 421} else []
    names += ["Retry-After"] if status in {429, 502, 503, 504} else []
    names += ["WWW-Authenticate"] if status == 401 else []
    names += ["Idempotency-Replayed"] if method == "post" and status < 500 and status not in {401, 403, 421, 429} else []
    names += ["Location"] if method == "post" and status == 201 else []
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameter(found: Json, example: examples.Call | None) -> Json:
    name = found["name"]
    schema = _plain(found["schema"])
    if found["in"] == "query" and name in _WORDS:
        schema = {"$ref": f"#/components/schemas/{_WORDS[name].__name__}"}
    made = {"name": name, "in": found["in"], "required": found["required"], "description": found.get("description") or _PLACES[name]}
    sent = {**example.path, **example.query}.get(name) if example else None
    return {**made, "schema": schema, **({"example": sent} if sent is not None else {})}


def _plain(schema: Json) -> Json:
    """A schema without what Litestar puts around it: null, which no address can hold, its examples, and bounds as fractions."""
    inner = [one for one in schema.get("oneOf") or schema.get("allOf") or () if one != {"type": "null"}]
    own = {name: value for name, value in schema.items() if name not in {"oneOf", "allOf", "examples", "description"}}
    merged = {**(inner[0] if len(inner) == 1 else {}), **own}
    return {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in merged.items()}


def _shown(summary: str, value: Any) -> Json:
    return {} if value is None else {"examples": {"example": {"summary": summary, "value": value}}}


def _form(media_type: str) -> Json:
    """Another form of an answer. OpenAPI 3.1 has no word for the items of a stream: `x-events` names each event and the schema of its data."""
    if media_type == EVENT_STREAM:
        named = {name: {"$ref": f"#/components/schemas/{kind.__name__}"} for name, kind in reflections.EVENTS.items()}
        told = (
            "Server-Sent Events, of which `contentSchema` describes each: `event` is a name of `x-events`, `data` is JSON of its schema, `id` counts "
            "from 1; after one of `x-last-events` nothing comes. Lines that begin with `:` are comments."
        )
        schema = {**TEXT, "description": told, "contentSchema": {"$ref": "#/components/schemas/ReflectionEvent"}}
        return {"schema": schema, "x-events": named, "x-last-events": sorted(reflections.LAST), "example": examples.STREAM}
    return {"schema": {} if media_type == "application/pdf" else TEXT}
