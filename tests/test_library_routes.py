"""Guidance and questions over HTTP, to read and to search."""

import json
from pathlib import Path

import httpx
import pytest

from coach import guard
from coach.model import About, Form, Perspective, Skill
from coach.web import library, own
from coach.web.examples import OWN
from tests.conftest import serving
from tests.fakes import FakeEmbedder
from tests.test_web import problem


@pytest.fixture(scope="module")
def client(served):
    with httpx.Client(base_url=served, timeout=60) as client:
        yield client


def walked(client, path, **params):
    """All entries of all pages."""
    entries, after = [], None
    while True:
        page = client.get(path, params={**params, **({"after": after} if after else {})}).raise_for_status().json()
        entries += page["data"]
        after = page["next"]
        if after is None:
            return entries


def test_all_documents_are_listed_by_title(client, knowledge):
    """Each once, over pages of thirty, with skills, topics, sources and how it begins."""
    entries = walked(client, "/v1/guidance", limit=30)
    assert [one["title"] for one in entries] == sorted((one.title for one in knowledge.documents), key=str.casefold)
    assert {one["id"] for one in entries} == {one.id for one in knowledge.documents}
    for one in entries:
        assert set(one) == {"id", "title", "excerpt", "skills", "topics", "sources", "score", "collection"}
        assert one["excerpt"]
        assert one["sources"]
        assert one["score"] is one["collection"] is None


def test_a_search_finds_by_meaning(client):
    """A sentence that shares no word with a title; the nearest first, each document once, the same over pages as in one."""
    sought = "the night shift never tells us what went wrong"
    whole = client.get("/v1/guidance", params={"q": sought, "limit": 12}).json()
    assert whole["data"][0]["id"] == "the-handover"
    assert whole["notices"] == []
    scores = [one["score"] for one in whole["data"]]
    assert scores == sorted(scores, reverse=True)
    paged = walked(client, "/v1/guidance", q=sought, limit=50)
    assert paged[:12] == whole["data"]
    assert len({one["id"] for one in paged}) == len(paged) == 90


@pytest.mark.parametrize("q", ["", "   "])
def test_an_empty_search_is_none(client, q):
    """All by title."""
    assert client.get("/v1/guidance", params={"q": q}).json() == client.get("/v1/guidance").json()


def test_a_document_is_read_whole(client, knowledge):
    """As JSON with every section, as Markdown where that is asked for; 404 for what is not there."""
    document = next(one for one in knowledge.documents if one.id == "the-handover")
    answer = client.get("/v1/guidance/the-handover")
    assert "accept" in answer.headers["vary"]
    assert [(one["id"], one["heading"], one["text"]) for one in answer.json()["sections"]] == [
        (one.id, one.heading, one.text) for one in document.passages
    ]
    assert answer.json()["when"] == list(document.when)
    text = client.get("/v1/guidance/the-handover", headers={"accept": "text/markdown"})
    assert text.headers["content-type"].startswith("text/markdown")
    assert text.text.startswith("# What a handover leaves out\n\n## Three words on a whiteboard\n\n")
    assert text.text.endswith("- Carl R. Rogers and Richard E. Farson, Active Listening, 1957\n")
    problem(client.get("/v1/guidance/nothing"), 404, "not-found")


def test_every_question_shown_was_admitted_as_it_is_shown(client, knowledge):
    """All of them, each open to the whole guard."""
    entries = walked(client, "/v1/questions", limit=100)
    assert [one["id"] for one in entries] == [one.id for one in knowledge.questions]
    assert all(verdict.accept for verdict in guard.check_all([one["text"] for one in entries], language="en"))
    assert not [one for one in entries if "{" in one["text"]]
    assert all(("..." in one["text"]) == (one["slot"] is not None) for one in entries)


