"""Collections of an organisation's own on disk: each in a Chroma of its own, built beside and switched like ours.

index/own/<name>/index/      current, build-*/ and lock, as in coach.knowledge.index
index/own/<name>/reading-*   a copy of a build for as long as who writes the next one reads it
index/own/<name>/*.partial   as in coach.knowledge.notebook

Whoever opens a Chroma folder writes into its files, even to read. So a build is opened by one process: by the service, where one process answers.
All others read copies: the command line, and each of several that answer.
"""

import re
import secrets
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from itertools import count as counted
from pathlib import Path
from typing import Any

import chromadb
import filelock
import msgspec
import numpy as np

from coach.errors import CoachError, CollectionBroken, IndexLocked, IndexMissing, StoreUnavailable
from coach.knowledge.embedders import Embedder, Vectors
from coach.knowledge.files import Document
from coach.knowledge.index import COLLECTION, FORMAT, PATIENCE, SERVING, Manifest, chroma_client, close, current, manifest, seal, switch
from coach.knowledge.notebook import Notebook, digest
from coach.knowledge.shelf import Progress
from coach.model import Passage

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
BATCH = 2000  # rows copied at once
_DROPPED, _READING = ".dropped-", "reading-"


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did: documents embedded now, those whose vectors an earlier try left, those put in place of another."""

    embedded: int = 0
    resumed: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One passage as it stands in Chroma."""

    id: str
    vector: Vectors
    metadata: Mapping[str, Any]


def home(folder: Path, name: str) -> Path:
    """The folder of a collection; `folder` is the data folder. Raises ValueError for what is no name."""
    if not NAME.fullmatch(name):
        message = "a collection is named by small letters, digits and dashes, 1 to 63"
        raise ValueError(message)
    return folder / "index" / "own" / name


def names(folder: Path) -> list[str]:
    """The collections there are."""
    top = folder / "index" / "own"
    return sorted(path.name for path in top.iterdir() if NAME.fullmatch(path.name)) if top.is_dir() else []


def add(  # noqa: PLR0913 (what it works on, and how)
    top: Path, documents: Sequence[Document], embedder: Embedder, progress: Progress, wait: float = 0, *, answers: bool = False
) -> Added:
    """Put documents into the collection whose home is `top`, in place of those of the same id; what is unchanged is not embedded again.

    With `answers`, which is for the one process that answers from the build in use, documents that replace nothing go into that: quick.

    Interrupted at any moment, what was there stays in use, and the next call goes on where this one ended.
    Errors: IndexLocked if another is at it for longer than `wait` seconds, CollectionBroken, StoreUnavailable, EmbedderUnavailable, OSError.
    """
    with locked(top, wait), _current(top, answers=answers) as there:
        same = there is not None and there.embedder == embedder.name
        known = there.digests([one.id for one in documents]) if there and same else {}
        wanted = {one.id: one for one in there.documents()} if there and not same else {}
        wanted |= {one.id: named(one, top.name) for one in documents}
        fresh = [one for one in wanted.values() if known.get(one.id) != digest(one)]
        if not fresh:
            return Added()
        notebook = Notebook(top, embedder)
        resumed = notebook.fill(fresh, embedder, progress)
        without = {one.id for one in fresh}
        rows = (row for one in fresh for row in rows_of(one, notebook.rows[digest(one)]))
        if there and same and answers and without.isdisjoint(known):
            there.take(rows)
        else:
            _rebuild(top, embedder.name, there if same else None, without, rows)
        _forget(top)
        return Added(len(fresh) - resumed, resumed, len(without & known.keys()))


def remove(top: Path, identifier: str, wait: float = 0, *, answers: bool = False) -> bool:
    """Erase a document: the collection is copied without it, and the old one deleted. Whether it was there. `answers` as in `add`.

    Errors: IndexLocked, CollectionBroken, StoreUnavailable, OSError.
    """
    if not top.is_dir():
        return False
    with locked(top, wait), _current(top, answers=answers) as there:
        if there is None or not there.digests([identifier]):
            return False
        _rebuild(top, there.embedder, there, {identifier}, ())
        _forget(top)
        return True


