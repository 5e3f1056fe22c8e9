"""The OpenAPI document: whole, true, linted, kept; and what goes wrong, which is a problem document wherever it does."""

import copy
import json
import re
import sys
from dataclasses import replace

import httpx
import jsonschema
import msgspec
import pytest

from coach import __version__
from coach.errors import ModelTimeout
from coach.keys import Scope
from coach.settings import Settings
from coach.web import contract, examples, gate
from coach.web.app import create_app
from coach.web.documentation import pages
from coach.web.problems import CATALOGUE
from coach.wire.reflections import EVENTS
from coach.wire.service import MeaningOut, Problem
from tests import typescript
from tests.conftest import REQUIRED, serving
from tests.contract import lint
from tests.contract.calls import Sender, operations
from tests.contract.compare import Comparison, unnoted
from tests.contract.write import CHANGELOG, STORED, document
from tests.test_keys import as_, given

FOLDER = STORED.parent
STRUCTS = contract.kinds()
one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def served_document(coach):
    return document(coach)


def validator(document, schema):
    """Of what one place in the document says."""
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def test_every_operation_says_all_there_is_to_say(served_document):
    """Its words, its scope, its errors, its headers, an example of what is sent and what comes."""
    found = operations(served_document)
    assert set(found) == set(examples.BY_OPERATION)
    assert {one["name"] for one in served_document["tags"]} == {tag for _, _, one in found.values() for tag in one["tags"]}
    for name, (method, path, one) in found.items():
        assert len(one["summary"]) > 5, name
        assert len(one["description"]) > 30, name
        errors = {status for status in one["responses"] if status >= "400"}
        assert errors >= {"421", "500"}, name
        wanted = gate.wanted(path)
        assert bool(wanted) == bool(one["security"]) == ("401" in errors) == ("403" in errors) == ("429" in errors), name
        assert not wanted or {"key": [wanted.value]} in one["security"] or {} in one["security"], name
        assert ("requestBody" in one) <= (errors >= {"400", "413", "415"}), name
        assert ({"$ref": "#/components/parameters/Idempotency-Key"} in one["parameters"]) == (method == "post"), name
        for status, response in one["responses"].items():
            assert response["description"], (name, status)
            assert "X-Request-ID" in response["headers"], (name, status)
            assert all(content["schema"] or kind == "application/pdf" for kind, content in response["content"].items()), (name, status)
            assert ("Retry-After" in response["headers"]) >= (status in {"429", "503"}), (name, status)
            if status >= "400":
                codes = response["content"]["application/problem+json"]["examples"]
                assert {CATALOGUE[code].status for code in codes} == {int(status)}, (name, status)


def test_a_stream_names_each_event_and_its_schema(served_document):
    """Those of the wire, with an example that reads as one."""
    for name in ("reflect", "reply", "report_back"):
        stream = operations(served_document)[name][2]["responses"]["200"]["content"]["text/event-stream"]
        assert stream["x-events"] == {event: {"$ref": f"#/components/schemas/{kind.__name__}"} for event, kind in EVENTS.items()}
        told = re.findall(r"event: (\w+)\ndata: (.*)\n\n", stream["example"])
        assert [event for event, _ in told] == ["opened", "acknowledged", "asked", "closed"]
        for event, data in told:
            msgspec.json.decode(data, type=EVENTS[event])


@one_database
def test_every_example_is_answered_as_documented(client, remembering_coach):
    """Each request sent, each answer of its status, its struct and its schema: the one that came, and the one that is shown."""
    told = document(remembering_coach)
    seen = set()
    for call, answer in Sender(client, told).all():
        seen.add(call.operation)
        assert answer.status_code == call.status, (call.operation, answer.text)
        response = operations(told)[call.operation][2]["responses"][str(call.status)]
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in response["content"], call.operation
        assert {name.lower() for name in response["headers"]} - {"ratelimit", "ratelimit-policy", "idempotency-replayed"} <= set(answer.headers)
        if media_type == "application/json":
            for value in (answer.json(), call.answer):
                validator(told, response["content"][media_type]["schema"]).validate(value)
                _decode(response["content"][media_type]["schema"], value)
    assert seen == set(examples.BY_OPERATION)


