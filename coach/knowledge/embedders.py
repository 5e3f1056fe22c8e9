"""Text to vectors: a sentence encoder in this process, an OpenAI-compatible endpoint, or, when neither works, counted words.

All vectors have length 1, so that a dot product is a cosine.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
import openai

from coach import encoder
from coach.encoder import Encoder
from coach.errors import EmbedderUnavailable
from coach.privacy import Hider

Vectors = npt.NDArray[np.float32]
Span = tuple[int, int]
ROWS = 256  # vectors of short texts that are remembered: 400 KB


class Embedder(Protocol):
    """Makes vectors. `name` identifies model and version: vectors of two names are never compared. More than `at_once` texts only wait."""

    name: str
    dimensions: int
    at_once: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text of our own, in order: what a person wrote goes to `read`. Raises EmbedderUnavailable."""

    def read(self, text: str, spans: Sequence[Span] = ()) -> "Reading":
        """A text as a whole and spans of it, each in the light of the words around it. Raises EmbedderUnavailable."""


@dataclass(frozen=True)
class Reading:
    """`parts` holds one row for each window of the text, `spans` one for each span asked for."""

    parts: Vectors
    spans: Vectors

    @property
    def whole(self) -> Vectors:
        """The text as one vector: the mean of its windows."""
        return unit(self.parts.mean(axis=0))