def drop(top: Path, wait: float = 0) -> bool:
    """Erase a whole collection, broken or not. Whether it was there. Raises IndexLocked."""
    if not top.is_dir():
        return False
    with locked(top, wait):
        gone = top.rename(top.parent / f"{_DROPPED}{secrets.token_hex(6)}")
        _clear_copies(top)
    shutil.rmtree(gone)
    return True


def count(top: Path) -> int:
    """How many documents a collection has. Errors: IndexLocked, CollectionBroken."""
    if not top.is_dir():
        return 0
    with locked(top, PATIENCE), _current(top) as there:
        return there.count() if there else 0


def sweep(folder: Path) -> None:
    """Delete what a crash left of things erased. What another process is at is left to it."""
    for gone in (folder / "index" / "own").glob(f"{_DROPPED}*"):
        shutil.rmtree(gone, ignore_errors=True)
    for name in names(folder):
        top = home(folder, name)
        try:
            with locked(top, 0):
                _clear(top)
        except (IndexLocked, OSError):
            continue


@contextmanager
def locked(top: Path, wait: float) -> Iterator[None]:
    """One writer to a collection. Raises IndexLocked."""
    (top / "index").mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(top / "index" / "lock", timeout=wait):
            if not (top / "index" / "lock").exists():  # the collection was dropped while this one waited
                raise IndexLocked
            yield
    except filelock.Timeout:
        raise IndexLocked from None


def named(one: Document, collection: str) -> Document:
    """The same with passages under the name of their collection, so that they are never taken for anybody else's."""
    full = f"{collection}/{one.id}"
    return replace(one, passages=tuple(replace(each, id=f"{collection}/{each.id}", document=full) for each in one.passages))


def rows_of(one: Document, vectors: Vectors) -> Iterator[Row]:
    """A document as it stands in Chroma: its first row holds what is of the whole."""
    for place, (passage, vector) in enumerate(zip(one.passages, vectors, strict=True)):
        metadata = {"document": one.id, "place": place, "passage": msgspec.json.encode(passage).decode()}
        if not place:
            metadata |= {"digest": digest(one), "about": msgspec.json.encode(replace(one, passages=())).decode()}
        yield Row(f"{one.id}#{place}", vector, metadata)


def put(collection: chromadb.Collection, rows: Iterable[Row]) -> None:
    """Add rows."""
    batch: list[Row] = []
    for row in chain(rows, (None,)):
        if row:
            batch.append(row)
        if batch and (row is None or len(batch) == BATCH):
            collection.add(
                ids=[one.id for one in batch], embeddings=np.stack([one.vector for one in batch]), metadatas=[one.metadata for one in batch]
            )
            batch.clear()


def heads(collection: chromadb.Collection, identifiers: Sequence[str]) -> list[Document]:
    """Documents without their passages, in that order."""
    found = collection.get(ids=[f"{one}#0" for one in identifiers], include=["metadatas"])
    told = {str(one["document"]): str(one["about"]) for one in found["metadatas"] or ()}
    return [msgspec.json.decode(told[one], type=Document) for one in identifiers if one in told]


def listed(collection: chromadb.Collection) -> list[str]:
    """The ids of all documents, in their order."""
    return sorted(one.removesuffix("#0") for one in collection.get(where={"place": 0}, include=[])["ids"])


def whole(collection: chromadb.Collection, identifier: str) -> Document | None:
    """One document."""
    found = collection.get(where={"document": identifier}, include=["metadatas"])["metadatas"]
    if not found:
        return None
    parts = sorted(found, key=lambda one: int(str(one["place"])))
    return replace(msgspec.json.decode(str(parts[0]["about"]), type=Document), passages=tuple(map(passage_of, parts)))


def passage_of(metadata: Mapping[str, Any]) -> Passage:
    """The passage of a row."""
    return msgspec.json.decode(str(metadata["passage"]), type=Passage)


