"""The index on disk: built beside the old one, switched at the end, one writer at a time.

index/current          the name of the build in use, replaced in one step
index/<build>/         vectors.npz, chroma/, manifest.json (written last: without it a build is not finished)
index/lock             held by whoever writes
"""

import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from zipfile import BadZipFile

import chromadb
import filelock
import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings as ChromaSettings

from coach.errors import IndexLocked, IndexMismatch, IndexMissing, KnowledgeError
from coach.knowledge.embedders import Embedder, Vectors
from coach.knowledge.files import Knowledge, refused
from coach.knowledge.shelf import Progress, Shelf, embed_missing, passage_vectors, texts

COLLECTION = "guidance"
FORMAT = 1
SERVING = "serving-"  # in the data folder, before the number of a process: what belongs to one service while it runs
PATIENCE = 2.0  # seconds for who wants a copy, until whoever writes is done

_DOORS = threading.Lock()  # clients on one folder share an engine; one that is opened while the last is closed would get a stopped one


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a build was made of."""

    format: int
    embedder: str
    knowledge: str
    passages: int


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` did: how many texts were embedded now, how many vectors were taken over."""

    embedded: int
    kept: int
    passages: int
    switched: bool


def chroma_client(folder: Path) -> Client:
    """An embedded Chroma on one folder, silent towards its makers."""
    with _DOORS:
        return cast("Client", chromadb.PersistentClient(str(folder), ChromaSettings(anonymized_telemetry=False)))


def close(client: Client) -> None:
    """Give back what a client holds, unless others on the same folder still need it."""
    with _DOORS:
        client.close()


def served(address: str, shelf: Shelf) -> chromadb.Collection:
    """The passages in a Chroma server, put there by whoever comes first. What is in it is named for what it was made of, and never changes.

    Errors: what Chroma raises where the server does not answer.
    """
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    client = chromadb.HttpClient(
        parts.hostname or "", parts.port or (443 if secure else 80), ssl=secure, settings=ChromaSettings(anonymized_telemetry=False)
    )
    made = hashlib.sha256(f"{shelf.knowledge.version} {shelf.embedder.name}".encode()).hexdigest()[:16]
    collection = client.get_or_create_collection(f"{COLLECTION}-{made}", embedding_function=None, metadata={"hnsw:space": "cosine"})
    if collection.count() != len(shelf.knowledge.passages):
        _fill(collection, shelf.knowledge, shelf.passages)
    return collection


def _fill(collection: chromadb.Collection, knowledge: Knowledge, rows: Vectors) -> None:
    """Put the passages in: twice does no harm."""
    for low in range(0, len(knowledge.passages), 256):
        batch = knowledge.passages[low : low + 256]
        collection.upsert(
            ids=[passage.id for passage in batch],
            embeddings=list(rows[low : low + 256]),
            documents=[passage.text for passage in batch],
            metadatas=[{"document": passage.document, "title": passage.title} for passage in batch],
        )


def current(folder: Path) -> Path:
    """The build in use. Raises IndexMissing."""
    try:
        build = folder / "index" / (folder / "index" / "current").read_text(encoding="utf-8").strip()
    except OSError:
        raise IndexMissing(folder) from None
    if not (build / "manifest.json").is_file():
        raise IndexMissing(folder)
    return build


def copied(folder: Path, build: Path, own: Path) -> Path:
    """A copy of a build's store for this process alone, in place of its last one: whoever opens a store writes into its files, even to read.

    Errors: IndexLocked if another process keeps the lock, OSError from the disk.
    """
    mine = f"chroma-{os.getpid()}-"
    target = own / f"{mine}{secrets.token_hex(6)}"
    own.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / "index" / "lock", timeout=PATIENCE):
            for last in own.glob(f"{mine}*"):
                shutil.rmtree(last, ignore_errors=True)
            shutil.copytree(build / "chroma", target)
    except filelock.Timeout:
        raise IndexLocked from None
    return target


