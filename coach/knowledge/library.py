"""The Library over Chroma. When Chroma does not answer, the same passages come from memory, and the answer says so."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import chromadb
from chromadb.api.shared_system_client import SharedSystemClient

from coach.errors import IndexMissing, StoreUnavailable
from coach.knowledge.embedders import Vectors
from coach.knowledge.index import COLLECTION, chroma_client, current
from coach.knowledge.shelf import Shelves, one_a_document
from coach.model import Finding, Found, Notice

WITHOUT_STORE = Notice("store-unavailable", "The passage store did not answer, so guidance was found in memory. Nothing else changes.")
PATIENCE = 1.0  # seconds for a query that takes a millisecond
REST = 5.0  # seconds before a store that failed is asked again
WIDE = 24  # passages asked of Chroma, so that enough different documents are among them

Clock = Callable[[], float]


@dataclass
class _Shop:
    """One opening of the store: its thread, and the collection once it is open."""

    pool: ThreadPoolExecutor
    build: Path | None = None
    collection: chromadb.Collection | None = None


class Store:
    """Chroma in a thread of its own. It may fail, hang or vanish: each is StoreUnavailable, and it is opened anew after a rest."""

    def __init__(self, folder: Path, clock: Clock = time.monotonic) -> None:
        """`folder` is the data folder. Nothing is opened before the first query."""
        self._folder = folder
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
        build = current(self._folder)
        if shop.collection is None or shop.build != build:
            shop.collection = chroma_client(build / "chroma").get_collection(COLLECTION, embedding_function=None)
            shop.build = build
        answer = shop.collection.query(query_embeddings=[vector.tolist()], n_results=limit, include=["distances"])
        distances = answer["distances"]
        if not distances or not answer["ids"][0]:
            raise IndexMissing(build)
        return {name: 1 - distance for name, distance in zip(answer["ids"][0], distances[0], strict=True)}


class ChromaLibrary:
    """Finds guidance in Chroma, or in memory."""

    def __init__(self, shelves: Shelves, store: Store, notices: tuple[Notice, ...] = ()) -> None:
        """`notices` are said with every finding (that texts leave the process, say)."""
        self.shelves = shelves
        self._store = store
        self._notices = notices
        self.waiting = 0  # write-ups that are being read or wait to be
        self._passages = {passage.id: passage for passage in shelves.first.knowledge.passages}

    @property
    def version(self) -> str:
        """A hash of all the knowledge."""
        return self.shelves.first.knowledge.version

    async def find(self, text: str, limit: int) -> Finding:
        """The passages nearest to a write-up, best first, at most one of a document, with cosine scores."""
        self.waiting += 1
        try:
            shelf, reading, notices = await asyncio.to_thread(self.shelves.read, text)
        finally:
            self.waiting -= 1
        notices = self._notices + notices
        if shelf is self.shelves.plain:  # Chroma holds vectors of the first embedder only
            return Finding(shelf.nearest(reading, limit), notices)
        try:
            scores = await self._store.query(reading.whole, WIDE)
            return Finding(self._ranked(scores, limit), notices)
        except StoreUnavailable:
            return Finding(shelf.nearest(reading, limit), (*notices, WITHOUT_STORE))

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
