"""The Library over Chroma. When Chroma does not answer, the same passages come from memory, and the answer says so."""

import asyncio
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import chromadb

from coach.errors import StoreUnavailable
from coach.knowledge.embedders import Endpoint, Reading, Vectors
from coach.knowledge.guests import OwnKnowledge
from coach.knowledge.shelf import Shelf, Shelves, one_a_document
from coach.knowledge.stores import Store
from coach.model import Finding, Found, Notice, Sent
from coach.privacy import Hider

WITHOUT_STORE = Notice("store-unavailable", "The passage store did not answer, so guidance was found in memory. Nothing else changes.")
NUMBERS_LEFT = Notice(
    "numbers-left",
    "To find guidance, numbers made from your text were sent to a store that the operator chose, with names and numbers masked before. "
    "Your words are not in them; much of what they say could be guessed.",
)
WIDE = 24  # passages asked of Chroma, so that enough different documents are among them


class ChromaLibrary:
    """Finds guidance in Chroma, or in memory."""

    def __init__(
        self, shelves: Shelves, store: Store, notices: tuple[Notice, ...] = (), own: OwnKnowledge | None = None, elsewhere: str | None = None
    ) -> None:
        """`notices` are said with every finding (that texts leave the process, say); `own` is what organisations keep beside ours.

        `elsewhere` is the host of the store where that is another machine. Most of a text can be guessed from its vector (J. X. Morris et al.,
        Text Embeddings Reveal (Almost) As Much As Text, EMNLP 2023), so what is asked of it is made of the masked text, and counts as sent.
        """
        self.shelves = shelves
        self._elsewhere = elsewhere
        self.own = own or OwnKnowledge(store.folder, shelves.first.embedder)
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
        """Whether guidance is found without anything of a text leaving this machine."""
        return not self.hosts

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where texts, or their vectors, go for guidance to be found."""
        embedder = self.shelves.first.embedder
        hosts = (embedder.host if isinstance(embedder, Endpoint) else None, self._elsewhere)
        return tuple(host for host in dict.fromkeys(hosts) if host)

    @property
    def waiting(self) -> int:
        """How many write-ups wait to be read."""
        return len(self._queue)

    @property
    def waited(self) -> float:
        """How many seconds the one that came first of these has waited."""
        return max(0.0, time.monotonic() - next(iter(self._queue.values()), math.inf))

    async def find(self, text: str, limit: int, hide: Hider = Hider(), collections: tuple[str, ...] = ()) -> Finding:  # noqa: B008 (frozen)
        """The passages nearest to a write-up, best first, at most one of a document, with cosine scores: ours and those of `collections`."""
        sent = None
        if self.hosts:
            masked = await asyncio.to_thread(hide, text)
            sent = Sent(", ".join(self.hosts), masked.counts)
            text = masked.text if self._elsewhere else text
        shelf, reading, notices = await self.read(text, hide)
        found = await self._among_ours(shelf, reading, limit, notices)
        if collections:
            found = await self.beside(found, collections, shelf, reading, limit)
        return replace(found, sent=sent)

    async def beside(self, found: Finding, collections: tuple[str, ...], shelf: Shelf, reading: Reading, limit: int) -> Finding:
        """What was found, and what organisations have of their own, in one order. Where that cannot be searched, the notices say so."""
        theirs = await self.own.find(collections, shelf, reading, WIDE)
        ranked = sorted((*found.passages, *theirs.passages), key=lambda one: (-one.score, one.passage.id))
        return replace(found, passages=one_a_document(ranked, limit), notices=(*found.notices, *theirs.notices))

    async def read(self, text: str, hide: Hider = Hider()) -> tuple[Shelf, Reading, tuple[Notice, ...]]:  # noqa: B008 (frozen)
        """A text as vectors, in its turn among the write-ups that wait, with the shelf that they can be compared with."""
        place = object()
        self._queue[place] = time.monotonic()
        try:
            shelf, reading, notices = await asyncio.get_running_loop().run_in_executor(self._readers, self._begin, place, text, hide)
        finally:
            self._queue.pop(place, None)
        return shelf, reading, self._notices + notices

    async def _among_ours(self, shelf: Shelf, reading: Reading, limit: int, notices: tuple[Notice, ...]) -> Finding:
        if shelf is self.shelves.plain:  # Chroma holds vectors of the first embedder only
            return Finding(shelf.nearest(reading, limit), notices)
        if self._elsewhere:
            notices = (*notices, NUMBERS_LEFT)
        try:
            scores = await self._store.ask(lambda collection: nearest(collection, reading.whole, WIDE))
            return Finding(self._ranked(scores, limit), notices)
        except StoreUnavailable:
            return Finding(shelf.nearest(reading, limit), (*notices, WITHOUT_STORE))

    def _begin(self, place: object, text: str, hide: Hider) -> tuple[Shelf, Reading, tuple[Notice, ...]]:
        self._queue.pop(place, None)
        return self.shelves.read(text, hide=hide)

    async def ready(self) -> bool:
        """Whether the store answers."""
        try:
            await self._store.ask(lambda collection: nearest(collection, self.shelves.first.passages[0], 1))
        except StoreUnavailable:
            return False
        return True

    def _ranked(self, scores: Mapping[str, float], limit: int) -> tuple[Found, ...]:
        known = (Found(self._passages[name], score) for name, score in scores.items() if name in self._passages)
        found = one_a_document(known, limit)
        if not found:
            raise StoreUnavailable("other passages")
        return found


def nearest(collection: chromadb.Collection, vector: Vectors, limit: int) -> dict[str, float]:
    """The nearest passages, best first: id to cosine similarity."""
    answer = collection.query(query_embeddings=[vector.tolist()], n_results=limit, include=["distances"])
    distances = (answer["distances"] or [[]])[0]
    return {name: 1 - distance for name, distance in zip(answer["ids"][0], distances, strict=True)}
