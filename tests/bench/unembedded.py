"""`coach serve` with the embedding of write-ups taken out: everything else is as it is, the guard's reading of drafts included."""

import os
import sys
from collections.abc import Sequence

import numpy as np

from coach.__main__ import main
from coach.knowledge.embedders import MiniLM, Reading, Span, unit

_SOME = unit(np.random.default_rng(1).normal(size=(64, 384)).astype(np.float32))


def read(self: MiniLM, text: str, spans: Sequence[Span] = ()) -> Reading:
    """Some vector, at once."""
    return Reading(_SOME[:1], _SOME[np.arange(len(spans)) % 64])


if __name__ == "__main__":
    MiniLM.read = read
    sys.argv = ["coach", "serve", "--port", os.environ["PORT"]]
    main()
