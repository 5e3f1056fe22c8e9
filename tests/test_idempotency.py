"""A request that is sent again is done once, and answered with the same bytes: in one process, and in several that share a Redis."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
import redis as redis_client

from coach.bootstrap import keyring
from coach.settings import Settings
from coach.web import replays as remembering
from coach.web.limits import pool_of
from coach.web.replays import DAY, Answer, Memory, Named, Replays
from tests.conftest import REDIS, WRITEUPS, modelled, serving
from tests.provider import FakeProvider, answering, drafted
from tests.test_keys import added

TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
BODY = {"challenge": TEXT, "count": 2}
NAME = "7b5f2a1e-0d5d-4a8c-9a53-2f6f0a0a1c11"

one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(params=["memory", "redis"])
def place(request):
    """Where answers are remembered, as COACH_REDIS names it."""
    if request.param == "memory":
        return ""
    return request.getfixturevalue("shared_redis")


@pytest.fixture
def service(remembering_coach, place):
    """A service that keeps things and remembers answers."""
    with serving(replace(remembering_coach, settings=replace(remembering_coach.settings, redis=place))) as url:
        yield url


def sent(url, name=NAME, path="/v1/reflections", headers=None, **body):
    """One request under a name."""
    return httpx.post(
        f"{url}{path}", json={**BODY, **body} if path == "/v1/reflections" else body, headers={"idempotency-key": name, **(headers or {})}, timeout=60
    )


@one_database
def test_the_same_request_gets_the_same_bytes_and_is_done_once(service):
    """Kept once, too; another name is another request."""
    first, again = sent(service, store=True), sent(service, store=True)
    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert sent(service, name="another", store=True).json()["id"] != first.json()["id"]
    assert len(httpx.get(f"{service}/v1/reflections").json()["data"]) == 2


@one_database
def test_another_body_under_the_name_is_refused(service):
    """422; also another address, and another form of the answer."""
    sent(service)
    for other in (
        sent(service, count=3),
        sent(service, headers={"accept": "text/event-stream"}),
        sent(service, path="/v1/checks", texts=["What do you see?"]),
    ):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    for wrong in ("with space", "x" * 256, ""):
        assert sent(service, name=wrong).json()["code"] == "malformed"


@one_database
def test_a_stream_comes_again_as_it_was(service):
    """Event by event, to the byte."""
    asked = {"accept": "text/event-stream"}
    first, again = sent(service, headers=asked), sent(service, headers=asked)
    assert first.text.count("event: asked") == 2
    assert again.content == first.content
    assert again.headers["content-type"].startswith("text/event-stream")


@one_database
def test_what_went_wrong_is_not_remembered(service):
    """Sent again it is tried again."""
    assert sent(service, challenge="Too thin.").status_code == 422
    assert sent(service, challenge="Too thin.").headers.get("idempotency-replayed") is None
    assert sent(service).status_code == 200


@pytest.mark.parametrize("place", ["memory", "redis"], indirect=True)
def test_fifty_at_once_make_one_call(coach, place):
    """One is answered, the others are told to come again in a moment, and then get its answer."""
    with FakeProvider(answering(drafted("What did you see in his face?", "What is yours in it?"), delay=0.02)) as provider:
        busy = modelled(coach, provider.url, redis=place, most_waiting=100)
        with serving(busy) as url, ThreadPoolExecutor(50) as crowd:
            start = threading.Barrier(50)

            def one(_number):
                start.wait(30)
                return sent(url, count=1)

            answers = list(crowd.map(one, range(50)))
            again = sent(url, count=1)
        assert len(provider.calls) <= 2, "one for drafts and, if some are missing, one for the rest"
        once = len(provider.calls)
    codes = [one.status_code for one in answers]
    assert set(codes) <= {200, 409}
    assert {one.json()["code"] for one in answers if one.status_code == 409} <= {"idempotency-in-flight"}
    assert all(one.headers["retry-after"] == "1" for one in answers if one.status_code == 409)
    assert {one.content for one in answers if one.status_code == 200} == {again.content}
    assert sum("idempotency-replayed" not in one.headers for one in answers if one.status_code == 200) == 1
    assert once >= 1


@one_database
def test_two_callers_may_use_one_name(remembering_coach, place):
    """What one was answered is not the other's; a publishable key's visitors are told apart by their names alone."""
    coach = replace(remembering_coach, settings=replace(remembering_coach.settings, redis=place))

    async def give():
        keys = keyring(coach.settings)
        secrets = [await added(keys, name=name) for name in ("hr", "lms")]
        await keys.close()
        return secrets

    hr, lms = asyncio.run(give())
    with serving(coach) as url:
        mine = sent(url, headers={"authorization": f"Bearer {hr}"})
        theirs = sent(url, headers={"authorization": f"Bearer {lms}"})
        assert mine.json()["id"] != theirs.json()["id"]
        assert "idempotency-replayed" not in theirs.headers
        assert sent(url, headers={"authorization": f"Bearer {hr}"}).content == mine.content


@one_database
def test_what_is_erased_is_not_answered_again(service):
    """Neither one reflection nor all of an owner's: the same request is then a new one."""
    first = sent(service, store=True).json()
    path = f"/v1/reflections/{first['id']}/replies"
    reply = {"text": "He left, and I did not go after him."}
    assert sent(service, name="reply", path=path, **reply).content == sent(service, name="reply", path=path, **reply).content
    httpx.delete(f"{service}/v1/reflections/{first['id']}").raise_for_status()
    assert sent(service, name="reply", path=path, **reply).status_code == 404
    anew = sent(service, store=True)
    assert anew.json()["id"] != first["id"]
    unkept = sent(service, name="unkept").json()
    httpx.delete(f"{service}/v1/me").raise_for_status()
    assert sent(service, name="unkept").json()["id"] != unkept["id"]


