"""What is kept because somebody asked, over HTTP: begun, gone on with, told about later, summed up, taken along, erased."""

import json
import time
from dataclasses import replace

import httpx
import pytest

from coach.kept import Answer, Entry, Reply
from coach.keys import Key
from coach.memory import ANSWER_NOT_KEPT, NOT_KEPT, go_on
from coach.model import Closed, Move, Noticed, Opened
from coach.store.engine import WAIT
from coach.store.journal import utc_now
from tests.conftest import CASES, WRITEUPS, serving
from tests.test_store import ENTRIES, KEY, _locked, done, kept

TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
CRISIS = next(row["text"] for row in WRITEUPS if row["flag"] == "crisis")
SCRIPTS = json.loads((CASES / "conversations.json").read_text(encoding="utf-8"))


def begun(client, text=TEXT, **more):
    """A reflection that is kept."""
    return client.post("/v1/reflections", json={"challenge": text, "store": True, **more}).raise_for_status().json()


def replied(client, identifier, **reply):
    """The answer to a reply."""
    return client.post(f"/v1/reflections/{identifier}/replies", json=reply)


def pointed(document, pointer):
    """What an RFC 6901 pointer points to."""
    for step in pointer.strip("/").split("/"):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def test_nothing_is_kept_unless_it_is_asked_for(client):
    """And the answer says which it was, before the first word and after the last."""
    answer = client.post("/v1/reflections", json={"challenge": TEXT}).json()
    assert answer["kept"] is None
    assert answer["privacy"]["stored"] is False
    assert "Nothing you write is kept here." in answer["disclosure"]
    assert client.get("/v1/reflections").json() == {"object": "list", "data": [], "next": None}
    answer = begun(client, retention_days=7)
    assert answer["privacy"]["stored"] is True
    assert answer["privacy"]["retention"] == "P7D"
    assert answer["kept"]["expires_at"][:10] in answer["disclosure"]
    assert answer["kept"]["continue_token"].startswith("ct_")
    assert [one["id"] for one in client.get("/v1/reflections").json()["data"]] == [answer["id"]]


def test_a_conversation_of_ten_exchanges_is_held_by_its_id_alone(client):
    """One acknowledgement and one question each; nothing twice; every quotation stands in the document that is kept."""
    answer = begun(client, count=3)
    identifier, asked = answer["id"], [question["text"] for question in answer["questions"]]
    for step in SCRIPTS["s01"]:
        answer = replied(client, identifier, text=step["reply"] or "", move=step["move"]).raise_for_status().json()
        assert answer["id"] == identifier
        assert len(answer["questions"]) <= 1
        asked += [question["text"] for question in answer["questions"]]
    whole = client.get(f"/v1/reflections/{identifier}").json()
    assert len(set(asked)) == len(asked)
    assert [question["text"] for one in whole["answers"] for question in one["questions"]] == asked
    assert [question["id"] for one in whole["answers"] for question in one["questions"]] == [f"q{number + 1}" for number in range(len(asked))]
    assert [one["reply"] for one in whole["exchanges"]] == [step["reply"] or "" for step in SCRIPTS["s01"]]
    quoted = [item for one in whole["answers"] if one["acknowledgement"] for item in one["acknowledgement"]["evidence"]]
    quoted += [item for one in whole["answers"] for question in one["questions"] for item in question["evidence"]]
    assert len(quoted) > 5
    for item in quoted:
        assert pointed(whole, item["of"])[item["start"] : item["end"]] == item["quote"]


def test_any_question_asked_can_be_answered_and_no_other(client):
    """The last one where none is named; the others are not asked again."""
    identifier = begun(client)["id"]
    answer = replied(client, identifier, text="He said nothing.", to="q2").json()
    assert answer["questions"][0]["id"] == "q4"
    problem = replied(client, identifier, text="He left.", to="q9").json()
    assert (problem["code"], problem["pointer"]) == ("malformed", "/to")
    assert "q1, q2, q3, q4" in problem["detail"]
    assert replied(client, identifier).json()["code"] == "malformed"
    assert client.get(f"/v1/reflections/{identifier}").json()["exchanges"][0]["to"] == "q2"