def _decode(schema, value):
    """By the struct of its name, to the letter."""
    if "$ref" in schema:
        msgspec.json.decode(json.dumps(value), type=STRUCTS[schema["$ref"].rpartition("/")[2]])
        return
    each, inner = (value, schema["items"]) if schema["type"] == "array" else (value.values(), schema["additionalProperties"])
    for one in each:
        _decode(inner, one)


def test_every_request_example_fits_its_schema(served_document):
    """Bodies, and what stands in the address."""
    for name, (_, _, one) in operations(served_document).items():
        if body := one.get("requestBody"):
            content = body["content"]["application/json"]
            for example in content["examples"].values():
                validator(served_document, content["schema"]).validate(example["value"])
        for parameter in one["parameters"]:
            if "example" in parameter:
                validator(served_document, parameter["schema"]).validate(parameter["example"])
            else:
                assert parameter.get("in") != "path", name


def test_the_stored_copy_is_the_document(served_document):
    """And what changed incompatibly is noted. `make contract` renews it."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert unnoted(stored, served_document, CHANGELOG.read_text(encoding="utf-8")) == []
    assert stored == served_document, "`make contract` writes it anew"


def _at(document, *steps):
    for step in steps:
        document = document[step]
    return document


def _schema(document, name):
    return document["components"]["schemas"][name]


REFLECT = ("paths", "/v1/reflections", "post")
INCOMPATIBLE = {
    "an operation is gone": (lambda new: new["paths"].pop("/v1/checks"), "POST /v1/checks is gone"),
    "an operationId is another": (lambda new: _at(new, *REFLECT).update(operationId="think"), "operationId is now think"),
    "a status is gone": (lambda new: _at(new, *REFLECT, "responses").pop("422"), "422 is gone"),
    "a form is gone": (lambda new: _at(new, *REFLECT, "responses", "200", "content").pop("text/event-stream"), "text/event-stream is gone"),
    "an event is gone": (
        lambda new: _at(new, *REFLECT, "responses", "200", "content", "text/event-stream", "x-events").pop("asked"),
        "event asked is gone",
    ),
    "a header is gone": (lambda new: _at(new, *REFLECT, "responses", "429", "headers").pop("Retry-After"), "header Retry-After is gone"),
    "a field of an answer is gone": (lambda new: _schema(new, "QuestionOut")["properties"].pop("skill"), "questions/*/skill is gone"),
    "a field of an answer may be left out": (lambda new: _schema(new, "QuestionOut")["required"].remove("skill"), "skill is no longer required"),
    "a field of an answer has another type": (lambda new: _schema(new, "EvidenceOut")["properties"].update(start={"type": "string"}), "start: type"),
    "a field of an event is gone": (lambda new: _schema(new, "AskedOut")["properties"].pop("guidance"), "event asked/guidance is gone"),
    "an answer has a word more": (lambda new: _schema(new, "Skill")["enum"].append("patience"), "before"),
    "an answer may be null": (
        lambda new: _schema(new, "NoticeOut")["properties"].update(message={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "message: type was string",
    ),
    "a field is newly required": (lambda new: _schema(new, "ReflectionRequest")["required"].append("role"), "body/role is newly required"),
    "a field is no longer taken": (lambda new: _schema(new, "ReflectionRequest")["properties"].pop("role"), "body/role is gone"),
    "a type is narrower": (lambda new: _schema(new, "ReflectionRequest")["properties"].update(role={"type": "string"}), "role: type is now string"),
    "a word is no longer taken": (lambda new: _schema(new, "Move")["enum"].remove("skip"), "alone now"),
    "a bound is narrower": (lambda new: _schema(new, "ReflectionRequest")["properties"]["count"].update(maximum=5), "count: maximum is now 5"),
    "a pattern is another": (
        lambda new: _schema(new, "ReflectionRequest")["properties"]["knowledge"]["anyOf"][0]["items"].update(pattern="^a$"),
        "^a$",
    ),
    "a default is another": (lambda new: _schema(new, "ReflectionRequest")["properties"]["count"].update(default=5), "it means 5 now, 3 before"),
    "a parameter is gone": (lambda new: _at(new, "paths", "/v1/reflections", "get")["parameters"].pop(0), "parameter limit is gone"),
    "a parameter is newly required": (
        lambda new: _at(new, "paths", "/v1/reflections", "get", "parameters", 0).update(required=True),
        "limit is newly required",
    ),
    "a parameter is narrower": (
        lambda new: _at(new, "paths", "/v1/reflections", "get", "parameters", 0, "schema").update(maximum=50),
        "limit: maximum is now 50",
    ),
    "another scope is wanted": (lambda new: _at(new, *REFLECT).update(security=[{"key": ["admin"]}]), "no longer opens it"),
    "a key is wanted where none was": (lambda new: _at(new, "paths", "/v1/about", "get").update(security=[{"key": ["admin"]}]), "it was open"),
}


@pytest.mark.parametrize("kind", INCOMPATIBLE)
def test_what_would_break_a_client_is_found(served_document, kind):
    """And passes with a note, or as another version where the old one was released."""
    change, fault = INCOMPATIBLE[kind]
    new = copy.deepcopy(served_document)
    change(new)
    found = list(Comparison(served_document, new).faults())
    assert any(fault in told for _, told in found), found
    names = " ".join(f"`{name}`" for name, _ in found)
    note = f"## [Unreleased]\n\n### Incompatible\n- {names}: because.\n\n"
    assert unnoted(served_document, new, "## [Unreleased]\n\n### Changed\n- Something.\n")
    assert unnoted(served_document, new, note) == []
    assert unnoted(served_document, new, f"{note}## [{__version__}] - 2026-12-01\n") == [
        f"{__version__} was released: coach.__version__ has to go on"
    ]
    new["info"]["version"] = "99.0.0"
    assert unnoted(served_document, new, f"{note}## [{__version__}] - 2026-12-01\n") == []


COMPATIBLE = {
    "an address more": lambda new: new["paths"].update({"/v1/more": {"get": {"operationId": "more", "responses": {}}}}),
    "an event more": lambda new: _at(new, *REFLECT, "responses", "200", "content", "text/event-stream", "x-events").update(
        more={"$ref": "#/components/schemas/NoticeOut"}
    ),
    "an error more": lambda new: _at(new, *REFLECT, "responses").update({"418": {"description": "I am a teapot"}}),
    "a field more in an answer": lambda new: _schema(new, "QuestionOut")["properties"].update(more={"type": "string"}),
    "a field more that may be sent": lambda new: _schema(new, "ReflectionRequest")["properties"].update(more={"type": "string", "default": ""}),
    "a word more that may be sent": lambda new: _schema(new, "Fallback")["enum"].append("perhaps"),
    "a wider bound": lambda new: _schema(new, "ReflectionRequest")["properties"]["count"].update(maximum=9),
    "other words": lambda new: _at(new, *REFLECT).update(description="Said in another way."),
}


@pytest.mark.parametrize("kind", COMPATIBLE)
def test_what_breaks_no_client_needs_no_note(served_document, kind):
    """`make contract`, and no more."""
    new = copy.deepcopy(served_document)
    COMPATIBLE[kind](new)
    assert new != served_document
    assert list(Comparison(served_document, new).faults()) == []


def test_the_document_passes_the_linter_without_a_word():
    """Redocly's recommended rules, each an error."""
    if not typescript.there():
        message = "NO NODE WITH NPM: the OpenAPI document is not linted"
        if REQUIRED:
            pytest.fail(message)
        sys.__stderr__.write(f"\n{message}\n")
        pytest.skip(message)
    assert lint.problems() == []


