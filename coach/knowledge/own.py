"""Collections of an organisation's own on disk: each in a Chroma of its own, built beside and switched like ours.

index/own/<name>/index/      current, build-*/ and lock, as in coach.knowledge.index
index/own/<name>/*.partial   vectors of documents that are being added: what was embedded before a crash is not embedded again
"""

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from coach.knowledge.index import COLLECTION, FORMAT, Manifest, chroma_client, close, current, manifest, seal, switch
from coach.knowledge.shelf import Progress, embed_missing, passage_text, passage_vectors
from coach.model import Passage

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
BATCH = 2000  # rows copied at once
TOGETHER = 8  # documents embedded between two lines of progress
_DROPPED = ".dropped-"


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
    top: Path, documents: Sequence[Document], embedder: Embedder, progress: Progress, wait: float = 0, *, beside: bool = True
) -> Added:
    """Put documents into the collection whose home is `top`, in place of those of the same id; what is unchanged is not embedded again.

    With `beside` false, documents that replace nothing go into the build in use: quick, and only for the process that also answers from it.

    Interrupted at any moment, what was there stays in use, and the next call goes on where this one ended.
    Errors: IndexLocked if another is at it for longer than `wait` seconds, CollectionBroken, StoreUnavailable, EmbedderUnavailable, OSError.
    """
    with locked(top, wait), _current(top) as there:
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
        if there and same and not beside and without.isdisjoint(known):
            there.take(rows)
        else:
            _rebuild(top, embedder.name, there if same else None, without, rows)
        _forget(top)
        return Added(len(fresh) - resumed, resumed, len(without & known.keys()))


def remove(top: Path, identifier: str, wait: float = 0) -> bool:
    """Erase a document: the collection is copied without it, and the old one deleted. Whether it was there.

    Errors: IndexLocked, CollectionBroken, StoreUnavailable, OSError.
    """
    if not top.is_dir():
        return False
    with locked(top, wait), _current(top) as there:
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
    shutil.rmtree(gone)
    return True


def count(top: Path) -> int:
    """How many documents a collection has. Raises CollectionBroken."""
    with _current(top) as there:
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


def digest(one: Document) -> str:
    """The name of a document's content."""
    return hashlib.sha256(msgspec.json.encode(one)).hexdigest()[:24]


def embedded(one: Document, embedder: Embedder) -> Vectors:
    """One row a passage, made as those of our library are. Raises EmbedderUnavailable."""
    texts = [*map(passage_text, one.passages), *one.when]
    return passage_vectors([one], embed_missing(texts, {}, embedder, lambda _done, _total: None))


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
def _current(top: Path) -> Iterator[_Build | None]:
    """The build in use; none where nothing was ever added. Raises CollectionBroken."""
    if not (top / "index" / "current").exists():
        yield None
        return
    try:
        there = current(top)
        made = manifest(there)
        client = chroma_client(there / "chroma")
        collection = client.get_collection(COLLECTION, embedding_function=None)
    except Exception as error:  # noqa: BLE001 (the same)
        raise CollectionBroken(top.name, type(error).__name__) from None
    try:
        yield _Build(top.name, made.embedder, collection)
    finally:
        close(client)


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


def _clear(top: Path) -> None:
    """Delete all builds but the one in use."""
    try:
        there = current(top)
    except IndexMissing:
        return
    for old in (top / "index").glob("build-*"):
        if old != there:
            shutil.rmtree(old, ignore_errors=True)


class Notebook:
    """Vectors of documents on their way into a collection, written as they are made."""

    def __init__(self, top: Path, embedder: Embedder) -> None:
        """What an earlier try has left is read. A record that a kill cut off is not."""
        self._path = top / f"{hashlib.sha256(embedder.name.encode()).hexdigest()[:12]}.partial"
        self._kind = np.dtype([("digest", "S24"), ("of", "<i4"), ("row", "<f4", (embedder.dimensions,))])
        self.rows: dict[str, Vectors] = {}
        self._read()

    def _read(self) -> None:
        if not self._path.exists():
            return
        records = np.fromfile(self._path, self._kind)
        place = 0
        while place < len(records) and place + records[place]["of"] <= len(records):
            of = int(records[place]["of"])
            self.rows[records[place]["digest"].decode()] = records["row"][place : place + of].copy()
            place += of
        with self._path.open("r+b") as file:
            file.truncate(place * self._kind.itemsize)

    def fill(self, documents: Sequence[Document], embedder: Embedder, progress: Progress) -> int:
        """Embed the documents that are not in it yet. How many were. Raises EmbedderUnavailable."""
        missing = [one for one in documents if digest(one) not in self.rows]
        with self._path.open("ab") as file, ThreadPoolExecutor(embedder.at_once) as pool:
            for low in range(0, len(missing), TOGETHER):
                batch = missing[low : low + TOGETHER]
                for one, vectors in zip(batch, pool.map(lambda one: embedded(one, embedder), batch), strict=True):
                    self.rows[digest(one)] = vectors
                    file.write(self._records(digest(one), vectors))
                file.flush()
                progress(low + len(batch), len(missing))
        return len(documents) - len(missing)

    def _records(self, name: str, vectors: Vectors) -> bytes:
        records = np.zeros(len(vectors), self._kind)
        records["digest"], records["of"], records["row"] = name, len(vectors), vectors
        return records.tobytes()