def test_the_same_events_come_one_by_one(client):
    """With the token in the first, and what became of the words in the last."""
    with client.stream("POST", "/v1/reflections", json={"challenge": TEXT, "store": True}, headers={"accept": "text/event-stream"}) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith(("event", "data"))]
    events = [(name[7:], json.loads(data[6:])) for name, data in zip(lines[::2], lines[1::2], strict=True)]
    assert [name for name, _ in events] == ["opened", "acknowledged", "asked", "asked", "asked", "closed"]
    assert events[0][1]["kept"]["continue_token"]
    assert events[-1][1]["privacy"]["stored"] is True
    with client.stream(
        "POST", f"/v1/reflections/{events[0][1]['id']}/replies", json={"text": "He left."}, headers={"accept": "text/event-stream"}
    ) as stream:
        assert [line[7:] for line in stream.iter_lines() if line.startswith("event")] == ["opened", "acknowledged", "asked", "closed"]


def test_a_crisis_is_not_kept_neither_at_the_beginning_nor_in_a_reply(client):
    """Where help is comes first, and nothing of it is stored."""
    answer = begun(client, CRISIS)
    assert answer["signpost"]["flag"] == "crisis"
    assert answer["kept"] is None
    assert answer["privacy"]["stored"] is False
    identifier = begun(client)["id"]
    answer = replied(client, identifier, text=CRISIS).json()
    assert answer["signpost"]["flag"] == "crisis"
    assert answer["privacy"]["stored"] is False
    assert client.get(f"/v1/reflections/{identifier}").json()["exchanges"] == []
    assert len(client.get("/v1/reflections").json()["data"]) == 1


def test_a_reflection_opens_with_its_token_and_with_no_other(client, remembering_coach):
    """Not with its id alone, not with another's token; and what is refused is refused in the same words as what never was."""
    mine, other = begun(client), begun(client)
    anybody = replace(remembering_coach, settings=replace(remembering_coach.settings, host="0.0.0.0", hosts="127.0.0.1"))
    with serving(anybody) as url:

        def asked(method, path, secret=None, **more):
            return httpx.request(method, url + path, headers={"authorization": f"Bearer {secret}"} if secret else {}, timeout=30, **more)

        here = f"/v1/reflections/{mine['id']}"
        assert asked("GET", here, mine["kept"]["continue_token"]).status_code == 200
        assert asked("POST", f"{here}/replies", mine["kept"]["continue_token"], json={"text": "He left."}).status_code == 200
        theirs = other["kept"]["continue_token"]
        refused = [
            asked("GET", here, theirs),
            asked("GET", "/v1/reflections/r_00000000000000000000000000", mine["kept"]["continue_token"]),
            asked("DELETE", here, theirs),
            asked("POST", f"{here}/replies", theirs, json={"text": "He left."}),
            asked("POST", f"{here}/report-backs", theirs, json={"tried": "It."}),
            asked("GET", f"{here}/summary", theirs),
            asked("PUT", f"{here}/summary", theirs, json={"seen": "It."}),
        ]
        assert {one.status_code for one in refused} == {404}
        assert len({one.json()["detail"] for one in refused}) == 1
        assert asked("GET", here).status_code == asked("DELETE", here).status_code == 401
        for method, path in (("GET", "/v1/reflections"), ("GET", "/v1/me/export"), ("DELETE", "/v1/me"), ("POST", "/v1/reflections")):
            for secret in (None, mine["kept"]["continue_token"], "ck_nobodys"):
                found = asked(method, path, secret)
                assert (found.status_code, found.json()["code"]) == (401, "unauthorized")
                assert found.headers["www-authenticate"].startswith("Bearer")
        assert asked("DELETE", here, mine["kept"]["continue_token"]).json()["reflections"] == 1


def test_the_holder_of_a_key_owns_what_was_kept_with_it(remembering_coach, holders):
    """Lists, takes along and erases it all; another's is not touched, and without a key nobody is anybody any more."""
    with serving(remembering_coach) as url, holder(url, "hr") as hr, holder(url, "lms") as lms:
        mine, theirs = [begun(hr)["id"] for _ in range(3)], begun(lms)["id"]
        first = hr.get("/v1/reflections", params={"limit": 2}).json()
        second = hr.get("/v1/reflections", params={"limit": 2, "after": first["next"]}).json()
        assert [one["id"] for one in first["data"] + second["data"]] == mine[::-1]
        assert second["next"] is None
        for none in ("zzz", "", theirs.upper(), theirs[:-1], f"{theirs}x", theirs.replace("r_", "s_", 1)):
            astray = hr.get("/v1/reflections", params={"after": none})
            assert (astray.status_code, astray.json()["pointer"]) == (400, "/after"), none
        assert hr.get(f"/v1/reflections/{theirs}").status_code == 404
        assert httpx.get(f"{url}/v1/reflections").status_code == 401
        assert (
            httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT, "store": True}, headers={"authorization": "Bearer ck_x"}).status_code == 401
        )
        lines = [json.loads(line) for line in hr.get("/v1/me/export").text.splitlines()]
        assert [one["id"] for one in lines[:-1]] == mine
        assert lines[-1] == {"object": "end", "reflections": 3, "sessions": 0}
        assert lines[0] == hr.get(f"/v1/reflections/{mine[0]}").json()
        assert hr.delete("/v1/me").json() == {"object": "erasure", "reflections": 3, "swept": True}
        assert hr.get("/v1/reflections").json()["data"] == []
        assert lms.get(f"/v1/reflections/{theirs}").status_code == 200


