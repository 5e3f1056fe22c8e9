"""The trained part of the safety checks: which sentences of a text sound like a crisis, or like a matter for HR or the law.

Every sentence is skimmed (skim.py); those that are not plainly harmless are read with care (layers.py). Where the encoder is missing, skimming alone
decides, by stricter bounds. Trained by `make safety` (tests/safety) from tests/cases; the weights are plain arrays in weights.npz.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from coach import encoder
from coach.encoder import Encoder
from coach.errors import EmbedderUnavailable
from coach.model import Flag
from coach.safety.layers import Layers, unpacked
from coach.safety.skim import Skimmer

KINDS = (Flag.CRISIS, Flag.HR_LEGAL)
MOST_TOKENS = 62
ENGLISH = "en"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How a kind is told, for texts in one group of languages; all set by cross-validation over writers.

    A sentence that skims below `glance` is not read (97 in 100 of ordinary texts); one that is read is taken from `careful` on, both
    scores added; `alone` is the bound for skimming without an encoder.
    """

    glance: float
    careful: float
    alone: float


class Reader:
    """Reads sentences. `of` is "en" or "other"."""

    def __init__(self, skimmer: Skimmer, layers: Layers, bounds: Mapping[str, Mapping[Flag, Bounds]], ears: Callable[[], Encoder]) -> None:
        """`ears` gives the encoder, or raises EmbedderUnavailable."""
        self.bounds = bounds
        self._skimmer, self._layers, self._ears = skimmer, layers, ears

    def reads(self, told: Sequence[str], plain: Sequence[str], language: str) -> frozenset[Flag]:
        """The kinds that some sentence is of; each sentence is given as written, and prepared by `coach.safety.plainly`."""
        bounds = self.bounds[group(language)]
        skimmed = [self._skimmer.score(one) for one in plain]
        worth = [place for place, score in enumerate(skimmed) if any(score[flag] >= bounds[flag].glance for flag in KINDS)]
        try:
            careful = self._careful([told[place] for place in worth])
        except EmbedderUnavailable:
            return frozenset(flag for flag in KINDS if any(score[flag] >= bounds[flag].alone for score in skimmed))
        found = set()
        for place, scores in zip(worth, careful, strict=True):
            for flag, score in zip(KINDS, scores, strict=True):
                if skimmed[place][flag] + float(score) >= bounds[flag].careful:
                    found.add(flag)
        return frozenset(found)

    def _careful(self, told: Sequence[str]) -> Floats:
        if not told:
            return np.zeros((0, len(KINDS)), np.float32)
        ears = self._ears()
        return self._layers([heard(ears, one) for one in told])


def group(language: str) -> str:
    """Languages that are judged by the same bounds: the encoder knows English."""
    return "en" if language == ENGLISH else "other"


def heard(ears: Encoder, told: str) -> Floats:
    """What the encoder's third layer makes of a sentence: (tokens, 384)."""
    states: Floats = ears.middle(ears.tokens(told).ids[:MOST_TOKENS])[:, : encoder.DIMENSIONS]
    return states


@lru_cache(maxsize=1)
def reader() -> Reader:
    """The reader that is shipped.

    Errors: OSError, ValueError or KeyError for broken weights.
    """
    raw = files("coach.safety").joinpath("weights.npz").read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    facts = json.loads(str(arrays.pop("facts")))
    skimmer = Skimmer({flag: arrays.pop(f"skim.{flag}").astype(np.float32) for flag in KINDS}, {flag: facts["bias"][flag] for flag in KINDS})
    scales = {name.removesuffix(".scale"): arrays[name] for name in arrays if name.endswith(".scale")}
    plain = {name: rows.astype(np.float32) for name, rows in arrays.items() if name not in scales and not name.endswith(".scale")}
    weights = plain | {name: unpacked(arrays[name], scale) for name, scale in scales.items()}
    bounds = {name: {Flag(flag): Bounds(**bound) for flag, bound in kinds.items()} for name, kinds in facts["bounds"].items()}
    return Reader(skimmer, Layers(weights), bounds, encoder.shared)
