"""The library as it travels, and an organisation's own documents beside it."""

from typing import Annotated

import msgspec

from coach.model import About, Form, Perspective, Skill, Stage, Voice
from coach.shapes import words
from coach.wire.reflections import NoticeOut, SourceOut

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Told = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


class GuidanceEntry(msgspec.Struct, frozen=True):
    """A document in a list. With `q`, `excerpt` is of the section nearest to it and `score` its cosine; `collection` is whose it is if not ours."""

    id: str
    title: str
    excerpt: str
    skills: list[Skill]
    topics: list[str]
    sources: list[SourceOut]
    score: float | None = None
    collection: str | None = None


class GuidanceList(msgspec.Struct, frozen=True):
    """A page of documents. `next` goes into `after` for the page behind it; none at the end."""

    object: str
    data: list[GuidanceEntry]
    next: str | None
    notices: list[NoticeOut]


class SectionOut(msgspec.Struct, frozen=True):
    """A section of a document: the passage that stands beside a question."""

    id: str
    heading: str
    text: str


class GuidanceDocument(msgspec.Struct, frozen=True):
    """A document, whole. `when` says for what kind of write-up it serves."""

    object: str
    id: str
    title: str
    skills: list[Skill]
    topics: list[str]
    method: str
    when: list[str]
    sections: list[SectionOut]
    sources: list[SourceOut]


class LibraryQuestion(msgspec.Struct, frozen=True):
    """A question of the library that the guard admitted.

    Where it has a `slot`, a manager's own words stand in place of "...": any, words about themselves (`own`), or words that somebody spoke (`said`).
    """

    id: str
    text: str
    skill: Skill
    about: About
    perspective: Perspective
    form: Form
    stage: Stage
    when: str
    general: bool
    slot: Voice | None
    sources: list[SourceOut]
    score: float | None = None


class QuestionList(msgspec.Struct, frozen=True):
    """A page of questions. `next` goes into `after` for the page behind it; none at the end."""

    object: str
    data: list[LibraryQuestion]
    next: str | None
    notices: list[NoticeOut]


class SourceIn(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whose idea it is. `year` is four digits, or n.d."""

    author: Line
    title: Line
    year: Annotated[str, msgspec.Meta(pattern=r"^(\d{4}|n\.d\.)$", extra=words("four digits, or n.d. where the source has no date"))]


class SectionIn(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A section: at most 180 words that can stand alone."""

    heading: Line
    text: Told


class DocumentIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A document of guidance: 250 to 600 words in all. `when` says in four sentences for what kind of write-up it serves."""

    title: Line
    skills: Annotated[list[Skill], msgspec.Meta(min_length=1, max_length=7)]
    topics: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=20, description="Ids of themes of our library, such as handovers.")]
    method: Line
    when: Annotated[list[Line], msgspec.Meta(min_length=4, max_length=4)]
    sources: Annotated[list[SourceIn], msgspec.Meta(min_length=1, max_length=20)]
    sections: Annotated[list[SectionIn], msgspec.Meta(min_length=1, max_length=20)]


class OwnEntry(msgspec.Struct, frozen=True):
    """A document in a list."""

    id: str
    title: str
    skills: list[Skill]
    topics: list[str]


class OwnList(msgspec.Struct, frozen=True):
    """A page of documents, by id. `next` goes into `after` for the page behind it; none at the end."""

    object: str
    data: list[OwnEntry]
    next: str | None


class OwnErasure(msgspec.Struct, frozen=True):
    """What was erased. It is in no file of the data folder any more."""

    object: str
    collection: str
    document: str | None
