"""The careful part of the reader: the last three layers of the encoder, trained anew, over what its third makes of one sentence.

The same sum as in BERT (Devlin et al., 2019): attention, then two dense layers, each added to what came in and normalised. The encoder's own last
layers say what a text is about; these say whether somebody is in danger.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

HEADS = 12


class Layers:
    """A stack of encoder layers, and one score a kind for each sentence."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        """Matrices are (in, out), under names like "0.query", "0.query_bias" and "0.norm1"; "out" maps mean and maximum over the tokens to scores."""
        self._of = weights
        self._count = sum(name.endswith(".query") for name in weights)

    def __call__(self, sentences: Sequence[Floats]) -> Floats:
        """The log-odds of each kind against none, (sentences, kinds), from token vectors (tokens, 384) a sentence."""
        lengths = [len(one) for one in sentences]
        rows = np.concatenate(sentences)
        for number in range(self._count):
            rows = self._layer(rows, lengths, f"{number}.")
        parts = np.split(rows, np.cumsum(lengths)[:-1])
        pooled = np.stack([np.concatenate([part.mean(axis=0), part.max(axis=0)]) for part in parts])
        scores = pooled @ self._of["out"] + self._of["out_bias"]
        odds: Floats = scores[:, 1:] - scores[:, :1]
        return odds

    def _dense(self, rows: Floats, name: str) -> Floats:
        made: Floats = rows @ self._of[name] + self._of[f"{name}_bias"]
        return made

    def _layer(self, rows: Floats, lengths: Sequence[int], name: str) -> Floats:
        query, key, value = (self._dense(rows, name + part) for part in ("query", "key", "value"))
        heard, low = np.empty_like(rows), 0
        for length in lengths:
            here = slice(low, low + length)
            ask, answer, hold = (part[here].reshape(length, HEADS, -1).swapaxes(0, 1) for part in (query, key, value))
            shares = _softmax(ask @ answer.swapaxes(1, 2) / np.float32(np.sqrt(ask.shape[2])))
            heard[here] = (shares @ hold).swapaxes(0, 1).reshape(length, -1)
            low += length
        rows = self._norm(rows + self._dense(heard, name + "mixed"), name + "norm1")
        return self._norm(rows + self._dense(_gelu(self._dense(rows, name + "wide")), name + "narrow"), name + "norm2")

    def _norm(self, rows: Floats, name: str) -> Floats:
        centred = rows - rows.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(1e-12))
        scaled: Floats = centred / deviation * self._of[name] + self._of[f"{name}_bias"]
        return scaled


def packed(matrix: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """A matrix as whole numbers and one scale a column."""
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-8) / 127
    return np.round(matrix / scale).astype(np.int8), scale.astype(np.float32)


def unpacked(whole: npt.NDArray[np.int8], scale: Floats) -> Floats:
    """The matrix again."""
    matrix: Floats = whole.astype(np.float32) * scale
    return matrix


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _gelu(values: Floats) -> Floats:
    """The tanh form (Hendrycks and Gimpel, 2016)."""
    inner = np.float32(0.7978845608) * (values + np.float32(0.044715) * values * values * values)
    shaped: Floats = np.float32(0.5) * values * (1 + np.tanh(inner))
    return shaped
