"""The addresses of an organisation's own guidance: put, listed, read, erased."""

import asyncio
from typing import Annotated, Any

from litestar import Request, Response, delete, get, put
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, QueryParameter

from coach.bootstrap import Coach
from coach.errors import Malformed, NotKept
from coach.knowledge import own
from coach.knowledge.files import ID
from coach.knowledge.submitted import Rules, Submitted, document
from coach.knowledge.where import data_folder
from coach.model import Source
from coach.web.callers import allowed, who
from coach.web.library import document_out, shown
from coach.web.problems import documented
from coach.web.requests import refuse_unsendable, strictly
from coach.wire.library import DocumentIn, GuidanceDocument, OwnEntry, OwnErasure, OwnList

_PRIVATE = {"cache-control": "no-store"}
_MISSED = ("not-kept", "unauthorized", "store-unavailable", "index-locked", "internal")
_TAGS = ["own knowledge"]


async def collection(name: FromPath[str], request: Request[Any, Any, Any]) -> str:
    """The collection of the address, for who may use it. Errors: Malformed, NotKept."""
    if not own.NAME.fullmatch(name):
        raise Malformed("A collection is named by 1 to 63 small letters, digits and dashes.")
    if not allowed((name,), who(request)):
        raise NotKept
    return name


async def there(collection: NamedDependency[str], coach: NamedDependency[Coach]) -> str:
    """The same, where it is there. Raises NotKept."""
    if not coach.library.own.exists(collection):
        raise NotKept
    return collection


_NEEDS = {"collection": Provide(collection), "there": Provide(there)}


@put(
    "/v1/knowledge/{name:str}/documents/{identifier:str}",
    status_code=200,
    before_request=strictly(DocumentIn),
    dependencies=_NEEDS,
    operation_id="put_document",
    summary="Put a document of your organisation's own beside our guidance",
    description=(
        "It is checked as ours are: 250 to 600 words, without markup, links, orders to the reader, or anything that speaks to a machine. "
        "It is found from the next request on that names the collection. In place of another, nothing of the other is left."
    ),
    responses={
        200: ResponseSpec(GuidanceDocument, generate_examples=False, description="It took the place of another, or was there already"),
        201: ResponseSpec(GuidanceDocument, generate_examples=False, description="It is new"),
        **documented("malformed", "challenge-too-long", "unsupported-media-type", "knowledge-faults", "embedder-unavailable", *_MISSED),
    },
    tags=_TAGS,
)
async def put_document(
    data: Annotated[DocumentIn, BodyKwarg()],
    identifier: FromPath[str],
    collection: NamedDependency[str],
    coach: NamedDependency[Coach],
) -> Response[GuidanceDocument]:
    """Put a document."""
    refuse_unsendable([("", text) for text in _texts(data)])
    sent = Submitted(
        identifier,
        data.title,
        data.skills,
        data.topics,
        data.method,
        data.when,
        [Source(one.author, one.title, one.year) for one in data.sources],
        [(one.heading, one.text) for one in data.sections],
    )
    checked = await asyncio.to_thread(lambda: document(sent, Rules.of(data_folder("knowledge"), coach.needs.safety)))
    new = await coach.library.own.put(collection, checked)
    return Response(document_out(own.named(checked, collection)), status_code=201 if new else 200, headers=_PRIVATE)


def _texts(data: DocumentIn) -> list[str]:
    return [data.title, data.method, *data.when, *(part for one in data.sections for part in (one.heading, one.text))] + [
        part for one in data.sources for part in (one.author, one.title)
    ]


@get(
    "/v1/knowledge/{name:str}/documents",
    dependencies=_NEEDS,
    operation_id="list_documents",
    summary="What is in a collection",
    description="A page of its documents, by id.",
    responses={200: ResponseSpec(OwnList, generate_examples=False, description="A page"), **documented("malformed", *_MISSED)},
    tags=_TAGS,
)
async def list_documents(
    there: NamedDependency[str],
    coach: NamedDependency[Coach],
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many, 1 to 100.")] = 20,
    after: Annotated[str | None, QueryParameter(max_length=100, description="`next` of the page before.")] = None,
) -> Response[OwnList]:
    """A page of documents. Raises Malformed for a cursor that is none."""
    if after is not None and not ID.fullmatch(after):
        raise Malformed("after is the `next` of the page before, the id of a document.", "/after")
    found = await coach.library.own.page(there, limit + 1, after)
    page = [OwnEntry(one.id, one.title, list(one.skills), list(one.themes)) for one in found[:limit]]
    return Response(OwnList("list", page, page[-1].id if len(found) > limit else None), headers=_PRIVATE)


@get(
    "/v1/knowledge/{name:str}/documents/{identifier:str}",
    dependencies=_NEEDS,
    operation_id="read_document",
    summary="A document of your organisation's own, whole",
    description="As JSON, or with `Accept: text/markdown` as a text to read.",
    responses={200: ResponseSpec(GuidanceDocument, generate_examples=False, description="The document"), **documented("malformed", *_MISSED)},
    tags=_TAGS,
)
async def read_document(
    identifier: FromPath[str], there: NamedDependency[str], request: Request[Any, Any, Any], coach: NamedDependency[Coach]
) -> Response[GuidanceDocument] | Response[str]:
    """One document."""
    found = await coach.library.own.read(there, identifier)
    if found is None:
        raise NotKept
    return shown(found, request)


@delete(
    "/v1/knowledge/{name:str}/documents/{identifier:str}",
    status_code=200,
    dependencies=_NEEDS,
    operation_id="erase_document",
    summary="Erase a document",
    description="It is found no more, and it is in no file of the data folder.",
    responses={200: ResponseSpec(OwnErasure, generate_examples=False, description="It is gone"), **documented("malformed", *_MISSED)},
    tags=_TAGS,
)
async def erase_document(identifier: FromPath[str], there: NamedDependency[str], coach: NamedDependency[Coach]) -> Response[OwnErasure]:
    """Erase one."""
    if not await coach.library.own.remove(there, identifier):
        raise NotKept
    return Response(OwnErasure("erasure", there, identifier), headers=_PRIVATE)


@delete(
    "/v1/knowledge/{name:str}",
    status_code=200,
    dependencies=_NEEDS,
    operation_id="erase_collection",
    summary="Erase a whole collection",
    description="With every document in it; it is in no file of the data folder.",
    responses={200: ResponseSpec(OwnErasure, generate_examples=False, description="It is gone"), **documented("malformed", *_MISSED)},
    tags=_TAGS,
)
async def erase_collection(there: NamedDependency[str], coach: NamedDependency[Coach]) -> Response[OwnErasure]:
    """Erase all of it."""
    if not await coach.library.own.drop(there):
        raise NotKept
    return Response(OwnErasure("erasure", there, None), headers=_PRIVATE)


HANDLERS = (put_document, list_documents, read_document, erase_document, erase_collection)