def test_the_linter_finds_what_is_wrong(tmp_path, monkeypatch):
    """It is run, and a warning counts."""
    if not typescript.there():
        pytest.skip("no npm")
    document = json.loads(STORED.read_text(encoding="utf-8"))
    del document["paths"]["/v1/about"]["get"]["security"]
    document["tags"].append({"name": "nothing"})
    (tmp_path / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "redocly.yaml").write_text((FOLDER / "redocly.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(lint, "STORED", tmp_path / "openapi.json")
    assert {one.partition(":")[0] for one in lint.problems()} == {"security-defined", "tag-description"}


def problem(response, status, code):
    """The same document wherever it comes from; its id is that of the header."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    body = msgspec.json.decode(response.content, type=Problem)
    assert (body.status, body.code, body.type, body.title) == (status, code, f"/problems/{code}", CATALOGUE[code].title)
    assert body.request_id == response.headers["x-request-id"] == "from-the-caller.1"
    assert (status in {429, 503}) <= ("retry-after" in response.headers)
    assert (status == 405) == ("allow" in response.headers)
    assert (status == 401) == ("www-authenticate" in response.headers)
    return body


BODY = {"challenge": examples.REQUEST["challenge"]}
LONG = b'{"challenge": "' + b"word " * 30_000 + b'"}'
AS_JSON = {"content-type": "application/json"}
AS_MCP = {**AS_JSON, "accept": "application/json, text/event-stream"}
WRONG = {
    "unknown address": ("GET", "/nothing", {}, 404, "not-found"),
    "unknown address of the API": ("GET", "/v1/reflections/a/b/c", {}, 404, "not-found"),
    "unknown address beside the documentation": ("GET", "/schema/nothing", {}, 404, "not-found"),
    "unknown file": ("GET", "/pages/nothing.js", {}, 404, "not-found"),
    "unknown code": ("GET", "/problems/nothing", {}, 404, "not-found"),
    "nothing kept": ("GET", "/v1/reflections/r_nothing", {}, 404, "not-kept"),
    "NUL in an address": ("GET", "/v1/reflections/%00", {}, 404, "not-found"),
    "half a letter in an address": ("GET", "/v1/sessions/%ff", {}, 404, "not-kept"),
    "unknown method": ("PATCH", "/v1/reflections", {}, 405, "method-not-allowed"),
    "unknown method of MCP": ("GET", "/mcp", {}, 405, "method-not-allowed"),
    "too long": ("POST", "/v1/reflections", {"content": LONG, "headers": AS_JSON}, 413, "challenge-too-long"),
    "too long for MCP": ("POST", "/mcp", {"content": LONG, "headers": AS_MCP}, 413, "challenge-too-long"),
    "no JSON": ("POST", "/v1/reflections", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "unsupported-media-type"),
    "another host": ("GET", "/v1/about", {"headers": {"host": "evil.example"}}, 421, "misdirected"),
    "too little": ("POST", "/v1/reflections", {"json": {"challenge": "help"}}, 422, "challenge-too-thin"),
    "too little, as events": (
        "POST",
        "/v1/reflections",
        {"json": {"challenge": "help"}, "headers": {"accept": "text/event-stream"}},
        422,
        "challenge-too-thin",
    ),
    "a bound of the address": ("GET", "/v1/reflections?limit=101", {}, 400, "malformed"),
    "NUL as a cursor": ("GET", "/v1/reflections?after=%00", {}, 400, "malformed"),
    "a bound of the body": ("POST", "/v1/reflections", {"json": {**BODY, "count": 8}}, 400, "malformed"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_goes_wrong_is_a_problem_document(served, kind):
    """With the caller's id in its header and its body, and when to try again where that makes sense."""
    with httpx.Client(base_url=served, timeout=60) as client:
        refused(client, kind)


def test_what_is_no_text_is_refused_before_a_database_is_asked(client):
    """PostgreSQL takes no NUL, and would seem not to answer."""
    for kind in ("nothing kept", "NUL in an address", "half a letter in an address", "NUL as a cursor"):
        refused(client, kind)


def refused(client, kind):
    method, path, sent, status, code = WRONG[kind]
    headers = {**sent.get("headers", {}), "x-request-id": "from-the-caller.1"}
    body = problem(client.request(method, path, **{**sent, "headers": headers}), status, code)
    if code == "malformed":
        assert body.pointer in {"/limit", "/after", "/count"}


@one_database
def test_without_a_key_with_the_wrong_one_and_too_often_are_problem_documents(remembering_coach):
    """401, 403, 429."""
    coach = replace(remembering_coach, settings=replace(remembering_coach.settings, rate=1))
    secret = given(coach, scopes=(Scope.CHECKS,))
    named = {"x-request-id": "from-the-caller.1"}
    with serving(coach) as url, httpx.Client(base_url=url, timeout=30) as client:
        problem(client.get("/v1/reflections", headers=named), 401, "unauthorized")
        problem(client.get("/v1/sessions/s_1", headers=named), 401, "unauthorized")
        problem(client.get("/v1/reflections", headers=as_(secret, **named)), 403, "forbidden")
        assert client.post("/v1/checks", json=examples.SENTENCES, headers=as_(secret)).status_code == 200
        problem(client.post("/v1/checks", json=examples.SENTENCES, headers=as_(secret, **named)), 429, "rate-limited")


def test_a_fault_of_ours_is_one_and_within_a_stream_an_event_of_the_same_codes(coach, monkeypatch):
    """500 where nothing had begun; else `failed`, with a code of the catalogue."""

    def failing(error):
        async def fail(*_args):
            raise error

        monkeypatch.setattr(type(coach.library), "find", fail)

    with serving(replace(coach)) as url, httpx.Client(base_url=url, timeout=30) as client:
        for error, status, code in ((RuntimeError("no"), 500, "internal"), (ModelTimeout("no"), 504, "model-timeout")):
            failing(error)
            problem(client.post("/v1/reflections", json=BODY, headers={"x-request-id": "from-the-caller.1"}), status, code)
            stream = client.post("/v1/reflections", json=BODY, headers={"accept": "text/event-stream"})
            last = json.loads(stream.text.rpartition("event: failed\ndata: ")[2])
            assert last["code"] == code
            assert code in CATALOGUE


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_type_leads_to_a_page_for_people_and_to_json_for_programs(served, code):
    """At the address that the document names."""
    page = httpx.get(f"{served}/problems/{code}", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "style-src 'self'" in page.headers["content-security-policy"]
    assert f"<code>{code}</code>" in page.text
    assert "/docs/http" in page.text
    told = httpx.get(f"{served}/problems/{code}")
    assert told.headers["vary"] == page.headers["vary"] == "accept"
    assert msgspec.json.decode(told.content, type=MeaningOut) == MeaningOut(
        code, CATALOGUE[code].status, CATALOGUE[code].title, CATALOGUE[code].meaning
    )


def test_the_catalogue_is_a_page_too(served):
    """With a link to each, in the style of the documentation."""
    page = httpx.get(f"{served}/problems", headers={"accept": "text/html"}).text
    assert re.findall(r'<a href="/problems/([a-z-]+)">', page) == list(CATALOGUE)
    assert set(re.findall(r'href="/docs/([a-z]+)"', page)) == set(pages())


def test_options_names_every_method_of_an_address(served, served_document):
    """Whichever handler was registered first; HEAD too where it is answered, which the document does not list."""
    headed = {"/health/live", "/health/ready"}
    for path, item in served_document["paths"].items():
        allow = httpx.options(served + re.sub(r"\{\w+\}", "x", path)).headers.get("allow", "")
        assert set(allow.split(", ")) == {"OPTIONS", *(method.upper() for method in item), *(["HEAD"] if path in headed else [])}, path


def test_the_document_does_not_depend_on_who_serves_it(coach):
    """A setting changes what is answered, not the contract."""
    other = replace(coach, settings=replace(Settings(), host="0.0.0.0", operator="Somebody", store="off"))
    assert create_app(other).openapi_schema.to_schema() == create_app(coach).openapi_schema.to_schema()


def test_the_problem_of_the_page_is_the_real_one(served):
    """The command of coach/docs/http.md, sent."""
    section = pages()["http"].partition("## Errors")[2]
    (named,), (sent,) = re.findall(r"-H 'x-request-id: ([^']+)'", section), re.findall(r"--json '(.*)'", section)
    (shown,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    answer = httpx.post(f"{served}/v1/reflections", json=json.loads(sent), headers={"x-request-id": named})
    assert answer.json() == json.loads(shown)


@one_database
def test_behind_the_last_document_there_is_an_empty_page(client):
    """And what follows is answered: the collection was not taken for broken."""
    at = "/v1/knowledge/plant-north/documents"
    assert client.put(f"{at}/back-from-leave", json=examples.OWN).status_code in {200, 201}
    assert client.get(at, params={"after": "back-from-leave"}).json() == {"object": "list", "data": [], "next": None}
    assert len(client.get(at).json()["data"]) == 1
    client.delete("/v1/knowledge/plant-north").raise_for_status()
