"""The learned part of the guard: a few small attention layers over the encoder's token vectors, read in English.

Trained by `make head` (tests/head) from the labelled sentences in tests/cases/guard.jsonl and the question bank; the weights are plain
arrays in head.npz. No text is kept: results are remembered by hash.
"""

import hashlib
import io
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from threading import Lock

import numpy as np
import numpy.typing as npt

from coach import encoder
from coach.encoder import Encoder
from coach.guard.sentence import Sentence
from coach.model import Reason

Floats = npt.NDArray[np.float32]

MOST_TOKENS = 40  # of a longer sentence the beginning is read
MOST_READ = 600  # characters that are cut into tokens at all
REMEMBERED = 4096
CLASSES: tuple[Reason | None, ...] = (None, *(reason for reason in Reason if reason.by_itself))  # None: it may be asked


@dataclass(frozen=True)
class Reading:
    """What the head makes of a sentence: how likely it belongs to each class, and how much each token speaks for each.

    `shares` has the shape (tokens, classes); `at` holds the offsets of the tokens in the text as given (tokens, 2).
    """

    likely: Floats
    shares: Floats
    at: npt.NDArray[np.int64]

    @property
    def accept(self) -> float:
        """How likely a coach would let it pass, 0 to 1."""
        return float(self.likely[0])

    def of(self, reason: Reason) -> float:
        """How likely it is to be refused for this reason, 0 to 1."""
        return float(self.likely[CLASSES.index(reason)])

    def by_name(self) -> dict[str, float]:
        """The probabilities by name, to three places."""
        return {str(name or "accept"): round(float(value), 3) for name, value in zip(CLASSES, self.likely, strict=True)}

    def words(self, reason: Reason) -> tuple[int, int] | None:
        """The stretch of words that speaks most for a reason, as offsets into the text; None where no word does."""
        shares = self.shares[:, CLASSES.index(reason)] - self.shares[:, 0]
        best, start, total, found = 0.0, 0, 0.0, None
        for place, share in enumerate(shares - max(float(shares.mean()), 0.0)):
            if total <= 0:
                start, total = place, 0.0
            total += float(share)
            if total > best:
                best, found = total, (int(self.at[start, 0]), int(self.at[place, 1]))
        return found


class Head:
    """Judges sentences. Each is read alone, so that its verdict depends on nothing else."""

    def __init__(self, weights: Mapping[str, Floats], facts: Mapping[str, object], reader: Encoder) -> None:
        """`weights` are those of head.npz, `facts` what stands in it about their making."""
        self.facts = facts
        self._networks = _Ensemble(weights, int(str(facts["members"])))
        self._encoder = reader
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="guard")
        self._kept: OrderedDict[bytes, Reading] = OrderedDict()
        self._lock = Lock()

    def threshold(self, name: str) -> float:
        """A bound that was set on the development part of the data."""
        return float(str(self.facts[name]))

    def read(self, sentences: Sequence[Sentence]) -> list[Reading]:
        """One reading a sentence, in order. The encoder is asked only for those not read before."""
        if len(sentences) == 1:
            return [self._read(sentences[0])]
        return list(self._pool.map(self._read, sentences))

    def remembers(self, sentence: Sentence) -> bool:
        """Whether the encoder need not be asked."""
        return _key(sentence.told[0][:MOST_READ]) in self._kept

    def _read(self, sentence: Sentence) -> Reading:
        told, origin = sentence.told
        told = told[:MOST_READ]
        key = _key(told)
        with self._lock:
            kept = self._kept.get(key)
            if kept:
                self._kept.move_to_end(key)
        tokens = self._encoder.tokens(told)
        at = np.asarray([(origin[start], origin[max(end - 1, start)] + 1) for start, end in tokens.offsets[: MOST_TOKENS - 2]] if told else [(0, 0)])
        if kept:
            return Reading(kept.likely, kept.shares, at)
        states = self._encoder.middle(tokens.ids[: MOST_TOKENS - 2])
        likely, shares = self._networks(states)
        found = Reading(likely, shares[1:-1], at)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return found


