"""The write-ups of managers, through every door."""

import json

import httpx
import pytest

from coach import guard
from tests.conftest import ORDINARY, WRITEUPS, rows

ALL = [row for row in [*WRITEUPS, *rows("writeups_more.jsonl")] if row["flag"] in {None, "injection"}]  # test_safety.py has the others


@pytest.fixture(scope="module")
def answers(served):
    """Each write-up's answer over HTTP."""
    with httpx.Client(base_url=served, timeout=30) as client:
        return {row["id"]: client.post("/v1/reflections", json={"challenge": row["text"]}).raise_for_status().json() for row in ALL}


def evidence(answer):
    return [item for part in (answer["acknowledgement"], *answer["questions"]) for item in part["evidence"]]


def test_every_write_up_gets_a_valid_answer(answers):
    """Heard, and asked three things, each beside a passage."""
    for name, answer in answers.items():
        assert answer["acknowledgement"]["text"], name
        assert len(answer["questions"]) == 3, name
        assert all(question["guidance"] for question in answer["questions"]), name


def test_no_question_of_any_answer_is_refused_by_the_guard(answers):
    """Judged once more, from outside."""
    for answer in answers.values():
        for question in answer["questions"]:
            assert guard.check(question["text"]).accept, question["text"]


def test_every_quotation_is_verbatim(answers):
    """Character by character, at its offsets."""
    for row in ALL:
        for item in evidence(answers[row["id"]]):
            assert row["text"][item["start"] : item["end"]] == item["quote"]


def test_the_ordinary_ones_differ(answers):
    """No question in more than 5 of the 20."""
    templates = []
    for row in ORDINARY:
        for question in answers[row["id"]]["questions"]:
            text = question["text"]
            for item in question["evidence"]:
                text = text.replace(item["quote"], "{quote}")
            templates.append(text)
    assert max(map(templates.count, templates)) <= 5


def hits(some, answers):
    found = 0
    for row in some:
        places = [(start, start + len(anchor)) for anchor in row["anchors"] if (start := row["text"].find(anchor)) >= 0]
        found += any(item["start"] < end and start < item["end"] for item in evidence(answers[row["id"]]) for start, end in places)
    return found


def test_it_picks_up_what_a_coach_would(answers):
    """At least 14 of the 20 ordinary answers overlap an anchor; and 21 of the 30 write-ups that nothing was tuned on."""
    assert hits(ORDINARY, answers) >= 14
    assert hits(rows("writeups_more.jsonl"), answers) >= 21


def test_every_write_up_gets_the_same_as_events(served, answers):
    """As a stream."""
    with httpx.Client(base_url=served, timeout=30, headers={"accept": "text/event-stream"}) as client:
        for row in ALL:
            text = client.post("/v1/reflections", json={"challenge": row["text"]}).raise_for_status().text
            asked = [json.loads(line[6:])["question"] for line in text.splitlines() if line.startswith('data: {"question"')]
            assert asked == answers[row["id"]]["questions"]
            assert "event: closed" in text