def unit(vectors: Vectors) -> Vectors:
    """Scale rows to length 1; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(norms == 0, 1, norms)).astype(np.float32)


@dataclass(frozen=True)
class _Window:
    """What the encoder saw of one part: a vector a token, and where each token stands in the text (code points)."""

    states: Vectors
    offsets: npt.NDArray[np.int64]


class MiniLM:
    """The encoder of this process as an embedder: mean pooling, 384 dimensions.

    Long texts are encoded in windows of at most `window` tokens, cut where a sentence ends if one does. A span is the mean of its token
    vectors within its window (late chunking: Günther et al., 2024), so that "it just came out" is read with what came before.
    """

    name = encoder.NAME
    dimensions = encoder.DIMENSIONS
    at_once = 2  # a text is worked on by two threads already; a second fills their gaps

    def __init__(self, window: int = 128, threads: int = 2, cached: int = 16, reader: Encoder | None = None) -> None:
        """Load the encoder unless it is loaded or given. Raises EmbedderUnavailable."""
        self._encoder = reader or encoder.shared()
        self._window = window
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder")
        self._cache: OrderedDict[bytes, Future[tuple[_Window, ...]]] = OrderedDict()
        self._cached = cached
        self._rows: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text; a text longer than the window is the mean of its windows."""
        rows = [self._row(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def _row(self, text: str) -> Vectors:
        """The vector of a text, remembered: questions of one answer are compared with each other again and again."""
        key = _hash(text)
        with self._lock:
            kept = self._rows.get(key)
        if kept is None:
            kept = unit(np.stack([window.states.mean(axis=0) for window in self._encode(text)]).mean(axis=0))
            with self._lock:
                self._rows[key] = kept
                while len(self._rows) > ROWS:
                    self._rows.popitem(last=False)
        return kept

    def read(self, text: str, spans: Sequence[Span] = ()) -> Reading:
        """Encode once, then pool as often as asked: reading the same text again costs nothing (kept by hash, never by text)."""
        windows = self._remembered(text)
        parts = unit(np.stack([window.states.mean(axis=0) for window in windows]))
        return Reading(parts, unit(_pool(windows, spans)))

    def _remembered(self, text: str) -> tuple[_Window, ...]:
        """The windows of a text: whoever asks first encodes it, whoever asks meanwhile waits for that."""
        key = _hash(text)
        mine: Future[tuple[_Window, ...]] = Future()
        with self._lock:
            kept = self._cache.setdefault(key, mine)
            self._cache.move_to_end(key)
            while len(self._cache) > self._cached:
                self._cache.popitem(last=False)
        if kept is mine:
            try:
                mine.set_result(self._encode(text))
            except BaseException as error:
                mine.set_exception(error)
                with self._lock:
                    self._cache.pop(key, None)
                raise
        return kept.result()

    def _encode(self, text: str) -> tuple[_Window, ...]:
        tokens = self._encoder.tokens(text)
        cuts = _cuts([text[start:end] for start, end in tokens.offsets.tolist()], self._window - 2)
        jobs = [(tokens.ids[low:high], tokens.offsets[low:high]) for low, high in pairwise(cuts)]
        if len(jobs) == 1:
            return (self._run(*jobs[0]),)
        return tuple(self._pool.map(lambda job: self._run(*job), jobs))

    def _run(self, ids: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> _Window:
        edges = np.asarray([[-1, -1]], np.int64)
        return _Window(self._encoder.last(ids), np.concatenate((edges, offsets, edges)))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _cuts(words: Sequence[str], size: int) -> list[int]:
    """Where to cut tokens into even windows of at most `size`, moved back to the end of a sentence if one is near."""
    total = max(len(words), 1)
    windows = -(-total // size)
    cuts = [0]
    for left in range(windows, 0, -1):
        if left == 1 and total - cuts[-1] <= size:
            break
        target = min(cuts[-1] + -(-(total - cuts[-1]) // left), cuts[-1] + size)
        near = range(target, max(target - size // 4, cuts[-1] + 1), -1)
        cuts.append(next((cut for cut in near if words[cut - 1] in {".", "!", "?"}), target))
    while total - cuts[-1] > size:
        cuts.append(cuts[-1] + size)
    return [*cuts, total]


def _pool(windows: Sequence[_Window], spans: Sequence[Span]) -> Vectors:
    """One row a span: the mean of the vectors of the tokens it touches."""
    states = np.concatenate([window.states for window in windows])
    offsets = np.concatenate([window.offsets for window in windows])
    edges = np.asarray(spans, np.int64).reshape(-1, 2)
    touched = (offsets[None, :, 0] < edges[:, None, 1]) & (offsets[None, :, 1] > edges[:, None, 0])
    share = touched / np.maximum(touched.sum(axis=1, keepdims=True), 1)
    pooled: Vectors = share.astype(np.float32) @ states
    return pooled


class Endpoint:
    """An OpenAI-compatible embeddings endpoint. What a person wrote is masked before it leaves."""

    at_once = 16

    def __init__(self, client: openai.OpenAI, model: str, dimensions: int) -> None:
        """`client` has its own address, key and deadline."""
        self.name = f"endpoint:{model}:{dimensions}"
        self.dimensions = dimensions
        self._client = client
        self._model = model

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, at most 128 texts a call."""
        rows: list[Sequence[float]] = []
        for low in range(0, len(texts), 128):
            rows += self._call(list(texts[low : low + 128]))
        matrix = np.asarray(rows, np.float32).reshape(len(texts), -1) if texts else np.zeros((0, self.dimensions), np.float32)
        if matrix.shape[1] != self.dimensions or not np.isfinite(matrix).all():
            raise EmbedderUnavailable(self.name, f"it sent {matrix.shape[1]} dimensions where {self.dimensions} were expected, or no numbers")
        return unit(matrix)

    def close(self) -> None:
        """Give its connections back."""
        self._client.close()

    def _call(self, texts: list[str]) -> list[Sequence[float]]:
        try:
            answer = self._client.embeddings.create(model=self._model, input=texts, encoding_format="float")
            return [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:  # the SDK lets all of these through on bad answers
            raise EmbedderUnavailable(self.name, type(error).__name__) from None

    def read(self, text: str, spans: Sequence[Span] = (), hide: Hider = Hider()) -> Reading:  # noqa: B008 (frozen)
        """One call: the text and its spans, each by itself, all masked."""
        masked = hide(text)
        vectors = self.embed([masked.text, *(masked.part(start, end) for start, end in spans)])
        return Reading(vectors[:1], vectors[1:])

    @property
    def host(self) -> str:
        """Where texts go."""
        return self._client.base_url.host


class CountedWords:
    """Hashed counts of words and word pairs: no model, no file, nothing that can fail. It knows no meaning, only shared words."""

    name = "counted-words-1"
    dimensions = 512
    at_once = 2

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        matrix = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"[^\W\d_]{4,}", text.lower()):
                digest = hashlib.blake2b(word[:6].encode("utf-8", "surrogatepass"), digest_size=4).digest()
                matrix[row, int.from_bytes(digest, "big") % self.dimensions] += 1
        return unit(np.sqrt(matrix))

    def read(self, text: str, spans: Sequence[Span] = ()) -> Reading:
        """The text and its spans, each by itself."""
        vectors = self.embed([text, *(text[start:end] for start, end in spans)])
        return Reading(vectors[:1], vectors[1:])