def _key(told: str) -> bytes:
    return hashlib.blake2b(told.encode(), digest_size=16).digest()


class _Ensemble:
    """Several networks of one shape, worked out side by side: projection, attention layers (pre-norm), mean and maximum over the tokens, classes."""

    heads = 4

    def __init__(self, weights: Mapping[str, Floats], members: int) -> None:
        """`weights` hold each array once a member, under "0.name", "1.name" and so on; here they are stacked: (members, ...)."""
        names = [name.removeprefix("0.") for name in weights if name.startswith("0.")]
        self._of = {name: np.stack([weights[f"{member}.{name}"] for member in range(members)]).astype(np.float32) for name in names}
        self._of |= {name: rows[:, None, :] for name, rows in self._of.items() if rows.ndim == 2}
        self._layers = sum(name.endswith("attention_in") for name in self._of)

    def __call__(self, states: Floats) -> tuple[Floats, Floats]:
        """Probabilities of the classes, and what each token adds to each before the softmax: (classes), (tokens, classes), means over the members."""
        weights = self._of
        rows = states @ weights["project"] + weights["project_bias"] + weights["place"][:, : len(states)]
        for number in range(self._layers):
            rows = self._layer(rows, f"{number}.")
        rows = _norm(rows, weights["norm"], weights["norm_bias"])
        width = rows.shape[2]
        highest = rows.argmax(axis=1)[:, None, :]
        top = np.zeros_like(rows)
        np.put_along_axis(top, highest, np.take_along_axis(rows, highest, axis=1), axis=1)
        shares = (rows / rows.shape[1]) @ weights["out"][:, :width] + top @ weights["out"][:, width:]
        scores = shares.sum(axis=1) + weights["out_bias"][:, 0]
        return _softmax(scores).mean(axis=0), shares.mean(axis=0)

    def _layer(self, rows: Floats, name: str) -> Floats:
        weights = self._of
        calm = _norm(rows, weights[f"{name}norm1"], weights[f"{name}norm1_bias"])
        mixed = calm @ weights[f"{name}attention_in"] + weights[f"{name}attention_in_bias"]
        members, length, width = rows.shape
        query, key, value = (part.reshape(members, length, self.heads, -1).swapaxes(1, 2) for part in np.split(mixed, 3, axis=2))
        heard = _softmax(query @ key.swapaxes(2, 3) / np.float32(np.sqrt(width / self.heads))) @ value
        heard = heard.swapaxes(1, 2).reshape(members, length, width)
        rows = rows + heard @ weights[f"{name}attention_out"] + weights[f"{name}attention_out_bias"]
        calm = _norm(rows, weights[f"{name}norm2"], weights[f"{name}norm2_bias"])
        inner = _gelu(calm @ weights[f"{name}wide"] + weights[f"{name}wide_bias"])
        return rows + inner @ weights[f"{name}narrow"] + weights[f"{name}narrow_bias"]


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    likely: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return likely


def _norm(rows: Floats, weight: Floats, bias: Floats) -> Floats:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(1e-5))
    scaled: Floats = centred / deviation * weight + bias
    return scaled


def _gelu(values: Floats) -> Floats:
    """The tanh form (Hendrycks and Gimpel, 2016)."""
    inner = np.float32(0.7978845608) * (values + np.float32(0.044715) * values * values * values)
    shaped: Floats = np.float32(0.5) * values * (1 + np.tanh(inner))
    return shaped


@lru_cache(maxsize=1)
def head() -> Head:
    """The trained head over the encoder of this process.

    Errors: EmbedderUnavailable if the encoder cannot be loaded, each time anew; OSError or ValueError for a broken head.npz.
    """
    raw = files("coach.guard").joinpath("head.npz").read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        weights = {name: arrays[name] for name in arrays.files if name != "facts"}
        facts = json.loads(str(arrays["facts"]))
    return Head(weights, facts, encoder.shared())