def manifest(build: Path) -> Manifest:
    """What a build was made of. Raises IndexMissing if it cannot be read."""
    try:
        return Manifest(**json.loads((build / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise IndexMissing(build) from None


def vectors(build: Path, embedder: Embedder) -> dict[str, Vectors]:
    """The table of vectors of a build.

    Errors: IndexMismatch if another embedder made it, IndexMissing if it cannot be read.
    """
    made = manifest(build)
    if made.embedder != embedder.name or made.format != FORMAT:
        raise IndexMismatch(made.embedder, embedder.name)
    try:
        with np.load(build / "vectors.npz", allow_pickle=False) as stored:
            return dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))
    except (OSError, ValueError, KeyError, BadZipFile, EOFError):
        raise IndexMissing(build) from None


def build(folder: Path, knowledge: Knowledge, embedder: Embedder, progress: Progress) -> Built:
    """Bring the index up to date: embed what is new, write a build beside the old one, switch.

    Interrupted at any moment, the old build stays in use. Errors: KnowledgeError for questions that the guard refuses,
    IndexLocked if another process is at it, OSError from the disk.
    """
    top = folder / "index"
    top.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(top / "lock", timeout=0):
            return _build(folder, knowledge, embedder, progress)
    except filelock.Timeout:
        raise IndexLocked from None


def _build(folder: Path, knowledge: Knowledge, embedder: Embedder, progress: Progress) -> Built:
    known = _known(folder, embedder)
    table = embed_missing(texts(knowledge), known, embedder, progress)
    new = len(table.keys() - known.keys())
    made = Manifest(FORMAT, embedder.name, knowledge.version, len(knowledge.passages))
    if not new and _up_to_date(folder, made):
        return Built(0, len(table), made.passages, switched=False)
    if faults := tuple(refused(knowledge.questions)):
        raise KnowledgeError(faults)
    name = f"build-{secrets.token_hex(6)}"
    target = folder / "index" / name
    _write(target, knowledge, table, made)
    switch(folder, name)
    return Built(new, len(table) - new, made.passages, switched=True)


def _known(folder: Path, embedder: Embedder) -> dict[str, Vectors]:
    try:
        return vectors(current(folder), embedder)
    except (IndexMissing, IndexMismatch):
        return {}


def _up_to_date(folder: Path, made: Manifest) -> bool:
    """Whether the build in use is this one, down to a store that opens and holds every passage."""
    try:
        there = current(folder)
        return manifest(there) == made and _holds(there / "chroma", made.passages)
    except IndexMissing:
        return False


def _holds(folder: Path, passages: int) -> bool:
    def count() -> int:
        return chroma_client(folder).get_collection(COLLECTION, embedding_function=None).count()

    return folder.is_dir() and _or(count, -1) == passages


def _or(action: Callable[[], int], otherwise: int) -> int:
    try:
        return action()
    except Exception:  # noqa: BLE001 (Chroma raises what its Rust core, SQLite or the file system raised: all mean "rebuild")
        return otherwise


def _write(target: Path, knowledge: Knowledge, table: Mapping[str, Vectors], made: Manifest) -> None:
    target.mkdir()
    names = sorted(table)
    np.savez(target / "vectors.npz", keys=np.array(names), rows=np.stack([table[name] for name in names]))
    collection = chroma_client(target / "chroma").create_collection(
        COLLECTION,
        embedding_function=None,
        metadata={"hnsw:space": "cosine", "embedder": made.embedder, "knowledge": made.knowledge},
    )
    _fill(collection, knowledge, passage_vectors(knowledge.documents, table))
    seal(target, made)


def seal(target: Path, made: Manifest) -> None:
    """Say that a build is finished."""
    partial = target / "manifest.partial"
    partial.write_text(json.dumps(asdict(made)), encoding="utf-8")
    _settle(partial)
    partial.replace(target / "manifest.json")


def _settle(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def switch(folder: Path, name: str) -> None:
    """Point at the new build in one step, then clear away what no process can still be reading: all but it and its predecessor."""
    top = folder / "index"
    before = (top / "current").read_text(encoding="utf-8").strip() if (top / "current").exists() else ""
    pointer = top / "current.partial"
    pointer.write_text(name, encoding="utf-8")
    _settle(pointer)
    pointer.replace(top / "current")
    for old in top.glob("build-*"):
        if old.name not in {name, before}:
            shutil.rmtree(old, ignore_errors=True)
