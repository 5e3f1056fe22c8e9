"""The trained part: reads one sentence by its words and pieces of words, in any of the four languages at once.

A linear model over hashed n-grams (words 1 to 3, letters 3 to 5 within a word). Trained by `make safety` (tests/safety/train.py) from
tests/cases/safety_train.jsonl. No encoder, no file but weights.npz; a sentence takes some 0.2 ms.
"""

import io
import json
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from coach.model import Flag

BUCKETS = 2**16  # for words, and as many again for letters
MOST = 600  # characters of a sentence
_WORD = re.compile(r"[^\W_]+")


Features = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


def features(sentence: str) -> Features:
    """Which weights a sentence adds up, and by how much: the words' share and the letters' share each of length 1."""
    words = _WORD.findall(sentence[:MOST])
    grams = {" ".join(words[low : low + size]) for size in (1, 2, 3) for low in range(len(words) - size + 1)}
    pieces = {f"<{word}>"[low : low + size] for word in words for size in (3, 4, 5) for low in range(len(word) + 3 - size)}
    rows = [zlib.crc32(gram.encode()) % BUCKETS for gram in sorted(grams)] + [
        BUCKETS + zlib.crc32(piece.encode()) % BUCKETS for piece in sorted(pieces)
    ]
    sizes = [len(grams) ** -0.5] * len(grams) + [len(pieces) ** -0.5] * len(pieces) if words else []
    return np.asarray(rows, np.int64), np.asarray(sizes, np.float32)


class Reader:
    """Says how much a sentence looks like one of a kind."""

    def __init__(self, weights: Mapping[Flag, npt.NDArray[np.float32]], bounds: Mapping[Flag, float], bias: Mapping[Flag, float]) -> None:
        """`bounds` are the scores from which a sentence is taken for one; they were set by cross-validation."""
        self._weights, self.bounds, self._bias = weights, bounds, bias

    def score(self, sentence: Features, flag: Flag) -> float:
        """Log-odds, of the features of a sentence that was prepared by `coach.safety.plainly`."""
        rows, sizes = sentence
        return float(self._weights[flag][rows] @ sizes) + self._bias[flag]

    def takes(self, sentence: Features, flag: Flag) -> bool:
        """Whether a sentence is taken for one of this kind."""
        return self.score(sentence, flag) >= self.bounds[flag]


@lru_cache(maxsize=1)
def reader() -> Reader:
    """The reader that is shipped.

    Errors: OSError, ValueError or KeyError for broken weights.
    """
    raw = files("coach.safety").joinpath("weights.npz").read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["facts"]))
        weights = {Flag(name): arrays[name].astype(np.float32) for name in facts["bounds"]}
    return Reader(weights, {Flag(name): bound for name, bound in facts["bounds"].items()}, {Flag(name): bias for name, bias in facts["bias"].items()})
