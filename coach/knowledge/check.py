"""Validates all of knowledge/, near-copies included."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coach.errors import Fault
from coach.knowledge.embedders import Embedder
from coach.knowledge.files import Knowledge, read, refused

MOST_ALIKE = 0.88


@dataclass(frozen=True)
class Report:
    """How much there is, and what is wrong with it."""

    documents: int
    passages: int
    questions: int
    slotted: int
    faults: tuple[Fault, ...]


def run(folder: Path, embedder: Embedder) -> Report:
    """Read everything and list every fault. Raises EmbedderUnavailable."""
    knowledge, faults = read(folder)
    slotted = sum(question.slot is not None for question in knowledge.questions)
    every = (*faults, *refused(knowledge.questions), *near_copies(knowledge, embedder))
    return Report(len(knowledge.documents), len(knowledge.passages), len(knowledge.questions), slotted, every)


def near_copies(knowledge: Knowledge, embedder: Embedder) -> Iterator[Fault]:
    """Pairs of questions whose embeddings have a cosine above 0.88. A slot is left as it stands."""
    rows = embedder.embed([question.text for question in knowledge.questions])
    alike = np.triu(rows @ rows.T, 1)
    for first, second in np.argwhere(alike > MOST_ALIKE):
        one, other = knowledge.questions[first], knowledge.questions[second]
        yield Fault("questions", one.id, f"says nearly the same as {other.id} ({alike[first, second]:.2f}): {one.text} / {other.text}")
