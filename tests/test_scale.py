"""Two services behind one address, as settings alone make them: one is killed and nothing acknowledged is lost, limits are one, Chroma may go."""

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import httpx
import pytest

from coach.errors import SettingsError
from coach.store import SqlJournal
from coach.store.engine import address
from coach.store.sealing import Sealer
from tests.conftest import WRITEUPS, emptied_redis, new_database
from tests.scale import Two
from tests.soak import KINDS, grown
from tests.test_keys import as_, given

TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
RATE, ENOUGH, WRITERS = 40, 20, 4
SEEN = {200, 409, 503}


@dataclass
class Shared:
    """What the tests of this file have in common."""

    two: Two
    secret: str
    new_key: object


@pytest.fixture(scope="module")
def started(coach, postgres, tmp_path_factory):
    """Both services, each with a data folder of its own; a key without a bound, and a way to more keys."""
    folder = tmp_path_factory.mktemp("two")
    for name in "01":
        shutil.copytree(coach.settings.data_dir / "index", folder / name / "index")
    with new_database(postgres) as store, emptied_redis(10) as redis:
        kept = replace(coach, settings=replace(coach.settings, store=store))
        secret = given(kept, name="load", per_minute=1_000_000)
        settings = {"COACH_STORE": store, "COACH_REDIS": redis, "COACH_RATE": str(RATE), "COACH_ADDRESS_RATE": "1000000", "COACH_LOG": "json"}
        with Two(folder, settings) as two:
            yield Shared(two, secret, lambda name: given(kept, name=name))


@pytest.fixture
def shared(started):
    """All of it up, whatever an earlier test has done to it."""
    started.two.start("chroma", 0, 1)
    return started


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@dataclass
class Written:
    """What one reflection was acknowledged to hold."""

    challenge: str
    asked: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)


class Writer(threading.Thread):
    """Writes reflections, whole and streamed, and replies, until told to stop. The ledger has what was acknowledged, and nothing else."""

    def __init__(self, url, secret, number):
        super().__init__(daemon=True)
        self.ledger, self.cut, self.statuses, self.stop = {}, 0, set(), threading.Event()
        self._url, self._headers, self._number = url, as_(secret), number

    def run(self):
        case = 0
        while not self.stop.is_set():
            case += 1
            with httpx.Client(base_url=self._url, headers=self._headers, timeout=30) as client:
                try:
                    name = (self._streamed if case % 3 == 0 else self._whole)(client, f"Case {case} of writer {self._number}. {TEXT}")
                except httpx.TransportError:
                    self.cut += 1
                    continue
            for turn in range(2 if name else 0):
                self._replied(name, f"Then I said number {turn}, and he left.")

    def _whole(self, client, text):
        answer = client.post("/v1/reflections", json={"challenge": text, "store": True})
        self.statuses.add(answer.status_code)
        if answer.status_code != 200:
            return None
        told = answer.json()
        assert told["privacy"]["stored"]
        self.ledger[told["id"]] = Written(text, [question["text"] for question in told["questions"]])
        return told["id"]

    def _streamed(self, client, text):
        """Kept is what `opened` says is kept, though the rest may never come."""
        name, event = None, ""
        with client.stream("POST", "/v1/reflections", json={"challenge": text, "store": True}, headers={"accept": "text/event-stream"}) as answer:
            self.statuses.add(answer.status_code)
            for line in answer.iter_lines():
                event = line.removeprefix("event: ") if line.startswith("event: ") else event
                if event == "opened" and line.startswith("data: "):
                    told = json.loads(line.removeprefix("data: "))
                    assert told["kept"]
                    name = told["id"]
                    self.ledger[name] = Written(text)
        return name

    def _replied(self, name, text):
        """A reply whose answer was cut off is sent once more; that it is there already is an acknowledgement too."""
        for _ in range(2):
            try:
                answer = httpx.post(f"{self._url}/v1/reflections/{name}/replies", json={"text": text}, headers=self._headers, timeout=30)
            except httpx.TransportError:
                self.cut += 1
                continue
            self.statuses.add(answer.status_code)
            if answer.status_code == 200 or (answer.status_code == 409 and answer.json()["code"] == "already-answered"):
                self.ledger[name].replies.append(text)
            return