@pytest.fixture
async def holders(keys):
    """Two who were given a key."""
    for name in ("hr", "lms"):
        await keys.add(Key(name, utc_now()), f"ck_{name}")


def holder(url, name):
    """A caller with the key of that name."""
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer ck_{name}"}, timeout=60)


def test_who_comes_back_later_is_heard_and_asked_what_was_learned(client):
    """One acknowledgement in the words of the report, one question, kept with the rest."""
    identifier = begun(client)["id"]
    report = {"tried": "I asked him on Tuesday, in the car park.", "happened": "He said I had never asked before.", "learned": ""}
    answer = client.post(f"/v1/reflections/{identifier}/report-backs", json=report).json()
    assert answer["acknowledgement"]["text"].startswith("You come back with")
    assert {item["of"] for item in answer["acknowledgement"]["evidence"]} <= {"/report_backs/0/tried", "/report_backs/0/happened"}
    assert len(answer["questions"]) == 1
    whole = client.get(f"/v1/reflections/{identifier}").json()
    assert {name: whole["report_backs"][0][name] for name in report} == report
    for item in answer["acknowledgement"]["evidence"]:
        assert pointed(whole, item["of"])[item["start"] : item["end"]] == item["quote"]
    assert client.get("/v1/reflections").json()["data"][0]["report_backs"] == 1
    empty = client.post(f"/v1/reflections/{identifier}/report-backs", json={"tried": "  "})
    assert (empty.status_code, empty.json()["code"]) == (400, "malformed")
    assert replied(client, identifier, text="How little it took.").json()["questions"]


def test_a_later_reflection_carries_what_came_of_an_earlier_one(client):
    """Its words are heard and may be quoted, kept or not, and each quotation says where it stands."""
    report = {"tried": "I told the night shift that I had been wrong about the keys.", "happened": "Nobody laughed.", "learned": ""}
    body = {"challenge": "Now the day shift wants to know why I never told them.", "report_back": report, "store": True, "count": 4}
    answer = client.post("/v1/reflections", json=body).json()
    whole = client.get(f"/v1/reflections/{answer['id']}").json()
    assert whole["report_back"] == {"tried": report["tried"], "happened": report["happened"]}
    quoted = answer["acknowledgement"]["evidence"] + [item for one in answer["questions"] for item in one["evidence"]]
    assert "/report_back/tried" in {item["of"] for item in quoted}
    for item in quoted:
        assert pointed(body, item["of"])[item["start"] : item["end"]] == item["quote"]
    kept_quotes = [item for one in whole["answers"][0]["questions"] for item in one["evidence"]]
    assert kept_quotes == [item for one in answer["questions"] for item in one["evidence"]]
    reply = replied(client, answer["id"], text="They were right to ask.").json()
    assert reply["acknowledgement"]["evidence"][0]["of"] == "/exchanges/0/reply"


def test_a_summary_is_the_managers_own_words(client):
    """As answered to the last three questions, as JSON, Markdown and text; and as edited, if it was."""
    identifier = begun(client)["id"]
    said = {"seen": "That I was\nthe <loud> one & knew it.", "to_try": "Ask him.", "to_peers": "That I told it."}
    replied(client, identifier, move="wrap_up")
    for text in said.values():
        replied(client, identifier, text=text)
    here = f"/v1/reflections/{identifier}/summary"
    found = client.get(here).json()
    assert {name: found[name] for name in said} == said
    assert found["edited"] is False
    markdown = client.get(here, headers={"accept": "text/markdown"})
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "## What I see now\n\n> That I was\n> the &lt;loud> one &amp; knew it." in markdown.text
    plain = client.get(here, headers={"accept": "text/plain"}).text
    assert all(text in plain for text in said.values())
    replied(client, identifier, text="Please never tell them that I am seeing a doctor.")
    after = client.get(here).json()
    assert {name: after[name] for name in said} == said, "what is said after the end is no answer to a question that had one"
    edited = client.put(here, json={"seen": "I was loud."}).json()
    assert (edited["seen"], edited["to_try"], edited["edited"]) == ("I was loud.", "", True)
    assert client.get(here).json() == edited
    assert replied(client, identifier, text="One more thing.").status_code == 200


