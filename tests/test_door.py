"""Who is let in when too many come."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

import httpx
import pytest

from coach.errors import Busy
from coach.knowledge.library import ChromaLibrary
from coach.knowledge.stores import Store
from coach.reflect import Answering
from coach.web.door import FEW, LONGEST_WAIT, Door
from tests.conftest import serving
from tests.fakes import FakeWriter

CHALLENGE = {"challenge": "My team and I do not see eye to eye about Mondays."}


@dataclass
class Queue:
    """A library with so many write-ups before it, the first of which has waited so long."""

    waiting: int
    waited: float
    stays: bool = True


def door(coach, waiting, waited, **settings):
    return Door(replace(coach, library=Queue(waiting, waited), settings=replace(coach.settings, **settings)))


@pytest.mark.parametrize(
    ("waiting", "waited", "let_in"),
    [(0, 0.0, True), (15, 0.0, True), (16, 0.0, False), (FEW - 1, 9.0, True), (FEW, LONGEST_WAIT + 0.01, False), (FEW, LONGEST_WAIT - 0.01, True)],
)
def test_a_crowd_that_comes_at_once_is_let_in_and_a_standing_queue_does_not_grow(coach, waiting, waited, let_in):
    """What counts is whether the queue shortens; a few are always well."""
    tried = door(coach, waiting, waited)
    if let_in:
        tried.check()
    else:
        with pytest.raises(Busy):
            tried.check()


class Holding(FakeWriter):
    """Goes on when it is told."""

    def __init__(self):
        super().__init__(())
        self.begun, self.free = Event(), Event()

    async def draft(self, challenge, finding, language, asked=()):
        self.begun.set()
        await asyncio.to_thread(self.free.wait, 30)
        return
        yield


def test_beyond_the_bound_it_says_so_at_once_and_when_to_come_back(coach):
    """503 with Retry-After, as a problem document and for streams too; who is inside is still answered."""
    writer = Holding()
    full = replace(coach, settings=replace(coach.settings, most_open=1), needs=replace(coach.needs, bank=Answering(writer, "A program.")))
    with serving(full) as url, ThreadPoolExecutor(1) as aside, httpx.Client(base_url=url, timeout=30) as client:
        inside = aside.submit(httpx.post, f"{url}/v1/reflections", json=CHALLENGE, timeout=30)
        assert writer.begun.wait(20)
        for accept in ("application/json", "text/event-stream"):
            refused = client.post("/v1/reflections", json=CHALLENGE, headers={"accept": accept})
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.json()["type"].endswith("busy")
        writer.free.set()
        assert inside.result().status_code == 200
        assert client.post("/v1/reflections", json=CHALLENGE).status_code == 200


async def test_the_library_knows_who_waits_and_for_how_long(coach, monkeypatch):
    """Those being read do not wait any more; whoever leaves the queue is forgotten."""
    library = ChromaLibrary(coach.library.shelves, Store(coach.settings.data_dir))
    free = Event()
    read = library.shelves.read
    monkeypatch.setattr(library.shelves, "read", lambda text, hide: (free.wait(10), read(text))[1])
    assert (library.waiting, library.waited) == (0, 0.0)
    finding = [asyncio.ensure_future(library.find(f"Case {number}", 1)) for number in range(5)]
    await asyncio.sleep(0.2)
    assert library.waiting == 5 - library.shelves.first.embedder.at_once
    assert 0.1 < library.waited < 5
    finding[-1].cancel()
    await asyncio.sleep(0.01)
    assert library.waiting == 4 - library.shelves.first.embedder.at_once
    free.set()
    await asyncio.gather(*finding[:-1])
    assert (library.waiting, library.waited) == (0, 0.0)