def test_one_of_two_is_killed_under_load_and_nothing_acknowledged_is_lost(shared):
    """The other goes on; it has all of the ledger, word for word; the one that died is started again and has it too."""
    writers = [Writer(shared.two.url, shared.secret, number) for number in range(WRITERS)]

    def acknowledged():
        return sum(1 + len(one.replies) for writer in writers for one in list(writer.ledger.values()))

    for writer in writers:
        writer.start()
    until(lambda: acknowledged() > ENOUGH)
    shared.two.kill(0)
    before = acknowledged()
    until(lambda: acknowledged() > before + ENOUGH)
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join(30)
        assert not writer.is_alive()
    assert set.union(*(writer.statuses for writer in writers)) <= SEEN
    assert sum(writer.cut for writer in writers) > 0, "nobody noticed: it was not killed under load"
    ledger = {name: written for writer in writers for name, written in writer.ledger.items()}
    holds_all_of(shared.two.urls[1], shared.secret, ledger)
    shared.two.start(0)
    holds_all_of(shared.two.urls[0], shared.secret, ledger)


def holds_all_of(url, secret, ledger):
    """Read one by one over HTTP, and listed."""
    with httpx.Client(base_url=url, headers=as_(secret), timeout=30) as client:
        for name, written in ledger.items():
            found = client.get(f"/v1/reflections/{name}").raise_for_status().json()
            assert found["challenge"] == written.challenge
            assert [one["reply"] for one in found["exchanges"]][: len(written.replies)] == written.replies
            assert [one["text"] for answer in found["answers"] for one in answer["questions"]][: len(written.asked)] == written.asked
        listed, after = set(), {}
        while True:
            page = client.get("/v1/reflections", params={"limit": 100, **after}).raise_for_status().json()
            listed |= {one["id"] for one in page["data"]}
            if not page["next"]:
                break
            after = {"after": page["next"]}
        assert set(ledger) <= listed


def test_a_limit_is_one_limit_for_both(shared):
    """Of 120 requests at once to both, COACH_RATE are answered, and not one more; each process has answered some."""
    secret = shared.new_key("counted")
    if (late := time.time() % 60) > 50:
        time.sleep(61 - late)  # a window that ends in the middle makes a little room

    def ask(number):
        url, body = shared.two.urls[number % 2], {"texts": ["What do you see?"]}
        return number % 2, httpx.post(f"{url}/v1/checks", json=body, headers=as_(secret), timeout=30)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(120)))
    assert [answer.status_code for _, answer in answers].count(200) == RATE
    assert [answer.status_code for _, answer in answers].count(429) == 120 - RATE
    assert {place for place, answer in answers if answer.status_code == 200} == {0, 1}


def test_without_the_chroma_server_answers_come_from_memory_and_it_is_used_again_when_it_is_back(shared):
    """The same questions, with a notice; the notice goes by itself."""

    def asked():
        bodies = [
            httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT}, headers=as_(shared.secret), timeout=30).raise_for_status().json()
            for url in shared.two.urls
        ]
        notices = [{one["code"] for one in body["notices"]} for body in bodies]
        return [[one["text"] for one in body["questions"]] for body in bodies], ["store-unavailable" in one for one in notices]

    there, without = asked()
    assert without == [False, False]
    assert there[0] == there[1]
    shared.two.kill("chroma")
    try:
        alone, without = asked()
    finally:
        shared.two.start("chroma")
    assert without == [True, True]
    assert alone == there
    until(lambda: asked()[1] == [False, False])
    assert asked()[0] == there


async def test_the_address_of_a_hosted_database_is_taken_as_it_is_given(fresh_postgres, tmp_path):
    """They write `sslmode`; what it says is heeded. What could not be heeded is named instead of left out."""
    assert dict(address("postgresql://a:b@c/d?sslmode=verify-full", tmp_path).query) == {"ssl": "verify-full"}
    with pytest.raises(SettingsError, match="COACH_STORE: has an option that is not known here: channel_binding"):
        address("postgresql://a:b@c/d?sslmode=require&channel_binding=require", tmp_path)
    journal = SqlJournal(f"{fresh_postgres}?sslmode=prefer", tmp_path, Sealer(""))
    await journal.open()
    assert await journal.ready()
    await journal.close()


def test_a_soak_tells_what_grows_from_what_stays():
    """More than 5% from half time, or from the fifth minute of a long run, to the last minute; what grew before that is warming up."""

    def samples(minutes, memory):
        return [(at * 10.0, {**dict.fromkeys(KINDS, 40), "memory": memory(at * 10.0)}) for at in range(1, minutes * 6 + 1)]

    def grew(found):
        return {kind for kind, *_, more in grown(found) if more}

    for minutes in (1, 5, 30):
        assert grew(samples(minutes, lambda _at: 500e6)) == set()
        assert grew(samples(minutes, lambda at, end=minutes * 60: 500e6 * (1 + at / end))) == {"memory"}
    assert grew(samples(30, lambda at: 500e6 * min(1, 0.5 + at / 500))) == set()
