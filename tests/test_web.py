import json
import re
from dataclasses import replace
from typing import Annotated

import httpx
import msgspec
import pytest

from coach import guard, shapes
from coach.web.examples import ANSWER, REQUEST, SENTENCES, VERDICTS
from coach.web.problems import CATALOGUE
from coach.wire.checks import CheckRequest
from coach.wire.kept import ReplyRequest, SummaryRequest
from coach.wire.library import DocumentIn
from coach.wire.reflections import ReflectionRequest, ReportRequest
from coach.wire.sessions import HandIn, SessionRequest
from coach.wire.sheets import SheetRequest
from tests.conftest import ORDINARY, WRITEUPS

TEXT = ORDINARY[5]["text"]
FIVE = "one two three four five"


@pytest.fixture(scope="module")
def client(served):
    with httpx.Client(base_url=served, timeout=30) as client:
        yield client


def reflect(client, challenge=TEXT, headers=None, **more):
    return client.post("/v1/reflections", json={"challenge": challenge, **more}, headers=headers or {})


def events(response):
    """(id, event, data) of each message of a stream."""
    found = re.findall(r"id: (\d+)\nevent: (\w+)\ndata: (.*)\n\n", response.text)
    assert "".join(f"id: {n}\nevent: {name}\ndata: {data}\n\n" for n, name, data in found) == response.text
    return [(int(number), name, json.loads(data)) for number, name, data in found]


def test_a_challenge_in_and_questions_out(client):
    """The whole answer, with each field of the contract."""
    answer = reflect(client, count=3).raise_for_status().json()
    assert set(answer) >= {"id", "object", "language", "acknowledgement", "questions", "guidance", "coverage", "notices", "provenance", "usage"}
    assert answer["object"] == "reflection"
    assert len(answer["questions"]) == 3
    for question in answer["questions"]:
        assert set(question) == {"id", "text", "skill", "about", "perspective", "form", "source", "evidence", "guidance"}
        assert question["source"] == "bank"
        assert {item["id"] for item in question["guidance"]} <= {item["id"] for item in answer["guidance"]}
    for item in answer["guidance"]:
        assert set(item) == {"id", "title", "excerpt", "score", "sources"}
        assert item["sources"]
        assert item["sources"][0].keys() == {"author", "title", "year"}
        assert len(item["excerpt"].split()) <= 90
    assert answer["coverage"]["about"] == list(dict.fromkeys(question["about"] for question in answer["questions"]))
    assert answer["provenance"]["engine"] == "bank"
    assert "not by a person" in answer["disclosure"]


def test_every_quotation_stands_at_its_offsets(client):
    """In code points of the text as sent, whatever stands around it: emoji, marks of direction, combining letters."""
    text = "👩🏽‍🚒 \u202eabc\u202c Ich\u0308 said nothing. But I never asked him what it was like. "
    text += "\u200bI was too busy being right to hear it, \U0001d500 and I know. 👍"
    answer = reflect(client, text).raise_for_status().json()
    evidence = [item for part in (answer["acknowledgement"], *answer["questions"]) for item in part["evidence"]]
    assert evidence
    for item in evidence:
        assert text[item["start"] : item["end"]] == item["quote"]
        assert not re.search(r"[\u200b\u202a-\u202e]", item["quote"])


@pytest.mark.parametrize("count", range(1, 8))
def test_as_many_questions_as_asked_for(client, count):
    """One to seven."""
    assert len(reflect(client, count=count).json()["questions"]) == count


def test_the_same_as_events(client):
    """Numbered from 1; opened first, closed last; what they carry is what the whole answer holds."""
    whole = reflect(client).json()
    response = reflect(client, headers={"accept": "text/event-stream"})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    got = events(response)
    assert [number for number, _, _ in got] == list(range(1, len(got) + 1))
    assert [name for _, name, _ in got] == ["opened", "acknowledged", "asked", "asked", "asked", "closed"]
    data = [body for _, _, body in got]
    assert data[1] == whole["acknowledgement"]
    assert [body["question"] for body in data[2:5]] == whole["questions"]
    assert data[-1]["guidance"] == whole["guidance"]
    assert data[-1]["coverage"] == whole["coverage"]