@one_database
def test_what_stands_in_redis_nobody_can_read(remembering_coach, shared_redis):
    """Not a word of the text, of the name or of a secret; and it ends within a day."""
    with serving(replace(remembering_coach, settings=replace(remembering_coach.settings, redis=shared_redis))) as url:
        sent(url, headers={"authorization": "Bearer something-of-mine"})
    found = redis_client.Redis.from_url(REDIS)
    everything = [(key, found.get(key) if found.type(key) == b"string" else b"") for key in found.scan_iter("*")]
    replayed = [key for key, _ in everything if key.startswith(b"coach:replay:")]
    assert len(replayed) == 1
    assert DAY - 60 < found.ttl(replayed[0]) <= DAY
    whole = b"".join(key + value for key, value in everything)
    for piece in (b"ward manager", b"discharge", NAME.encode(), b"something-of-mine", b"question"):
        assert piece not in whole
    found.close()


async def test_where_redis_goes_away_this_process_remembers(caplog):
    """Nobody is refused for it."""
    remembered = Replays(pool_of(Settings(redis="redis://127.0.0.1:1/0")))
    named = Named.of("hr", "ck_x", NAME, b"body")
    assert await remembered.claim(named) is None
    await remembered.remember(named, Answer(200, [], b"said"))
    assert (await remembered.claim(named)).body == b"said"
    assert "Redis" in caplog.text


async def test_memory_forgets_the_oldest_and_what_has_expired(monkeypatch):
    """It does not grow, and a request that died holds its name for three minutes at most."""
    memory, now = Memory(), [0.0]
    monkeypatch.setattr(remembering.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(remembering, "MOST_BYTES", 250)
    for number in range(4):
        assert await memory.claim(f"p{number}", "hr", b"0") is None
        await memory.put(f"p{number}", "hr", b"1" + bytes(99))
    assert await memory.claim("p0", "hr", b"0") is None
    assert (await memory.claim("p3", "hr", b"0"))[:1] == b"1"
    now[0] = remembering.LEASE + 1
    assert await memory.claim("p0", "hr", b"0") is None
    now[0] = DAY + remembering.LEASE + 2
    assert await memory.claim("p3", "hr", b"0") is None
    await memory.drop_owner("hr")
    assert memory._bytes == 0


def test_a_key_is_told_by_its_name():
    """So that a rotated key's holder gets the answers of before only with the secret they were asked with."""
    one, other = (Named.of("key hr", secret, NAME, b"body") for secret in ("ck_a", "ck_b"))
    assert one.owner == other.owner
    assert one.place != other.place
    assert one.key != other.key


def test_a_stream_that_broke_off_is_not_an_answer(coach, place):
    """Sent again it is answered anew."""
    calls = []

    async def broken(call):
        calls.append(1)
        await call.head()
        await call.delta('{"acknowledgement": "You write')

    with FakeProvider(broken) as provider:
        failing = modelled(coach, provider.url, redis=place)
        with serving(failing) as url:
            asked = {"accept": "text/event-stream"}
            body = {"engine": "llm", "fallback": "never"}
            first, again = (sent(url, headers=asked, **body) for _ in range(2))
    assert "event: failed" in first.text
    assert "idempotency-replayed" not in again.headers
    assert json.loads(first.text.rsplit("data: ", 1)[1])["code"].startswith("model")
