import asyncio
import resource
import shutil
import subprocess
import sys
import threading

import pytest

from coach.knowledge.index import build, current
from coach.knowledge.library import WITHOUT_STORE, ChromaLibrary
from coach.knowledge.shelf import WITHOUT_ENCODER, Shelf, Shelves
from coach.knowledge.stores import REST, Store
from coach.model import Notice
from tests.conftest import ORDINARY
from tests.fakes import FakeEmbedder

TEXT = ORDINARY[0]["text"]


class Clock:
    """Stands still until told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def folder(tmp_path, coach):
    """A copy of the session's real index, to spoil."""
    shutil.copytree(coach.settings.data_dir / "index", tmp_path / "index")
    return tmp_path


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def library(folder, shelves, clock):
    return ChromaLibrary(shelves, Store(folder, clock))


async def test_it_finds_in_chroma_what_the_vectors_in_memory_say(library, shelves):
    """The same passages in the same order, at most one of a document, best first."""
    finding = await library.find(TEXT, 6)
    shelf, reading, _ = shelves.read(TEXT)
    assert finding.notices == ()
    assert [found.passage.id for found in finding.passages] == [found.passage.id for found in shelf.nearest(reading, 6)]
    assert len({found.passage.document for found in finding.passages}) == 6
    scores = [found.score for found in finding.passages]
    assert scores == sorted(scores, reverse=True)
    assert all(-1 <= score <= 1 for score in scores)


def spoil_missing(folder):
    shutil.rmtree(folder / "index")


def spoil_corrupt(folder):
    (current(folder) / "chroma" / "chroma.sqlite3").write_bytes(b"\xff" * 50_000)


def spoil_empty(folder):
    shutil.rmtree(current(folder) / "chroma")
    (current(folder) / "chroma").mkdir()


def spoil_truncated(folder):
    path = current(folder) / "chroma" / "chroma.sqlite3"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


@pytest.mark.parametrize("spoil", [spoil_missing, spoil_corrupt, spoil_empty, spoil_truncated])
async def test_without_chroma_it_answers_from_memory_says_so_and_recovers(folder, library, clock, coach, spoil):
    """Whatever happened to the folder, before the first query."""
    whole = await ChromaLibrary(library.shelves, Store(coach.settings.data_dir)).find(TEXT, 6)
    spoil(folder)
    broken = await library.find(TEXT, 6)
    assert broken.notices == (WITHOUT_STORE,)
    assert [found.passage for found in broken.passages] == [found.passage for found in whole.passages]
    assert [found.score for found in broken.passages] == pytest.approx([found.score for found in whole.passages], abs=0.0002)
    assert not await library.ready()

    shutil.rmtree(folder / "index", ignore_errors=True)
    shutil.copytree(coach.settings.data_dir / "index", folder / "index")
    assert (await library.find(TEXT, 6)).notices == (WITHOUT_STORE,)  # it rests before it tries again
    clock.now += REST + 1
    assert await library.find(TEXT, 6) == whole
    assert await library.ready()


async def test_a_store_that_hangs_keeps_nobody_waiting(library, monkeypatch):
    """A second at most once it is open, and the next query is not queued behind the hanging one."""
    await library.find(TEXT, 1)
    release = threading.Event()
    monkeypatch.setattr(library._store._shop.collection, "query", lambda **_: release.wait(30))
    async with asyncio.timeout(3):
        assert (await library.find(TEXT, 6)).notices == (WITHOUT_STORE,)
    async with asyncio.timeout(0.5):
        assert (await library.find(TEXT, 6)).notices == (WITHOUT_STORE,)
    release.set()


async def test_a_store_of_other_passages_is_no_store(tmp_path, knowledge):
    """An index that was left behind by another library is not quoted from."""
    embedder = FakeEmbedder()
    strange = Shelf.of(knowledge, embedder, _table(knowledge, embedder))
    build(tmp_path, _renamed(knowledge), embedder, lambda _done, _total: None)
    finding = await ChromaLibrary(Shelves(strange), Store(tmp_path)).find(TEXT, 3)
    assert finding.notices == (WITHOUT_STORE,)


async def test_when_the_encoder_fails_words_are_counted_and_the_answer_says_so(folder, knowledge):
    """It always answers."""
    embedder = FakeEmbedder()
    shelves = Shelves(Shelf.of(knowledge, embedder, _table(knowledge, embedder)))
    embedder.broken = True
    finding = await ChromaLibrary(shelves, Store(folder)).find(TEXT, 6)
    assert finding.notices == (WITHOUT_ENCODER,)
    assert len(finding.passages) == 6


async def test_what_the_operator_chose_is_said_with_every_finding(folder, shelves):
    """That texts leave the process, say."""
    notice = Notice("left-process", "It left.")
    assert notice in (await ChromaLibrary(shelves, Store(folder), (notice,)).find(TEXT, 1)).notices


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from coach.bootstrap import assemble
from coach.model import Challenge, Asked, Noticed
from coach.reflect import reflect
from coach.settings import Settings
coach = assemble(Settings(data_dir=Path(sys.argv[1])), lambda done, total: None)
async def main():
    challenge = Challenge("I snapped at him on the open line and nobody has mentioned it since that night.")
    events = [event async for event in reflect(challenge, coach.needs)]
    print(sum(isinstance(event, Asked) for event in events), [event.notice.code for event in events if isinstance(event, Noticed)], coach.in_memory)
asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no such limit on this system")
def test_on_a_disk_that_takes_no_more_the_service_still_answers(tmp_path):
    """No file may grow beyond 4 KB: the index cannot be written, so everything is kept in memory, and that is said."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout.strip() == "3 ['store-unavailable'] True", done.stderr[-2000:]


def _table(knowledge, embedder):
    from coach.knowledge.shelf import embed_missing, texts

    return embed_missing(texts(knowledge), {}, embedder, lambda _done, _total: None)


def _renamed(knowledge):
    from dataclasses import replace

    documents = tuple(
        replace(document, passages=tuple(replace(passage, id=f"old-{passage.id}") for passage in document.passages))
        for document in knowledge.documents[:2]
    )
    return replace(knowledge, documents=documents, version="old")
