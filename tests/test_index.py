import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import filelock
import numpy as np
import pytest

from coach import guard
from coach.errors import IndexLocked, IndexMismatch, IndexMissing, KnowledgeError
from coach.knowledge.index import COLLECTION, build, chroma_client, current, manifest, vectors
from coach.knowledge.shelf import Shelf, key, texts
from tests.fakes import FakeEmbedder


def quiet(_done, _total):
    """No bar."""


@pytest.fixture
def small(knowledge):
    """A library of three documents and a dozen questions."""
    return replace(knowledge, documents=knowledge.documents[:3], questions=knowledge.questions[:12], version="small")


def test_a_new_index_holds_every_passage_and_every_vector(tmp_path, small):
    """In Chroma and beside it."""
    built = build(tmp_path, small, FakeEmbedder(), quiet)
    there = current(tmp_path)
    assert built.embedded == len({key(text) for text in texts(small)})
    assert chroma_client(there / "chroma").get_collection(COLLECTION, embedding_function=None).count() == len(small.passages)
    assert Shelf.of(small, FakeEmbedder(), vectors(there, FakeEmbedder())).passages.shape == (len(small.passages), 2)


def test_only_what_changed_is_embedded_again(tmp_path, small):
    """One question more, two texts more."""
    build(tmp_path, small, FakeEmbedder(), quiet)
    question = replace(small.questions[0], id="new", text="What is new?", when="Something was added to the bank.")
    embedder = FakeEmbedder()
    built = build(tmp_path, replace(small, questions=(*small.questions, question), version="more"), embedder, quiet)
    assert sorted(embedder.embedded) == ["Something was added to the bank.", "What is new?"]
    assert (built.embedded, built.switched) == (2, True)
    assert manifest(current(tmp_path)).knowledge == "more"


def test_a_question_that_only_the_head_refuses_gets_into_no_index(tmp_path, small):
    """The phrases pass it when the files are read; the whole guard does not when they are indexed."""
    smuggled = "What sort of apology would the volunteers accept from you?"
    assert guard.check(smuggled, scope="phrases").accept
    spoiled = replace(small.questions[0], id="smuggled-001", text=smuggled)
    with pytest.raises(KnowledgeError, match="smuggled-001.text: the guard refuses it as directive"):
        build(tmp_path, replace(small, questions=(*small.questions, spoiled), version="spoiled"), FakeEmbedder(), quiet)


def test_an_index_that_is_up_to_date_is_left_alone(tmp_path, small):
    """The same build stays in use."""
    build(tmp_path, small, FakeEmbedder(), quiet)
    before = current(tmp_path)
    assert not build(tmp_path, small, FakeEmbedder(), quiet).switched
    assert current(tmp_path) == before


def test_a_damaged_store_is_built_again(tmp_path, small):
    """The vectors are kept, the store is made anew."""
    build(tmp_path, small, FakeEmbedder(), quiet)
    before = current(tmp_path)
    (before / "chroma" / "chroma.sqlite3").write_bytes(b"not a database" * 1000)
    built = build(tmp_path, small, FakeEmbedder(), quiet)
    assert (built.embedded, built.switched) == (0, True)
    assert current(tmp_path) != before


def test_another_embedders_index_is_an_error_that_says_how_to_rebuild(tmp_path, small):
    """Vectors of two models are never compared."""
    build(tmp_path, small, FakeEmbedder(), quiet)
    with pytest.raises(IndexMismatch, match="made by fake-1, and the embedder is fake-2. `coach index` rebuilds it"):
        vectors(current(tmp_path), FakeEmbedder("fake-2"))
    assert build(tmp_path, small, FakeEmbedder("fake-2"), quiet).kept == 0


def test_one_writer_at_a_time(tmp_path, small):
    """The second one is told, and touches nothing."""
    (tmp_path / "index").mkdir()
    with filelock.FileLock(tmp_path / "index" / "lock"), pytest.raises(IndexLocked, match="Another process"):
        build(tmp_path, small, FakeEmbedder(), quiet)
    assert build(tmp_path, small, FakeEmbedder(), quiet).switched


@pytest.mark.parametrize("spoil", ["current", "manifest.json", "vectors.npz"])
def test_a_missing_or_broken_file_is_a_missing_index(tmp_path, small, spoil):
    """Not an exception from the depths."""
    build(tmp_path, small, FakeEmbedder(), quiet)
    path = tmp_path / "index" / spoil if spoil == "current" else current(tmp_path) / spoil
    path.write_bytes(b"?")
    with pytest.raises(IndexMissing):
        vectors(current(tmp_path), FakeEmbedder())


def test_old_builds_are_cleared_away_but_for_the_last(tmp_path, small):
    """A process that still reads the previous one is not cut off."""
    for version in "abcd":
        build(tmp_path, replace(small, version=version), FakeEmbedder(), quiet)
    assert len(list((tmp_path / "index").glob("build-*"))) == 2


BUILDER = """
import sys
from dataclasses import replace
from pathlib import Path
from coach.knowledge.files import load
from coach.knowledge.index import build
from coach.knowledge.where import data_folder
from tests.fakes import FakeEmbedder
knowledge = load(data_folder("knowledge"))
small = replace(knowledge, documents=knowledge.documents[:3], questions=knowledge.questions[:12])
print("go", flush=True)
for version in range(1000):
    build(Path(sys.argv[1]), replace(small, version=str(version)), FakeEmbedder(), lambda done, total: None)
"""


def test_killed_at_any_moment_it_leaves_a_working_index(tmp_path, small):
    """Twelve kill -9 in a loop of builds: after each, an index that opens, holds everything, and can be built upon."""
    build(tmp_path, small, FakeEmbedder(), quiet)
    chance = random.Random(7)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", BUILDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "go\n"
            time.sleep(chance.uniform(0.0, 0.5))
            os.kill(process.pid, signal.SIGKILL)
        there = current(tmp_path)
        table = vectors(there, FakeEmbedder())
        assert all(np.isfinite(table[key(text)]).all() for text in texts(small))
        assert chroma_client(there / "chroma").get_collection(COLLECTION, embedding_function=None).count() == len(small.passages)
    assert build(tmp_path, replace(small, version="after"), FakeEmbedder(), quiet).switched
