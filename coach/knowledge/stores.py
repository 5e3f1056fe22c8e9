"""Chroma from the outside: opened when it is needed, asked in a thread of its own, given up when it does not answer."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import chromadb
from chromadb.api.client import Client
from chromadb.api.shared_system_client import SharedSystemClient

from coach.errors import IndexMissing, StoreUnavailable
from coach.knowledge.index import COLLECTION, chroma_client, close, copied, current

PATIENCE = 1.0  # seconds for a query that takes a millisecond
REST = 5.0  # seconds before a store that failed is asked again

Clock = Callable[[], float]
Server = Callable[[], chromadb.Collection]
Answer = TypeVar("Answer")
Question = Callable[[chromadb.Collection], Answer]


@dataclass
class _Shop:
    """One opening of the store: its thread, and the collection once it is open."""

    pool: ThreadPoolExecutor
    build: Path | None = None
    client: Client | None = None
    collection: chromadb.Collection | None = None


class Store:
    """Chroma in a thread of its own. It may fail, hang or vanish: each is StoreUnavailable, and it is opened anew after a rest."""

    def __init__(self, folder: Path, clock: Clock = time.monotonic, own: Path | None = None, server: Server | None = None) -> None:
        """`folder` holds the folder `index`; with `own`, a copy made there is read instead, with `server`, what that one has.

        Nothing is opened before the first question.
        """
        self.folder = folder
        self._own = own
        self._server = server
        self._clock = clock
        self._shop = _Shop(ThreadPoolExecutor(1, thread_name_prefix="chroma"))
        self._closed_until = -1.0

    async def ask(self, question: Question[Answer], patience: float = PATIENCE) -> Answer:
        """What the collection answers within `patience` seconds, or five times that while it is opened. Raises StoreUnavailable."""
        if self._clock() < self._closed_until:
            raise StoreUnavailable("resting")
        shop = self._shop
        work = asyncio.get_running_loop().run_in_executor(shop.pool, self._ask, shop, question)
        try:
            return await asyncio.wait_for(asyncio.shield(work), patience if shop.collection and shop.build == self._there() else patience * 5)
        except Exception as error:  # noqa: BLE001 (Chroma raises whatever its Rust core, SQLite or the disk raised)
            work.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._shut(shop)
            raise StoreUnavailable(type(error).__name__) from None

    def _there(self) -> Path | None:
        """The build in use, if that is known, and if it is a build that is read."""
        if self._server:
            return None
        try:
            return current(self.folder)
        except IndexMissing:
            return None

    def _shut(self, shop: _Shop) -> None:
        self._closed_until = self._clock() + REST
        if shop is self._shop:
            self._shop = _Shop(ThreadPoolExecutor(1, thread_name_prefix="chroma"))
            shop.pool.shutdown(wait=False, cancel_futures=True)
            SharedSystemClient.clear_system_cache()

    def close(self) -> None:
        """Let go of the files, once what is asked already has been answered. It can be asked again."""
        shop, self._shop = self._shop, _Shop(ThreadPoolExecutor(1, thread_name_prefix="chroma"))
        shop.pool.submit(_leave, shop)
        shop.pool.shutdown(wait=False)

    def _ask(self, shop: _Shop, question: Question[Answer]) -> Answer:
        try:
            return question(self._opened(shop))
        except Exception:
            if self._server or shop.build == current(self.folder):
                raise
            return question(self._opened(shop))  # another build was put in its place meanwhile

    def _opened(self, shop: _Shop) -> chromadb.Collection:
        if self._server:
            shop.collection = shop.collection or self._server()
            return shop.collection
        build = current(self.folder)
        if shop.collection is None or shop.build != build:
            _leave(shop)
            shop.client = chroma_client(copied(self.folder, build, self._own) if self._own else build / "chroma")
            shop.collection = shop.client.get_collection(COLLECTION, embedding_function=None)
            shop.build = build
        return shop.collection


def _leave(shop: _Shop) -> None:
    """Close a build, so that its memory and its files are given back."""
    client, shop.client, shop.collection = shop.client, None, None
    if client is not None:
        close(client)