def test_who_decided_on_the_way_has_that_as_what_is_to_be_tried(client):
    """Word for word; and a reflection in which nothing was said has an empty summary that says so."""
    identifier = begun(client)["id"]
    here = f"/v1/reflections/{identifier}/summary"
    assert client.get(here, headers={"accept": "text/plain"}).text == "Nothing was written here yet.\n"
    replied(client, identifier, text="He is the quiet one.")
    replied(client, identifier, text="I'm going to ask him on Thursday.")
    assert client.get(here).json()["to_try"] == "I'm going to ask him on Thursday."
    other = begun(client)["id"]
    replied(client, other, move="wrap_up")
    replied(client, other, text="I see that I was afraid. I will talk to Yusuf on Monday.")
    found = client.get(f"/v1/reflections/{other}/summary").json()
    assert (found["seen"], found["to_try"]) == ("I see that I was afraid. I will talk to Yusuf on Monday.", "I will talk to Yusuf on Monday.")
    third = begun(client)["id"]
    replied(client, third, move="wrap_up")
    replied(client, third, text="That I was loud.")
    replied(client, third, move="skip")
    replied(client, third, text="I will tell them that I was loud.")
    found = client.get(f"/v1/reflections/{third}/summary").json()
    assert (found["to_try"], found["to_peers"]) == ("", "I will tell them that I was loud.")


def test_a_reply_sent_twice_is_kept_once(client):
    """Once answered, it is refused by name."""
    identifier = begun(client)["id"]
    assert replied(client, identifier, text="He left.", to="q1").status_code == 200
    again = replied(client, identifier, text="He left.", to="q1")
    assert (again.status_code, again.json()["code"]) == (409, "already-answered")
    assert len(client.get(f"/v1/reflections/{identifier}").json()["exchanges"]) == 1


def test_two_replies_at_once_are_both_kept_or_one_is_told(client):
    """Ten rounds: what was answered with 200 is there, in order, once; the other got 409."""
    identifier = begun(client)["id"]
    answered = []
    for number in range(10):
        with httpx.Client(base_url=client.base_url, timeout=60) as other:
            texts = [f"Reply {number} {side}, and he left." for side in ("left", "right")]
            calls = [_sending(each, identifier, text) for each, text in zip((client, other), texts, strict=True)]
            for call in calls:
                call.join()
        assert {call.status for call in calls} <= {200, 409}
        assert 200 in {call.status for call in calls}
        answered += [text for call, text in zip(calls, texts, strict=True) if call.status == 200]
    there = [one["reply"] for one in client.get(f"/v1/reflections/{identifier}").json()["exchanges"]]
    assert sorted(there) == sorted(answered)


def _sending(client, identifier, text):
    import threading

    def send():
        call.status = replied(client, identifier, text=text).status_code

    call = threading.Thread(target=send)
    call.start()
    return call


def test_a_conversation_has_an_end(client):
    """After 24 exchanges a new reflection is the way on."""
    identifier = begun(client)["id"]
    for number in range(24):
        assert replied(client, identifier, text=f"And then number {number} left.", move="deeper").status_code == 200
    full = replied(client, identifier, text="And then one more left.")
    assert (full.status_code, full.json()["code"]) == (409, "conversation-full")


def test_retention_is_the_operators_to_bound(client, remembering_coach):
    """Beyond it the request is refused with the bound; without a wish the default holds, and no more than the bound."""
    found = client.post("/v1/reflections", json={"challenge": TEXT, "store": True, "retention_days": 400})
    assert (found.status_code, found.json()["pointer"]) == (400, "/retention_days")
    assert "365" in found.json()["detail"]
    assert begun(client)["privacy"]["retention"] == "P30D"


def test_where_nothing_is_kept_the_answer_comes_and_says_so(coach):
    """`COACH_STORE=off`: asked to keep it, it does not; and there is nothing at the other addresses."""
    with serving(replace(coach, settings=replace(coach.settings, store="off"))) as url:
        answer = httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT, "store": True}, timeout=30).json()
        assert len(answer["questions"]) == 3
        assert answer["kept"] is None
        assert "keeps-nothing" in [notice["code"] for notice in answer["notices"]]
        assert httpx.get(f"{url}/v1/reflections").status_code == 404
        assert "journal" not in httpx.get(f"{url}/health/ready").json()["parts"]


