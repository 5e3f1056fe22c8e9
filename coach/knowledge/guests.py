"""What organisations keep of their own, as the service asks for it: found, listed, put and erased without a restart."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import chromadb

from coach.errors import IndexMismatch, StoreUnavailable
from coach.knowledge import own
from coach.knowledge.embedders import Embedder, Reading, Vectors
from coach.knowledge.files import Document
from coach.knowledge.shelf import Shelf
from coach.knowledge.stores import PATIENCE, Clock, Question, Store
from coach.knowledge.stores import Answer as Told
from coach.model import Finding, Found, Notice

WITHOUT_OWN = "own-knowledge-unavailable"
_NOT_SEARCHED = "What {name} has of its own could not be searched just now, so guidance comes without it. Nothing else changes."
PATIENCE_FOR_LISTS = 10.0  # seconds
PATIENCE_FOR_OTHERS = 30.0  # seconds that a writer waits for the one before it

log = logging.getLogger("coach")


class OwnKnowledge:
    """Over the collections in the data folder. Each is asked by its name and never looks into another."""

    def __init__(self, folder: Path, embedder: Embedder, clock: Clock = time.monotonic, copies: Path | None = None) -> None:
        """`embedder` makes the vectors of what is put; collections of another embedder are not searched.

        Where several processes answer from one folder, each reads copies of its own, which it makes in `copies`.
        """
        self._copies = copies
        self._folder = folder
        self._embedder = embedder
        self._clock = clock
        self._stores: dict[str, Store] = {}
        self._writer = ThreadPoolExecutor(2, thread_name_prefix="own")

    async def find(self, names: Sequence[str], shelf: Shelf, reading: Reading, limit: int) -> Finding:
        """The passages of these collections that are nearest to a text; a notice for each that could not be searched. Never raises for one."""
        found = await asyncio.gather(*(self._find(name, shelf, reading, limit) for name in dict.fromkeys(names)))
        return Finding(tuple(one for part in found for one in part.passages), tuple(notice for part in found for notice in part.notices))

    async def _find(self, name: str, shelf: Shelf, reading: Reading, limit: int) -> Finding:
        missed = Finding(notices=(Notice(WITHOUT_OWN, _NOT_SEARCHED.format(name=name)),))
        if shelf.embedder.name != self._embedder.name:
            return missed
        try:
            return Finding(await self._ask(name, lambda collection: self._nearest(collection, reading.whole, limit)))
        except StoreUnavailable:
            return missed

    def _nearest(self, collection: chromadb.Collection, vector: Vectors, limit: int) -> tuple[Found, ...]:
        made_by = (collection.metadata or {}).get("embedder")
        if made_by != self._embedder.name:
            raise IndexMismatch(str(made_by), self._embedder.name)
        answer = collection.query(query_embeddings=[vector.tolist()], n_results=limit, include=["distances", "metadatas", "embeddings"])
        distances, told, vectors = answer["distances"], answer["metadatas"], answer["embeddings"]
        if not distances or not told or vectors is None:
            return ()
        return tuple(
            Found(own.passage_of(metadata), 1 - distance, tuple(map(float, row)))
            for distance, metadata, row in zip(distances[0], told[0], vectors[0], strict=True)
        )

    def exists(self, name: str) -> bool:
        """Whether there is a collection of that name: something was put into it, whether or not that can be read."""
        return own.NAME.fullmatch(name) is not None and (own.home(self._folder, name) / "index" / "current").exists()

    async def page(self, name: str, limit: int, after: str | None = None) -> list[Document]:
        """Documents without their passages, in the order of their ids, from behind `after`. Errors: StoreUnavailable."""

        def look(collection: chromadb.Collection) -> list[Document]:
            behind = [one for one in own.listed(collection) if after is None or one > after]
            return own.heads(collection, behind[:limit]) if behind else []  # Chroma raises where it is asked for no ids

        return await self._ask(name, look, PATIENCE_FOR_LISTS)

    async def read(self, name: str, identifier: str) -> Document | None:
        """One document. Errors: StoreUnavailable."""
        return await self._ask(name, lambda collection: own.whole(collection, identifier), PATIENCE_FOR_LISTS)

    async def put(self, name: str, document: Document) -> bool:
        """Put a document in, in place of one of the same id. Whether it is a new one. Errors: those of `own.add`."""
        done = await self._write(name, lambda top: own.add(top, [document], self._embedder, _quiet, PATIENCE_FOR_OTHERS, answers=not self._copies))
        return done.embedded > 0 and not done.replaced

    async def remove(self, name: str, identifier: str) -> bool:
        """Erase a document. Whether it was there. Errors: those of `own.remove`."""
        return await self._write(name, lambda top: own.remove(top, identifier, PATIENCE_FOR_OTHERS, answers=not self._copies))

    async def drop(self, name: str) -> bool:
        """Erase a collection, broken or not. Whether it was there. Errors: IndexLocked."""
        return await self._write(name, lambda top: own.drop(top, PATIENCE_FOR_OTHERS))

    async def _write(self, name: str, action: Callable[[Path], Told]) -> Told:
        """Done in a thread; it takes effect with the next question."""
        done = await asyncio.get_running_loop().run_in_executor(self._writer, action, own.home(self._folder, name))
        await self._reopen(name)
        return done

    async def _reopen(self, name: str) -> None:
        """The old opening need not see what was written. It is let go when the new one is warm, so that no question waits for that."""
        new = self._store(name)
        if self.exists(name):
            try:
                await new.ask(self._warm, PATIENCE_FOR_LISTS)
            except StoreUnavailable as error:
                log.warning("a collection could not be opened after it was written: %s", error.cause)
        before = self._stores.pop(name, None)
        self._stores[name] = new
        if before:
            before.close()

    def _store(self, name: str) -> Store:
        return Store(own.home(self._folder, name), self._clock, self._copies / name if self._copies else None)

    def _warm(self, collection: chromadb.Collection) -> int:
        """The first query loads what the others need."""
        return len(collection.query(query_embeddings=[1.0] * self._embedder.dimensions, n_results=1, include=[])["ids"])

    async def _ask(self, name: str, question: Question[Told], patience: float = PATIENCE) -> Told:
        if name not in self._stores:
            self._stores[name] = self._store(name)
        return await self._stores[name].ask(question, patience)


def _quiet(_done: int, _total: int) -> None:
    """One document needs no bar."""