def test_a_question_that_the_guard_refuses_is_not_shown(client, monkeypatch):
    """Even if it stands in the library."""
    first = client.get("/v1/questions", params={"limit": 2}).json()["data"]
    judge = guard.check

    def strict(text, **more):
        return judge("Have you tried asking her?", **more) if text == first[0]["text"] else judge(text, **more)

    monkeypatch.setattr(guard, "check", strict)
    page = client.get("/v1/questions", params={"limit": 2}).json()
    assert [one["id"] for one in page["data"]] == [first[1]["id"]]
    assert page["next"] == first[1]["id"]


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [("skill", Skill, "humility"), ("about", About, "outcome"), ("perspective", Perspective, "other"), ("form", Form, "scaling")],
)
def test_questions_are_filtered_and_a_filter_that_is_none_says_what_can_be(client, knowledge, name, kind, value):
    """400 with the values."""
    entries = walked(client, "/v1/questions", limit=100, **{name: value})
    assert [one["id"] for one in entries] == [one.id for one in knowledge.questions if getattr(one, name) == value]
    body = problem(client.get("/v1/questions", params={name: "magic"}), 400, "malformed")
    assert body["pointer"] == f"/{name}"
    assert body["detail"] == f"{name} can be {', '.join(kind)}."


def test_questions_are_searched_by_meaning_within_a_filter(client):
    """The nearest first, and only those that fit."""
    page = client.get("/v1/questions", params={"q": "somebody took the credit for my work", "skill": "curiosity", "limit": 5}).json()
    scores = [one["score"] for one in page["data"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert {one["skill"] for one in page["data"]} == {"curiosity"}


@pytest.mark.parametrize("path", ["/v1/guidance", "/v1/questions"])
@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"after": "nobody"}, {"q": "x" * 1001}, {"q": "a\0b"}])
def test_what_is_not_the_contract_is_a_problem(client, path, params):
    """400, and nothing of what was sent is in it."""
    response = client.get(path, params=params)
    problem(response, 400, "malformed")
    assert "nobody" not in response.text


def test_without_the_encoder_words_are_counted_and_it_says_so(coach, monkeypatch):
    """It always answers."""
    embedder = FakeEmbedder(broken=True)
    monkeypatch.setattr(coach.library.shelves.first.embedder, "read", embedder.read)
    with serving(coach) as url:
        page = httpx.get(f"{url}/v1/guidance", params={"q": "handover between shifts"}).raise_for_status().json()
        assert [one["code"] for one in page["notices"]] == ["plain-matching"]
        assert len(page["data"]) == 20
        page = httpx.get(f"{url}/v1/questions", params={"q": "handover between shifts"}).raise_for_status().json()
        assert [one["code"] for one in page["notices"]] == ["plain-matching"]


def test_what_was_looked_for_is_not_logged(client, caplog):
    """Neither where it is found nor where it is refused."""
    caplog.set_level("DEBUG", logger="coach")
    for q in ("zebra-secret", "zebra\0secret"):
        client.get("/v1/guidance", params={"q": q})
    assert "zebra" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("coach"))


def test_the_page_about_the_library_names_every_address():
    """And the commands."""
    page = Path("coach/docs/knowledge.md").read_text(encoding="utf-8")
    for handler in (*library.HANDLERS, *own.HANDLERS):
        for path in handler.paths:
            assert path.replace("{name:str}", "{collection}").replace("{identifier:str}", "{id}") in page
    for told in ("coach index --add", "coach index --drop", "make bench-knowledge"):
        assert told in page


def test_the_documentation_describes_every_address_with_types_and_examples(client):
    """OpenAPI: parameters, answers, examples that have the fields of the real ones."""
    document = client.get("/schema/openapi.json").json()
    for handler in (*library.HANDLERS, *own.HANDLERS):
        (path,) = handler.paths
        for method in handler.http_methods - {"OPTIONS", "HEAD"}:
            operation = document["paths"][path.replace(":str}", "}")][method.lower()]
            assert operation["summary"]
            assert {"200", "500"} <= set(operation["responses"])
    for path in ("/v1/guidance", "/v1/questions"):
        answer = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        (example,) = answer["examples"].values()
        real = client.get(path, params={"limit": 1}).json()
        assert set(example["value"]) == set(real)
        assert set(example["value"]["data"][0]) | {"score", "collection"} == set(real["data"][0]) | {"score", "collection"}
    body = document["paths"]["/v1/knowledge/{name}/documents/{identifier}"]["put"]["requestBody"]["content"]["application/json"]
    assert OWN["title"] in json.dumps(body)