def test_a_write_up_in_another_language_is_answered_in_english_and_says_so(client):
    """A notice, as an event too."""
    german = next(row["text"] for row in WRITEUPS if row["language"] == "de")
    assert [notice["code"] for notice in reflect(client, german).json()["notices"]] == ["answered-in-english"]
    assert "notice" in [name for _, name, _ in events(reflect(client, german, headers={"accept": "text/event-stream"}))]


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    body = response.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(body)
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    assert body["request_id"] == response.headers["x-request-id"]
    return body


@pytest.mark.parametrize("text", ["", "   \n\t ", "please help me now", "😀 😀 😀 😀 😀"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_too_little_says_what_would_help(client, text, accept):
    """422, for a stream too: nothing has begun."""
    body = problem(reflect(client, text, headers={"accept": accept}), 422, "challenge-too-thin")
    assert "what happened" in body["detail"]
    assert body["pointer"] == "/challenge"


def test_too_much_says_the_limit(client):
    """12,000 characters, 128 KB."""
    assert problem(reflect(client, "word " * 2401), 413, "challenge-too-long")["limit"] == 12_000
    assert problem(reflect(client, "word " * 30_000), 413, "challenge-too-long")["limit"] == 131_072


def _body(text):
    return b'{"challenge": ' + text + b"}"


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"", ""),
        (b"nonsense", ""),
        (b'{"challenge": "a b c d e', ""),
        (_body(b'"\xff\xfe a b c d e"'), ""),
        (_body(b'"one two three four \\ud800 five"'), ""),
        (_body(b'"one two three four \\u0000 five"'), "/challenge"),
        (b"[" * 50_000, ""),
        (_body(b'"x", "extra": ' + b"[" * 5000 + b"]" * 5000), "/extra"),
        (b"[]", ""),
        (b"{}", "/challenge"),
        (_body(b"null"), "/challenge"),
        (_body(b"7"), "/challenge"),
        (b'{"challenge": "one two three four five", "mood": "bad"}', "/mood"),
        (b'{"challenge": "one two three four five", "count": 0}', "/count"),
        (b'{"challenge": "one two three four five", "count": 8}', "/count"),
        (b'{"challenge": "one two three four five", "count": "3"}', "/count"),
        (b'{"challenge": "one two three four five", "focus": ["curiosity", "magic"]}', "/focus/1"),
        (b'{"challenge": "one two three four five", "functions": ["a\\u0000b"]}', "/functions/0"),
        (b'{"challenge": "one two three four five", "language": "english please"}', "/language"),
    ],
)
def test_what_is_not_the_contract_is_named_by_a_pointer(client, content, pointer):
    """400, and never a 500."""
    response = client.post("/v1/reflections", content=content, headers={"content-type": "application/json"})
    body = problem(response, 400, "malformed")
    assert body["pointer"] == pointer, body
    assert "magic" not in response.text


@pytest.mark.parametrize(
    ("address", "body", "pointer", "told"),
    [
        ("/v1/reflections", {"engine": "gpt"}, "/engine", "it can be auto, bank, llm."),
        ("/v1/reflections", {"focus": ["care", "magic"]}, "/focus/1", "curiosity, care."),
        ("/v1/reflections", {"move": "jump"}, "/move", "reply, skip, another, deeper, wrap_up."),
        ("/v1/reflections", {"country": "Deutschland"}, "/country", "two capital letters, such as DE."),
        ("/v1/reflections", {"language": "english please"}, "/language", "a language tag, such as en or de-AT."),
        ("/v1/reflections", {"knowledge": ["acme", "Acme Corp"]}, "/knowledge/1", "1 to 63 small letters, digits and dashes"),
        ("/v1/reflections", {"a/b~c": 1}, "/a~1b~0c", "unknown field"),
        ("/v1/reflections", {"`at `$.x`": 1}, "/`at `$.x`", "unknown field"),
        ("/v1/sheets", {"trust": "blind"}, "/trust", "new, some, high."),
        ("/v1/sheets", {"matter": "grave"}, "/matter", "it can be several, shared, one."),
        ("/v1/sheets", {"paper": "A5"}, "/paper", "It wants A4 or letter."),
    ],
)
def test_who_is_refused_is_told_what_would_do(client, address, body, pointer, told):
    """The values that there are, or the form in words: never a pattern. A name in a pointer is escaped."""
    needed = {"challenge": "one two three four five"} if address == "/v1/reflections" else {"members": [], "minutes": 90}
    found = problem(client.post(address, json=needed | body), 400, "malformed")
    assert found["pointer"] == pointer
    assert told in found["detail"]
    assert "regex" not in found["detail"]
    assert "\\" not in found["detail"]


