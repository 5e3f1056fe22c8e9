"""The whole library as vectors in memory, under one embedder; and the plain one that takes over when that embedder fails."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from coach.errors import EmbedderUnavailable
from coach.knowledge.embedders import CountedWords, Embedder, Endpoint, Reading, Span, Vectors, unit
from coach.knowledge.files import Document, Knowledge
from coach.model import BankQuestion, Found, Notice, Passage
from coach.privacy import Hider

WITHOUT_ENCODER = Notice("plain-matching", "The sentence encoder is not available, so questions were chosen by shared words alone.")

PURPOSE = 0.7  # of a passage's vector, how much is what its document is for

Progress = Callable[[int, int], None]


def passage_text(passage: Passage) -> str:
    """What of a passage is embedded: its document's title, its heading, its text."""
    return f"{passage.title}. {passage.heading}. {passage.text}"


def texts(knowledge: Knowledge) -> list[str]:
    """Everything that is embedded."""
    return [
        *(passage_text(passage) for passage in knowledge.passages),
        *(sentence for document in knowledge.documents for sentence in document.when),
        *(question_text(question) for question in knowledge.questions),
        *(question.when for question in knowledge.questions),
        *(theme.says for theme in knowledge.themes),
    ]


def question_text(question: BankQuestion) -> str:
    """What of a question is embedded."""
    return question.text.replace('"{quote}"', "these words")


def key(text: str) -> str:
    """The name of a text in a table of vectors."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def embed_missing(wanted: Iterable[str], known: Mapping[str, Vectors], embedder: Embedder, progress: Progress) -> dict[str, Vectors]:
    """A table of all `wanted` texts: what is known is kept, the rest embedded. `progress` is told (done, total) of the new ones."""
    unique = {key(text): text for text in wanted}
    missing = [name for name in unique if name not in known]
    table = {name: known[name] for name in unique if name in known}
    for low in range(0, len(missing), 16):
        batch = missing[low : low + 16]
        table.update(zip(batch, embedder.embed([unique[name] for name in batch]), strict=True))
        progress(low + len(batch), len(missing))
    return table


@dataclass(frozen=True)
class Shelf:
    """One row a passage, a question's text, a question's `when`, a theme: in the order of `knowledge`."""

    embedder: Embedder
    knowledge: Knowledge
    passages: Vectors
    questions: Vectors
    whens: Vectors
    themes: Vectors

    @classmethod
    def of(cls, knowledge: Knowledge, embedder: Embedder, table: Mapping[str, Vectors]) -> "Shelf":
        """Put the rows of a table in order. Raises KeyError if it lacks a text."""
        return cls(
            embedder,
            knowledge,
            passage_vectors(knowledge.documents, table),
            _rows(table, (question_text(question) for question in knowledge.questions)),
            _rows(table, (question.when for question in knowledge.questions)),
            _rows(table, (theme.says for theme in knowledge.themes)),
        )

    @cached_property
    def commonness(self) -> Vectors:
        """How near each question's `when` is to all of them together: a question near to everything says little by being near."""
        common: Vectors = self.whens @ unit(self.whens.mean(axis=0))
        return common

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of each passage, by its id."""
        return {passage.id: row for row, passage in enumerate(self.knowledge.passages)}

    def flags(self, of: Callable[[BankQuestion], bool]) -> npt.NDArray[np.bool_]:
        """One truth value a question."""
        return np.fromiter((of(question) for question in self.knowledge.questions), np.bool_)

    @cached_property
    def general(self) -> npt.NDArray[np.bool_]:
        """Which questions make sense for any write-up."""
        return self.flags(lambda question: question.general)

    @cached_property
    def slotted(self) -> npt.NDArray[np.bool_]:
        """Which questions have a slot for the manager's words."""
        return self.flags(lambda question: question.slot is not None)

    @cached_property
    def openers(self) -> npt.NDArray[np.bool_]:
        """Which questions are for a text of which nothing can be made out."""
        return self.flags(lambda question: question.opener)

    @cached_property
    def follows(self) -> npt.NDArray[np.bool_]:
        """Which questions are for the middle of a conversation."""
        return self.flags(lambda question: question.follows)

    def nearest(self, reading: Reading, limit: int) -> tuple[Found, ...]:
        """The passages nearest to a text as a whole (cosine), at most one of a document."""
        scores = self.passages @ reading.whole
        order = np.argsort(-scores, kind="stable")
        return one_a_document((Found(self.knowledge.passages[row], float(scores[row])) for row in order), limit)


def _rows(table: Mapping[str, Vectors], wanted: Iterable[str]) -> Vectors:
    return np.stack([table[key(text)] for text in wanted])


def passage_vectors(documents: Iterable[Document], table: Mapping[str, Vectors]) -> Vectors:
    """One row a passage: what it says, and more heavily what its document is for (weights measured: knowledge/README.md).

    A passage shows its idea in some scene, and the scene alone would be found by managers in that trade and by nobody else.
    """
    rows = []
    for document in documents:
        purpose = unit(np.stack([table[key(sentence)] for sentence in document.when]).mean(axis=0))
        rows += [(1 - PURPOSE) * table[key(passage_text(passage))] + PURPOSE * purpose for passage in document.passages]
    return unit(np.stack(rows))


def one_a_document(ranked: Iterable[Found], limit: int) -> tuple[Found, ...]:
    """The first `limit` passages of different documents."""
    found: dict[str, Found] = {}
    for one in ranked:
        if one.passage.document not in found:
            found[one.passage.document] = replace(one, score=round(one.score, 4))
        if len(found) == limit:
            break
    return tuple(found.values())


class Shelves:
    """The shelf in use and the plain one behind it."""

    def __init__(self, first: Shelf) -> None:
        """`first` is used as long as its embedder answers."""
        self.first = first
        self.plain = first if isinstance(first.embedder, CountedWords) else plain(first.knowledge)

    def read(self, text: str, spans: Sequence[Span] = (), hide: Hider = Hider()) -> tuple[Shelf, Reading, tuple[Notice, ...]]:  # noqa: B008 (frozen)
        """Read a text with the first embedder, or with counted words and a notice if it fails. Never raises for an embedder.

        `hide` masks the text if it has to leave the process for this.
        """
        embedder = self.first.embedder
        try:
            reading = embedder.read(text, spans, hide) if isinstance(embedder, Endpoint) else embedder.read(text, spans)
        except EmbedderUnavailable:
            return self.plain, self.plain.embedder.read(text, spans), (WITHOUT_ENCODER,)
        notices = (WITHOUT_ENCODER,) if self.first is self.plain else ()
        return self.first, reading, notices


def plain(knowledge: Knowledge) -> Shelf:
    """The library under counted words: made in milliseconds from nothing."""
    embedder = CountedWords()
    return Shelf.of(knowledge, embedder, embed_missing(texts(knowledge), {}, embedder, lambda _done, _total: None))
