"""The Library over Chroma. When Chroma does not answer, the same passages come from memory, and the answer says so."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import chromadb
from chromadb.api.shared_system_client import SharedSystemClient

from coach.errors import IndexMissing, StoreUnavailable
from coach.knowledge.embedders import Endpoint, Reading, Vectors
from coach.knowledge.index import COLLECTION, chroma_client, copied, current
from coach.knowledge.shelf import Shelf, Shelves, one_a_document
from coach.model import Finding, Found, Notice, Sent
from coach.privacy import Hider

WITHOUT_STORE = Notice("store-unavailable", "The passage store did not answer, so guidance was found in memory. Nothing else changes.")
PATIENCE = 1.0  # seconds for a query that takes a millisecond
REST = 5.0  # seconds before a store that failed is asked again
WIDE = 24  # passages asked of Chroma, so that enough different documents are among them

Clock = Callable[[], float]
Server = Callable[[], chromadb.Collection]


@dataclass
class _Shop:
    """One opening of the store: its thread, and the collection once it is open."""

    pool: ThreadPoolExecutor
    build: Path | None = None
    collection: chromadb.Collection | None = None


class Store:
    """Chroma in a thread of its own. It may fail, hang or vanish: each is StoreUnavailable, and it is opened anew after a rest."""

    def __init__(self, folder: Path, clock: Clock = time.monotonic, own: Path | None = None, server: Server | None = None) -> None:
        """`folder` is the data folder; with `own`, a copy made there is read instead, with `server`, what that one has.

        Nothing is opened before the first query.
        """
        self._folder = folder
        self._own = own
        self._server = server
        self._clock = clock
        self._shop = _Shop(ThreadPoolExecutor(1, thread_name_prefix="chroma"))
        self._closed_until = -1.0

    async def query(self, vector: Vectors, limit: int) -> dict[str, float]:
        """The nearest passages, best first: id to cosine similarity. Raises StoreUnavailable."""
        if self._clock() < self._closed_until:
            raise StoreUnavailable("resting")
        shop = self._shop
        work = asyncio.get_running_loop().run_in_executor(shop.pool, self._query, shop, vector, limit)
        try:
            return await asyncio.wait_for(asyncio.shield(work), PATIENCE if shop.collection else PATIENCE * 5)
        except Exception as error:  # noqa: BLE001 (Chroma raises whatever its Rust core, SQLite or the disk raised)
            work.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._shut(shop)
            raise StoreUnavailable(type(error).__name__) from None

    def _shut(self, shop: _Shop) -> None:
        self._closed_until = self._clock() + REST
        if shop is self._shop:
            self._shop = _Shop(ThreadPoolExecutor(1, thread_name_prefix="chroma"))
            shop.pool.shutdown(wait=False, cancel_futures=True)
            SharedSystemClient.clear_system_cache()

    def _query(self, shop: _Shop, vector: Vectors, limit: int) -> dict[str, float]:
        build = None if self._server else current(self._folder)
        if shop.collection is None or shop.build != build:
            shop.collection = self._opened(build)
            shop.build = build
        answer = shop.collection.query(query_embeddings=[vector.tolist()], n_results=limit, include=["distances"])
        distances = answer["distances"]
        if not distances or not answer["ids"][0]:
            raise IndexMissing(self._folder)
        return {name: 1 - distance for name, distance in zip(answer["ids"][0], distances[0], strict=True)}

    def _opened(self, build: Path | None) -> chromadb.Collection:
        if self._server:
            return self._server()
        build = build or current(self._folder)
        there = copied(self._folder, build, self._own) if self._own else build / "chroma"
        return chroma_client(there).get_collection(COLLECTION, embedding_function=None)


class ChromaLibrary:
    """Finds guidance in Chroma, or in memory."""

    def __init__(self, shelves: Shelves, store: Store, notices: tuple[Notice, ...] = ()) -> None:
        """`notices` are said with every finding (that texts leave the process, say)."""
        self.shelves = shelves
        self._store = store
        self._notices = notices
        self._readers = ThreadPoolExecutor(shelves.first.embedder.at_once, thread_name_prefix="reading")  # of its own, so that new write-ups
        # do not stand before the drafts of answers that are under way
        self._queue: dict[object, float] = {}  # since when each write-up waits to be read, the oldest first
        self._passages = {passage.id: passage for passage in shelves.first.knowledge.passages}

    @property
    def version(self) -> str:
        """A hash of all the knowledge."""
        return self.shelves.first.knowledge.version

    @property
    def stays(self) -> bool:
        """Whether a text is read without leaving this process."""
        return not isinstance(self.shelves.first.embedder, Endpoint)

    @property
    def host(self) -> str | None:
        """Where texts go to be read, if they leave this process."""
        embedder = self.shelves.first.embedder
        return embedder.host if isinstance(embedder, Endpoint) else None

    @property
    def waiting(self) -> int:
        """How many write-ups wait to be read."""
        return len(self._queue)

    @property
    def waited(self) -> float:
        """How many seconds the one that came first of these has waited."""
        return max(0.0, time.monotonic() - next(iter(self._queue.values()), math.inf))

    async def find(self, text: str, limit: int, hide: Hider = Hider()) -> Finding:  # noqa: B008 (frozen)
        """The passages nearest to a write-up, best first, at most one of a document, with cosine scores."""
        sent = await self._sent(text, hide)
        found = await self._found(text, limit, hide)
        return replace(found, sent=sent)

    async def _sent(self, text: str, hide: Hider) -> Sent | None:
        """What leaves the process for this."""
        embedder = self.shelves.first.embedder
        if not isinstance(embedder, Endpoint):
            return None
        return Sent(embedder.host, (await asyncio.to_thread(hide, text)).counts)

    async def _found(self, text: str, limit: int, hide: Hider) -> Finding:
        place = object()
        self._queue[place] = time.monotonic()
        try:
            shelf, reading, notices = await asyncio.get_running_loop().run_in_executor(self._readers, self._begin, place, text, hide)
        finally:
            self._queue.pop(place, None)
        notices = self._notices + notices
        if shelf is self.shelves.plain:  # Chroma holds vectors of the first embedder only
            return Finding(shelf.nearest(reading, limit), notices)
        try:
            scores = await self._store.query(reading.whole, WIDE)
            return Finding(self._ranked(scores, limit), notices)
        except StoreUnavailable:
            return Finding(shelf.nearest(reading, limit), (*notices, WITHOUT_STORE))

    def _begin(self, place: object, text: str, hide: Hider) -> tuple[Shelf, Reading, tuple[Notice, ...]]:
        self._queue.pop(place, None)
        return self.shelves.read(text, hide=hide)

    async def ready(self) -> bool:
        """Whether the store answers."""
        try:
            await self._store.query(self.shelves.first.passages[0], 1)
        except StoreUnavailable:
            return False
        return True

    def _ranked(self, scores: Mapping[str, float], limit: int) -> tuple[Found, ...]:
        known = ((self._passages[name], score) for name, score in scores.items() if name in self._passages)
        found = one_a_document(known, limit)
        if not found:
            raise StoreUnavailable("other passages")
        return found