def test_every_pattern_of_a_body_has_its_words():
    """Else somebody would be told no more than to look at /schema."""
    for kind in (ReflectionRequest, ReplyRequest, SummaryRequest, ReportRequest, CheckRequest, SheetRequest, SessionRequest, HandIn, DocumentIn):
        assert not shapes.lacking(kind), kind
    assert shapes.plain("Expected `str` matching regex '^\\\\d$'") == "It has a form that is not allowed; see /schema."
    assert shapes.lacking(Annotated[str, msgspec.Meta(pattern="^x$")]) == ["^x$"]


def test_wrong_type_method_and_address_are_problems_too(client):
    """415, 405 with Allow, 404."""
    problem(client.post("/v1/reflections", content=b"hello", headers={"content-type": "text/plain"}), 415, "unsupported-media-type")
    problem(client.post("/v1/reflections", content=b"{}"), 415, "unsupported-media-type")
    response = client.put("/v1/reflections", json={})
    problem(response, 405, "method-not-allowed")
    assert "POST" in response.headers["allow"]
    problem(client.get("/v1/nothing"), 404, "not-found")
    problem(client.get("/problems/made-up"), 404, "not-found")


@pytest.mark.parametrize(
    "text",
    [
        "qwer tzui opas dfgh jklz yxcv",
        "milk, eggs, bread, butter, cheese, apples",
        "<script>alert(1)</script> " * 10,
        "🎉 so so so so so 🎉",
        "a " * 5999,
    ],
)
def test_noise_is_answered_with_what_would_help_or_with_general_questions(client, text):
    """200, never a 500: a short one with what would help, a longer one with openers and a notice."""
    answer = reflect(client, text).raise_for_status().json()
    if answer["signpost"]:
        assert answer["signpost"]["flag"] == "too_thin"
        assert not answer["questions"]
        return
    assert len(answer["questions"]) == 3
    assert "unclear" in [notice["code"] for notice in answer["notices"]]


def test_a_failure_of_ours_says_nothing_of_what_was_written(coach, monkeypatch, caplog):
    """500 with an id; as an event where the answer had begun; no word of the text, neither in the answer nor in the log."""
    from tests.conftest import serving

    broken = replace(coach)

    async def fail(*_args):
        raise RuntimeError("secret-zebra in a message")

    monkeypatch.setattr(type(broken.library), "find", fail)
    with serving(broken) as url, httpx.Client(base_url=url, timeout=30) as client:
        response = reflect(client, "The secret-zebra is what I never told anybody at work.")
        problem(response, 500, "internal")
        stream = reflect(client, "The secret-zebra is what I never told anybody at work.", headers={"accept": "text/event-stream"})
    assert [name for _, name, _ in events(stream)][-1] == "failed"
    for text in (response.text, events(stream)[-1][2]["detail"], caplog.text):
        assert "zebra" not in text


