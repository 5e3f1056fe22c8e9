"""The addresses of the library: guidance and questions, to read and to search."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import numpy as np
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from coach import guard
from coach.bootstrap import Coach
from coach.errors import Malformed
from coach.knowledge.embedders import Reading
from coach.knowledge.files import Document
from coach.knowledge.shelf import Shelf
from coach.model import About, BankQuestion, Challenge, Draft, Finding, Form, Found, Notice, Perspective, Question, Skill, Source
from coach.privacy import hider
from coach.reflect import ENGLISH
from coach.web.callers import usable, who
from coach.web.door import Door
from coach.web.problems import documented
from coach.web.requests import refuse_unsendable
from coach.web.schema import excerpt
from coach.wire.library import GuidanceDocument, GuidanceEntry, GuidanceList, LibraryQuestion, QuestionList, SectionOut
from coach.wire.reflections import NoticeOut, SourceOut

MARKDOWN = "text/markdown"
SLOT, SHOWN = "{quote}", "..."  # where a manager's own words stand in a question, and how that is shown
_PRIVATE = {"cache-control": "no-store"}
_TAGS = ["library"]
_Entry = TypeVar("_Entry")
_Choice = TypeVar("_Choice", bound=StrEnum)

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many, 1 to 100.")]
After = Annotated[str | None, QueryParameter(max_length=200, description="`next` of the page before.")]
Sought = Annotated[str | None, QueryParameter(max_length=1000, description="What to look for, in plain words: found by meaning, the nearest first.")]
Collections = Annotated[
    list[str] | None, QueryParameter(max_items=10, description="Collections of your organisation's own to look into as well, with `q`.")
]


@get(
    "/v1/guidance",
    operation_id="list_guidance",
    summary="Guidance on collaboration and peer learning",
    description=(
        "With `q` the documents nearest in meaning to it, the nearest first, each with the section that is nearest; else all, by title. "
        "`q` is read like a write-up: it is not kept and not logged."
    ),
    responses={
        200: ResponseSpec(GuidanceList, generate_examples=False, description="A page of documents"),
        **documented("malformed", "busy", "internal"),
    },
    tags=_TAGS,
)
async def list_guidance(  # noqa: PLR0913, PLR0917 (Litestar passes what is named)
    request: Request[Any, Any, Any],
    coach: NamedDependency[Coach],
    door: NamedDependency[Door],
    q: Sought = None,
    knowledge: Collections = None,
    limit: Limit = 20,
    after: After = None,
) -> Response[GuidanceList]:
    """Documents, all or those that fit."""
    documents = coach.library.shelves.first.knowledge.documents
    if not q or not q.strip():
        entries = [_entry(one) for one in sorted(documents, key=lambda one: (one.title.casefold(), one.id))]
        notices: tuple[Notice, ...] = ()
    else:
        collections = usable(knowledge, who(request), coach)
        found = await _found(q, coach, door, collections)
        known = {one.id: one for one in documents}
        entries = [_hit(one, known.get(one.passage.document)) for one in found.passages]
        notices = found.notices
    page, behind = _page(entries, [one.id for one in entries], limit, after)
    return Response(GuidanceList("list", page, behind, _notices(notices)), headers=_PRIVATE)


async def _found(q: str, coach: Coach, door: Door, collections: tuple[str, ...]) -> Finding:
    shelf, reading, notices = await _read(q, coach, door)
    found = Finding(shelf.nearest(reading, len(shelf.knowledge.documents)), notices)
    return await coach.library.beside(found, collections, shelf, reading, len(shelf.knowledge.documents)) if collections else found


async def _read(q: str, coach: Coach, door: Door) -> tuple[Shelf, Reading, tuple[Notice, ...]]:
    """What is looked for, as vectors. Errors: Busy, Malformed."""
    refuse_unsendable([("/q", q)])
    door.check()
    return await coach.library.read(q, hider(Challenge(q), coach.needs.languages.detect(q) or ENGLISH))


@get(
    "/v1/guidance/{identifier:str}",
    operation_id="read_guidance",
    summary="A document of guidance, whole",
    description="As JSON, or with `Accept: text/markdown` as a text to read.",
    responses={200: ResponseSpec(GuidanceDocument, generate_examples=False, description="The document"), **documented("not-found", "internal")},
    tags=_TAGS,
)
async def read_guidance(
    identifier: FromPath[str], request: Request[Any, Any, Any], coach: NamedDependency[Coach]
) -> Response[GuidanceDocument] | Response[str]:
    """One document."""
    found = next((one for one in coach.library.shelves.first.knowledge.documents if one.id == identifier), None)
    if found is None:
        raise HTTPException(status_code=404)
    return shown(found, request)


def shown(document: Document, request: Request[Any, Any, Any]) -> Response[GuidanceDocument] | Response[str]:
    """A document as the caller wants it."""
    headers = {"vary": "accept", **_PRIVATE}
    if MARKDOWN in request.headers.get("accept", ""):
        return Response(document_text(document), media_type=MARKDOWN, headers=headers)
    return Response(document_out(document), media_type=MediaType.JSON, headers=headers)


def document_out(document: Document) -> GuidanceDocument:
    """A document as it is sent."""
    return GuidanceDocument(
        "guidance",
        document.id,
        document.title,
        list(document.skills),
        list(document.themes),
        document.method,
        list(document.when),
        [SectionOut(one.id, one.heading, one.text) for one in document.passages],
        _sources(document.sources),
    )


def document_text(document: Document) -> str:
    """The same to read, as Markdown."""
    sections = [f"## {_plain(one.heading)}\n\n{_plain(one.text)}" for one in document.passages]
    works = "\n".join(f"- {_plain(f'{one.author}, {one.title}, {one.year}')}" for one in document.sources)
    return "\n\n".join((f"# {_plain(document.title)}", *sections, f"## Sources\n\n{works}")) + "\n"


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


@get(
    "/v1/questions",
    operation_id="list_questions",
    summary="The questions of the library",
    description=(
        "All, or those of a skill, a subject, a perspective or a form; with `q` those nearest in meaning to it first. Each was admitted by the "
        "guard as it is shown."
    ),
    responses={
        200: ResponseSpec(QuestionList, generate_examples=False, description="A page of questions"),
        **documented("malformed", "busy", "internal"),
    },
    tags=_TAGS,
)
async def list_questions(  # noqa: PLR0913, PLR0917
    coach: NamedDependency[Coach],
    door: NamedDependency[Door],
    skill: Annotated[str | None, QueryParameter(description=f"{', '.join(Skill)}.")] = None,
    about: Annotated[str | None, QueryParameter(description=f"{', '.join(About)}.")] = None,
    perspective: Annotated[str | None, QueryParameter(description=f"{', '.join(Perspective)}.")] = None,
    form: Annotated[str | None, QueryParameter(description=f"{', '.join(Form)}.")] = None,
    q: Sought = None,
    limit: Limit = 20,
    after: After = None,
) -> Response[QuestionList]:
    """Questions, all or those that fit."""
    wanted = {
        "skill": _chosen("skill", skill, Skill),
        "about": _chosen("about", about, About),
        "perspective": _chosen("perspective", perspective, Perspective),
        "form": _chosen("form", form, Form),
    }
    scores: Mapping[str, float] = {}
    notices: tuple[Notice, ...] = ()
    questions = list(coach.library.shelves.first.knowledge.questions)
    if q and q.strip():
        shelf, reading, notices = await _read(q, coach, door)
        nearness = (0.5 * (shelf.whens + shelf.questions)) @ reading.whole
        scores = {one.id: round(float(score), 4) for one, score in zip(shelf.knowledge.questions, nearness, strict=True)}
        questions = [questions[row] for row in np.argsort(-nearness, kind="stable")]
    fitting = [one for one in questions if all(value is None or getattr(one, name) == value for name, value in wanted.items())]
    page, behind = _page(fitting, [one.id for one in fitting], limit, after)
    admitted = await asyncio.to_thread(_admitted, page)
    data = [_question_out(one, question, scores.get(one.id)) for one, question in admitted]
    return Response(QuestionList("list", data, behind, _notices(notices)), headers=_PRIVATE)


def _admitted(questions: Sequence[BankQuestion]) -> list[tuple[BankQuestion, Question]]:
    """Those that the guard admits as they are shown, each with what it made of it."""
    found = []
    for one in questions:
        draft = Draft(one.text.replace(SLOT, SHOWN), one.skill, one.about, one.perspective, one.form, "bank", origin=one.id)
        question = guard.admit(draft, one.id)
        if isinstance(question, Question):
            found.append((one, question))
    return found


def _question_out(one: BankQuestion, question: Question, score: float | None) -> LibraryQuestion:
    draft = question.draft
    return LibraryQuestion(
        question.id,
        draft.text,
        draft.skill,
        draft.about,
        draft.perspective,
        draft.form,
        one.stage,
        one.when,
        one.general,
        one.slot,
        _sources(one.sources),
        score,
    )


def _entry(document: Document) -> GuidanceEntry:
    begins = excerpt(document.passages[0].text)
    return GuidanceEntry(document.id, document.title, begins, list(document.skills), list(document.themes), _sources(document.sources))


def _hit(found: Found, ours: Document | None) -> GuidanceEntry:
    """What was found, as it is listed; whose it is, where it is not ours."""
    passage = found.passage
    collection = None if ours else passage.document.partition("/")[0]
    topics = list(ours.themes) if ours else []
    skills = list(ours.skills if ours else passage.skills)
    return GuidanceEntry(passage.document, passage.title, excerpt(passage.text), skills, topics, _sources(passage.sources), found.score, collection)


def _sources(sources: Sequence[Source]) -> list[SourceOut]:
    return [SourceOut(one.author, one.title, one.year) for one in sources]


def _notices(notices: Sequence[Notice]) -> list[NoticeOut]:
    return [NoticeOut(one.code, one.message) for one in notices]


def _chosen(name: str, value: str | None, kind: type[_Choice]) -> _Choice | None:
    """A filter. Raises Malformed, which says what it can be."""
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        raise Malformed(f"{name} can be {', '.join(kind)}.", f"/{name}") from None


def _page(entries: Sequence[_Entry], ids: Sequence[str], limit: int, after: str | None) -> tuple[list[_Entry], str | None]:
    """The entries behind `after`, and what `after` is for the page behind them. Raises Malformed for one that is not in the list."""
    if after is not None and after not in ids:
        raise Malformed("after is the `next` of a page of this very list.", "/after")
    begin = 0 if after is None else ids.index(after) + 1
    end = begin + limit
    return list(entries[begin:end]), ids[end - 1] if end < len(ids) else None


HANDLERS = (list_guidance, read_guidance, list_questions)