@dataclass(frozen=True)
class _Build:
    """A build that is read while another is written."""

    name: str
    embedder: str
    collection: chromadb.Collection

    def digests(self, identifiers: Sequence[str]) -> dict[str, str]:
        """Those of these documents that there are, by content."""
        told: dict[str, str] = {}
        for low in range(0, len(identifiers), BATCH):
            firsts = [f"{one}#0" for one in identifiers[low : low + BATCH]]
            found = self._read(partial(self.collection.get, ids=firsts, include=["metadatas"]))
            told |= {str(one["document"]): str(one["digest"]) for one in found["metadatas"]}
        return told

    def count(self) -> int:
        """How many documents there are."""
        return len(self._read(partial(listed, self.collection)))

    def documents(self) -> list[Document]:
        """All of them, whole."""
        return [found for one in self._read(partial(listed, self.collection)) if (found := self._read(partial(whole, self.collection, one)))]

    def rows(self, without: Container[str]) -> Iterator[Row]:
        """The rows of all documents but those."""
        for low in counted(0, BATCH):
            found = self._read(partial(self.collection.get, limit=BATCH, offset=low, include=["metadatas", "embeddings"]))
            if not found["ids"]:
                return
            for identifier, metadata, vector in zip(found["ids"], found["metadatas"], found["embeddings"], strict=True):
                if metadata["document"] not in without:
                    yield Row(identifier, np.asarray(vector, np.float32), metadata)

    def take(self, rows: Iterable[Row]) -> None:
        """Put rows into it as it is."""
        self._read(lambda: put(self.collection, rows))

    def _read(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 (Chroma raises what its Rust core, SQLite or the file system raised)
            raise CollectionBroken(self.name, type(error).__name__) from None


@contextmanager
def _current(top: Path, *, answers: bool = False) -> Iterator[_Build | None]:
    """The build in use, as itself for who answers from it, as a copy for others; none where nothing was ever added. Raises CollectionBroken."""
    if not (top / "index" / "current").exists():
        yield None
        return
    copy = top / f"{_READING}{secrets.token_hex(6)}"
    try:
        there = current(top)
        made = manifest(there)
        if not answers:
            shutil.copytree(there / "chroma", copy)
        client = chroma_client(there / "chroma" if answers else copy)
        collection = client.get_collection(COLLECTION, embedding_function=None)
    except Exception as error:  # noqa: BLE001 (the same)
        shutil.rmtree(copy, ignore_errors=True)
        raise CollectionBroken(top.name, type(error).__name__) from None
    try:
        yield _Build(top.name, made.embedder, collection)
    finally:
        close(client)
        shutil.rmtree(copy, ignore_errors=True)


def _rebuild(top: Path, embedder: str, there: _Build | None, without: Container[str], fresh: Iterable[Row]) -> None:
    """Write a build beside the old one, switch, and delete the old one: what was left out is in no file any more."""
    name = f"build-{secrets.token_hex(6)}"
    target = top / "index" / name
    target.mkdir()
    try:
        written = _write(target, embedder, chain(there.rows(without) if there else (), fresh))
    except CoachError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    except Exception as error:  # noqa: BLE001 (the same)
        shutil.rmtree(target, ignore_errors=True)
        raise StoreUnavailable(type(error).__name__) from None
    seal(target, Manifest(FORMAT, embedder, top.name, written))
    switch(top, name)
    _clear(top)
    _clear_copies(top)


def _write(target: Path, embedder: str, rows: Iterable[Row]) -> int:
    client = chroma_client(target / "chroma")
    try:
        collection = client.create_collection(COLLECTION, embedding_function=None, metadata={"hnsw:space": "cosine", "embedder": embedder})
        put(collection, rows)
        return collection.count()
    finally:
        close(client)


def _forget(top: Path) -> None:
    """Delete the vectors of what was on its way: it has arrived, or is not wanted any more."""
    for path in top.glob("*.partial"):
        path.unlink()


def copies(folder: Path) -> Path:
    """Where one of several processes that answer copies collections, in the folder of the service."""
    return folder / "own"


def _clear_copies(top: Path) -> None:
    """Delete what processes read from now on in vain. With the lock, so that none is being made; each copies anew with its next question."""
    for service in top.parents[2].glob(f"{SERVING}*"):
        shutil.rmtree(copies(service) / top.name, ignore_errors=True)


def _clear(top: Path) -> None:
    """Delete all builds but the one in use, and what a crash left of copies. Called by who has the lock."""
    try:
        there = current(top)
    except IndexMissing:
        return
    for old in (top / "index").glob("build-*"):
        if old != there:
            shutil.rmtree(old, ignore_errors=True)
    for left in top.glob(f"{_READING}*"):
        shutil.rmtree(left, ignore_errors=True)