@pytest.mark.parametrize("store", ["postgresql://root@127.0.0.1:1/none", "sqlite:////proc/none/kept.db"])
def test_where_it_cannot_be_kept_the_answer_comes_and_says_so(coach, store):
    """A database that is not there costs nobody the answer."""
    with serving(replace(coach, settings=replace(coach.settings, store=store))) as url:
        answer = httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT, "store": True}, timeout=30).json()
        assert len(answer["questions"]) == 3
        assert answer["privacy"]["stored"] is False
        assert NOT_KEPT.code in [notice["code"] for notice in answer["notices"]]
        read = httpx.get(f"{url}/v1/reflections/r_00000000000000000000000000")
        assert (read.status_code, read.json()["code"]) == (503, "journal-unavailable")
        assert int(read.headers["retry-after"]) >= 1
        assert httpx.get(f"{url}/health/ready").json()["parts"]["journal"] != "ok"


async def test_a_locked_database_is_503_with_retry_after(client, database):
    """After a bounded wait; nothing was changed, and it goes on when the lock is gone."""
    identifier = begun(client)["id"]
    async with _locked(database):
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as other:
            found = await other.post(f"/v1/reflections/{identifier}/replies", json={"text": "He left."})
            new = await other.post("/v1/reflections", json={"challenge": TEXT, "store": True})
        assert time.monotonic() - began < 4 * WAIT
    for each in (found, new):
        assert (each.status_code, each.json()["code"]) == (503, "journal-busy")
        assert each.headers["retry-after"] == "1"
    assert replied(client, identifier, text="He left.").status_code == 200
    assert len(client.get(f"/v1/reflections/{identifier}").json()["exchanges"]) == 1


async def test_what_was_said_and_not_answered_is_answered_later(remembering_coach, memory):
    """As after a crash: an empty reply, or the same one again, brings the question; it is kept once."""
    one = replace(kept(text=TEXT), created=memory.now(), expires=kept().expires.replace(year=2100))
    await memory.journal.begin(one)
    events = [event async for event in go_on(one, None, remembering_coach.needs, memory)]
    assert [type(event).__name__ for event in events].count("Asked") == 3
    first = await memory.journal.read(one.id)
    reply = Reply("q1", first.entries[0].said.questions[0].draft.text, "He left.", Move.REPLY)
    await memory.journal.add(one.id, 1, Entry(memory.now(), reply))
    for again in (reply, None):
        events = [event async for event in go_on(await memory.journal.read(one.id), again, remembering_coach.needs, memory)]
        assert [type(event).__name__ for event in events] == ["Opened", "Acknowledged", "Asked", "Closed"]
        found = await memory.journal.read(one.id)
        assert [type(entry.said) for entry in found.entries] == [Answer, Reply, Answer]
        await done(memory.journal, "DELETE FROM entries WHERE seq = 2")


async def test_an_answer_that_cannot_be_kept_is_given_and_says_so(remembering_coach, memory):
    """The reply is there; the answer is not, and its notice says how to get one."""
    one = replace(kept(text=TEXT), created=memory.now(), expires=kept().expires.replace(year=2100))
    await memory.journal.begin(one)
    await memory.journal.add(one.id, 0, replace(ENTRIES[0], at=memory.now()))
    now = await memory.journal.read(one.id)
    events = []
    async for event in go_on(now, Reply("q1", 'What is "everyone"?', "He left."), remembering_coach.needs, memory):
        events.append(event)
        if isinstance(event, Opened):  # another answer takes its place meanwhile
            await memory.journal.add(one.id, 2, replace(ENTRIES[0], at=memory.now()))
    assert isinstance(events[-1], Closed)
    assert Noticed(ANSWER_NOT_KEPT) in events
    assert [type(entry.said) for entry in (await memory.journal.read(one.id)).entries] == [Answer, Reply, Answer]


def test_kept_texts_are_encrypted_where_there_is_a_key(remembering_coach, database):
    """And everything works as without."""
    sealed = replace(remembering_coach, settings=replace(remembering_coach.settings, store_key=KEY))
    with serving(sealed) as url, httpx.Client(base_url=url, timeout=60) as client:
        identifier = begun(client)["id"]
        assert replied(client, identifier, text="He left.").status_code == 200
        assert client.get(f"/v1/reflections/{identifier}").json()["challenge"] == TEXT
        if database.startswith("sqlite"):
            folder = database.removeprefix("sqlite:///").rpartition("/")[0]
            assert _found(folder, TEXT[:30]) == []


def _found(folder, words):
    from pathlib import Path

    return [path.name for path in Path(folder).rglob("*") if path.is_file() and words.encode() in path.read_bytes()]
