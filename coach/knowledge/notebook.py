"""Vectors of documents on their way into a collection, written as they are made: what was embedded before a crash is not embedded again."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from coach.knowledge.embedders import Embedder, Vectors
from coach.knowledge.files import Document
from coach.knowledge.shelf import Progress, embed_missing, passage_text, passage_vectors

TOGETHER = 8  # documents embedded between two lines of progress


def digest(one: Document) -> str:
    """The name of a document's content."""
    return hashlib.sha256(msgspec.json.encode(one)).hexdigest()[:24]


def embedded(one: Document, embedder: Embedder) -> Vectors:
    """One row a passage, made as those of our library are. Raises EmbedderUnavailable."""
    texts = [*map(passage_text, one.passages), *one.when]
    return passage_vectors([one], embed_missing(texts, {}, embedder, lambda _done, _total: None))


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
