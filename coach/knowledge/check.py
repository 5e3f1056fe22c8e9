"""Validates all of knowledge/, near-copies included."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coach import guard
from coach.errors import Fault, KnowledgeError
from coach.knowledge import groups, signposts
from coach.knowledge.embedders import Embedder
from coach.knowledge.files import Document, Knowledge, read, refused
from coach.safety import Safety

MOST_ALIKE = 0.88


@dataclass(frozen=True)
class Report:
    """How much there is, and what is wrong with it."""

    documents: int
    passages: int
    questions: int
    slotted: int
    protocols: int
    faults: tuple[Fault, ...]


def run(folder: Path, embedder: Embedder) -> Report:
    """Read everything and list every fault. Raises EmbedderUnavailable."""
    knowledge, faults = read(folder)
    slotted = sum(question.slot is not None for question in knowledge.questions)
    every = (*faults, *refused(knowledge.questions), *near_copies(knowledge, embedder), *unsafe(folder, knowledge), *group_faults(folder))
    protocols = len(list((folder / "protocols").glob("*.yaml")))
    return Report(len(knowledge.documents), len(knowledge.passages), len(knowledge.questions), slotted, protocols, every)


def group_faults(folder: Path) -> Iterator[Fault]:
    """What is wrong with protocols and with the questions of sheets, the guard's learned head included."""
    found, faults = groups.read(folder)
    yield from faults
    if found is None:
        return
    texts = [one.draft.text.replace(groups.FUNCTION, groups.A_FUNCTION) for one in found.questions]
    for one, verdict in zip(found.questions, guard.check_all(texts, language="en"), strict=True):
        if not verdict.accept:
            yield Fault("groups/questions.yaml", f"{one.draft.origin}.text", f"the guard refuses it as {verdict.reason}: {verdict.message}")


_TELLS = re.compile(r"\byou (?:should|must|need to|have to)\b|\bmake sure\b|!", re.IGNORECASE)
_MARKUP = re.compile(r"<[a-z/!][^>]*>|\]\(|https?://|www\.|\bjavascript:|&#?\w+;", re.IGNORECASE)


def unsafe(folder: Path, knowledge: Knowledge) -> Iterator[Fault]:
    """Content that is more than text: guidance that speaks to a machine, carries markup, or links out; and what is wrong in safety/."""
    try:
        loaded = signposts.load(folder)
    except KnowledgeError as error:
        yield from error.faults
        return
    yield from signposts.faults(loaded)
    safety = Safety(loaded)
    for document in knowledge.documents:
        for where, reason in unshowable(document, safety):
            yield Fault(f"guidance/{document.id}.md", where, reason)


def unshowable(document: Document, safety: Safety) -> Iterator[tuple[str, str]]:
    """Where and why a document is more than text for a manager to read: passages stand beside questions, and go to a model as material."""
    for where, told in (("method", document.method), *(("when", sentence) for sentence in document.when)):
        if safety.speaks_to_a_machine(told):
            yield where, "speaks to a machine, not to a manager"
    for passage in document.passages:
        told = f"{passage.title}. {passage.heading}. {passage.text}"
        if found := _MARKUP.search(told):
            yield passage.heading, f"holds markup or a link: {found[0]!r}"
        if found := _TELLS.search(told):
            yield passage.heading, f"tells the reader what to do: {found[0]!r}; it can say what tends to happen, and what a question opens"
        if safety.speaks_to_a_machine(told):
            yield passage.heading, "speaks to a machine, not to a manager"


def near_copies(knowledge: Knowledge, embedder: Embedder) -> Iterator[Fault]:
    """Pairs of questions whose embeddings have a cosine above 0.88. A slot is left as it stands."""
    rows = embedder.embed([question.text for question in knowledge.questions])
    alike = np.triu(rows @ rows.T, 1)
    for first, second in np.argwhere(alike > MOST_ALIKE):
        one, other = knowledge.questions[first], knowledge.questions[second]
        yield Fault("questions", one.id, f"says nearly the same as {other.id} ({alike[first, second]:.2f}): {one.text} / {other.text}")