def test_every_answer_carries_a_request_id(client):
    """The caller's if it is plain, else ours."""
    assert client.get("/health/live", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    for odd in ("a b", "x" * 65, 'a"b'):
        assert client.get("/health/live", headers={"x-request-id": odd}).headers["x-request-id"].startswith("req_")


def test_health_says_how_each_part_is(client):
    """All of them well here."""
    assert client.get("/health/live").json() == {"status": "alive"}
    for path in ("/health/live", "/health/ready"):
        asked = client.head(path)
        assert (asked.status_code, asked.content) == (200, b"")
    ready = client.get("/health/ready").json()
    assert ready == {"status": "ok", "parts": {"knowledge": "ok", "guard": "ok", "encoder": "ok", "store": "ok", "index": "ok", "journal": "ok"}}


def test_a_content_type_names_its_charset_once(client):
    """On pages, scripts, figures and Markdown alike."""
    script = re.search(r'src="(/widget/[^"]+)"', client.get("/").text)[1]
    some = client.get("/v1/guidance?limit=1").json()["data"][0]["id"]
    for path, kind in {
        "/": "text/html",
        "/about": "text/html",
        "/docs/http": "text/html",
        script: "text/javascript",
        "/metrics": "text/plain; version=0.0.4",
        f"/v1/guidance/{some}": "text/markdown",
    }.items():
        found = client.get(path, headers={"accept": "text/markdown" if kind == "text/markdown" else "*/*"})
        assert found.headers["content-type"] == f"{kind}; charset=utf-8", path


def test_every_problem_code_has_a_page(client):
    """`type` leads somewhere."""
    assert set(client.get("/problems").json()) == set(CATALOGUE)
    for code, kind in CATALOGUE.items():
        page = client.get(f"/problems/{code}").json()
        assert (page["status"], page["title"]) == (kind.status, kind.title)


def test_the_documented_example_is_the_real_answer(client):
    """The request of the documentation, sent; the stored answer but for its id and its time."""
    answer = client.post("/v1/reflections", json=REQUEST).raise_for_status().json()
    told, stored = ({**body, "id": "", "usage": {**body["usage"], "milliseconds": 0}} for body in (answer, ANSWER))
    assert told == stored, "`make example` writes it anew"


def test_sentences_in_and_verdicts_out(client):
    """In order, each with the words that decided, as offsets into the sentence as sent."""
    texts = [
        "What matters to you here?",
        "😀 Have you tried yoga?",
        "",
        "x" * 50_000,
        "\x00\u202eWas nun?",
        "Haben Sie schon überlegt, ihn zu fragen?",
    ]
    answer = client.post("/v1/checks", json={"texts": texts}).raise_for_status().json()
    assert (answer["object"], answer["guard"]) == ("checks", guard.VERSION)
    first, second, *_, last = answer["verdicts"]
    assert len(answer["verdicts"]) == len(texts)
    assert first["accept"]
    assert first["reason"] is first["rule"] is first["span"] is None
    assert (second["reason"], second["rule"]) == ("directive", "have-you-tried")
    assert texts[1][second["span"]["start"] : second["span"]["end"]] == "Have you tried"
    assert second["findings"][0]["message"] == second["message"]
    assert (last["language"], last["scope"], last["reason"]) == ("de", "phrases", "directive")


def test_a_write_up_beside_the_sentences_is_held_against_them(client):
    """With `challenge`, a name from nowhere is refused; without, it cannot be known."""
    body = {"texts": ["What would Bernd say about the audit?"], "language": "en"}
    story = "Ana and I have not spoken since the audit."
    assert client.post("/v1/checks", json=body).json()["verdicts"][0]["accept"]
    assert client.post("/v1/checks", json={**body, "challenge": story}).json()["verdicts"][0]["reason"] == "ungrounded"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/texts"), ({"texts": []}, "/texts"), ({"texts": ["a"] * 201}, "/texts"), ({"texts": [1]}, "/texts/0"), ({"texts": ["a"], "x": 1}, "/x")],
)
def test_checks_that_are_not_the_contract_are_named_by_a_pointer(client, body, pointer):
    """1 to 200 sentences, and nothing unknown."""
    assert problem(client.post("/v1/checks", json=body), 400, "malformed")["pointer"] == pointer


def test_the_documented_verdicts_are_the_real_ones(client):
    """The example of the documentation, sent."""
    answer = client.post("/v1/checks", json=SENTENCES).raise_for_status().json()
    assert [(one["accept"], one["reason"], one["rule"], one["span"]) for one in answer["verdicts"]] == [
        (one["accept"], one["reason"], one["rule"], one["span"]) for one in VERDICTS["verdicts"]
    ]


def test_the_documentation_page_asks_no_other_host(client):
    """OpenAPI 3.1; every script and style is served here."""
    document = client.get("/schema/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    operation = document["paths"]["/v1/reflections"]["post"]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "409", "413", "415", "421", "422", "429", "500", "502", "503", "504"}
    assert operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert operation["requestBody"]["content"]["application/json"]["examples"]
    page = client.get("/schema").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    for link in links:
        assert link.startswith("/")
        assert client.get(link).status_code == 200
    assert "//" not in re.sub(r"(src|href)=\"[^\"]*\"", "", page.split("<body>")[0])
