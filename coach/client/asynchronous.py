"""The client for programs with an event loop (asyncio)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self, TypeVar

import httpx2

from coach.client import calls
from coach.client.calls import Call, Media, Paper
from coach.client.errors import ClientError, Interrupted
from coach.client.reading import EARLY, Events, Exported, Item, Lines, Piece, Reader, failed, opened, received
from coach.client.retrying import Retries, Tries
from coach.client.sending import LOCAL, TIMEOUT, Target, named
from coach.model import About, Form, Perspective, Skill
from coach.wire.checks import CheckAnswer, CheckRequest
from coach.wire.kept import BriefOut, Erasure, ReflectionKept, ReplyRequest, SummaryOut, SummaryRequest
from coach.wire.library import DocumentIn, GuidanceDocument, GuidanceList, OwnEntry, OwnErasure, QuestionList
from coach.wire.reflections import EventOut, ReflectionAnswer, ReflectionRequest, ReportRequest
from coach.wire.service import AboutOut, MeaningOut, ReadyOut
from coach.wire.sessions import FileRequest, HandIn, SeatOut, SessionMade, SessionOut, SessionRequest, Withdrawn
from coach.wire.sheets import ProtocolOut, SheetOut, SheetRequest

Value = TypeVar("Value")
Pieces = Callable[[httpx2.Response], AsyncIterable[Piece]]


class AsyncClient:
    """Every operation of the API. Each raises ClientError (coach/client/errors.py).

    `token` opens one kept reflection (`kept.continue_token`), or one session (`host_token`, or a member's), without the client's key. Retries and
    timeouts are explained in coach/docs/clients.md.
    """

    def __init__(
        self,
        base_url: str = LOCAL,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: Retries = Retries(),  # noqa: B008 (frozen)
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet. `timeout` is the longest silence, in seconds; `transport` is httpx2's, for a proxy or a test of one's own."""
        self._target = Target(base_url, api_key, timeout, retries)
        self._http = httpx2.AsyncClient(**self._target.options(), transport=transport)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **more: Any) -> Self:
        """With the address in COACH_URL and the key in COACH_KEY. Nothing else reads the environment."""
        return cls(**named(environ), **more)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self.aclose()

    async def _send(self, call: Call[Value]) -> Value:
        sent, tries = self._target.sent(call), Tries(self._target.retries)
        while True:
            try:
                return received(call, await self._http.request(**sent))
            except httpx2.HTTPError as error:
                failure: ClientError = failed(error)
            except ClientError as error:
                failure = error
            await asyncio.sleep(tries.pause(failure))

    async def _streamed(self, call: Call[Any], reader: Reader[Piece, Item], pieces: Pieces[Piece]) -> AsyncGenerator[Item, None]:
        sent, tries = self._target.sent(call), Tries(self._target.retries)
        while True:
            try:
                async with aclosing(self._once(sent, reader, pieces)) as items:
                    async for item in items:
                        yield item
            except httpx2.HTTPError as error:
                failure: ClientError = failed(error)
            except ClientError as error:
                failure = error
            else:
                return
            if reader.lost:
                raise failure
            await asyncio.sleep(tries.pause(failure))

    async def _once(self, sent: dict[str, Any], reader: Reader[Piece, Item], pieces: Pieces[Piece]) -> AsyncGenerator[Item, None]:
        async with self._http.stream(**sent) as response:
            if not response.is_success:
                await response.aread()
            opened(response)
            async for piece in pieces(response):
                for item in reader.take(piece):
                    yield item
                if reader.over:
                    return
        raise Interrupted(EARLY)

    def _events(self, call: Call[Any]) -> AsyncGenerator[EventOut, None]:
        return self._streamed(call.streamed(), Events(), httpx2.EventSource)

    async def reflect(self, request: ReflectionRequest | str) -> ReflectionAnswer:
        """Reflect on a challenge, which may be given as a string alone."""
        return await self._send(calls.reflect(request))

    def stream(self, request: ReflectionRequest | str) -> AsyncGenerator[EventOut, None]:
        """The same, event by event. Closing the iterator closes the connection, which ends the work."""
        return self._events(calls.reflect(request))

    async def reply(self, identifier: str, request: ReplyRequest | str, *, token: str | None = None) -> ReflectionAnswer:
        """Go on with a kept reflection."""
        return await self._send(calls.reply(identifier, request, token))

    def stream_reply(self, identifier: str, request: ReplyRequest | str, *, token: str | None = None) -> AsyncGenerator[EventOut, None]:
        """The same, event by event."""
        return self._events(calls.reply(identifier, request, token))

    async def report_back(self, identifier: str, request: ReportRequest, *, token: str | None = None) -> ReflectionAnswer:
        """Tell what came of it."""
        return await self._send(calls.report_back(identifier, request, token))

    def stream_report_back(self, identifier: str, request: ReportRequest, *, token: str | None = None) -> AsyncGenerator[EventOut, None]:
        """The same, event by event."""
        return self._events(calls.report_back(identifier, request, token))

    async def reflections(self, *, page: int = 20) -> AsyncGenerator[BriefOut, None]:
        """What the key's owner keeps, the newest first; a page is asked for when it is needed. `page` is its size, 1 to 100."""
        after: str | None = None
        while True:
            found = await self._send(calls.page(page, after))
            for brief in found.data:
                yield brief
            if found.next is None:
                return
            after = found.next

    async def read(self, identifier: str, *, token: str | None = None) -> ReflectionKept:
        """A kept reflection, whole."""
        return await self._send(calls.read(identifier, token))

    async def erase(self, identifier: str, *, token: str | None = None) -> Erasure:
        """Erase it."""
        return await self._send(calls.erase(identifier, token))

    async def summary(self, identifier: str, *, token: str | None = None) -> SummaryOut:
        """What the manager takes away, in the manager's own words."""
        return await self._send(calls.summary(identifier, token))

    async def summary_as(self, media: Media, identifier: str, *, token: str | None = None) -> bytes:
        """The same as Markdown or plain text, in UTF-8."""
        return await self._send(calls.summary_as(media, identifier, token))

    async def edit_summary(self, identifier: str, request: SummaryRequest, *, token: str | None = None) -> SummaryOut:
        """Put the summary as its writer wants it."""
        return await self._send(calls.edit_summary(identifier, request, token))

    async def erase_all(self) -> Erasure:
        """Erase all that the key's owner keeps."""
        return await self._send(calls.erase_all())

    def export(self) -> AsyncGenerator[Exported, None]:
        """All of it: reflections, the oldest first, then sessions as their host sees them. Raises Interrupted where the end is missing."""
        return self._streamed(calls.export(), Lines(), httpx2.Response.aiter_bytes)

    async def protocols(self) -> Sequence[ProtocolOut]:
        """The ways in which a group can work."""
        return await self._send(calls.protocols())

    async def sheet(self, request: SheetRequest) -> SheetOut:
        """A sheet for a group's session. Nothing is kept."""
        return await self._send(calls.sheet(request))

    async def sheet_as(self, media: Media, request: SheetRequest) -> bytes:
        """The same as Markdown, HTML, PDF or a calendar entry."""
        return await self._send(calls.sheet_as(media, request))

    async def convene(self, request: SessionRequest) -> SessionMade:
        """Invite a group. The secrets in the answer are not shown again."""
        return await self._send(calls.convene(request))

    async def session(self, identifier: str, *, token: str | None = None) -> SessionOut:
        """Who has handed in; for the host."""
        return await self._send(calls.session(identifier, token))

    async def erase_session(self, identifier: str, *, token: str | None = None) -> Erasure:
        """Erase a session with all that was handed in; for the host."""
        return await self._send(calls.erase_session(identifier, token))

    async def make_session_sheet(self, identifier: str, *, token: str | None = None, minutes: int | None = None) -> SheetOut:
        """Make the sheet of what was handed in so far, in the session's minutes or in these; for the host."""
        return await self._send(calls.make_session_sheet(identifier, token, minutes))

    async def session_sheet(self, identifier: str, *, token: str | None = None) -> SheetOut:
        """The group's part of the sheet; for the host, and for members with their tokens."""
        return await self._send(calls.session_sheet(identifier, token))

    async def session_sheet_as(self, media: Media, identifier: str, *, token: str | None = None, paper: Paper = Paper.A4) -> bytes:
        """The same as Markdown, HTML, PDF or a calendar entry."""
        return await self._send(calls.session_sheet_as(media, identifier, token, paper))

    async def seat(self, identifier: str, token: str) -> SeatOut:
        """A member's own part."""
        return await self._send(calls.seat(identifier, token))

    async def hand_in(self, identifier: str, token: str, request: HandIn) -> SeatOut:
        """Hand in, alone, until the deadline."""
        return await self._send(calls.hand_in(identifier, token, request))

    async def withdraw(self, identifier: str, token: str) -> Withdrawn:
        """Withdraw: the own part is erased, and the sheet made again without it."""
        return await self._send(calls.withdraw(identifier, token))

    async def file_report(self, identifier: str, token: str, request: FileRequest) -> SeatOut:
        """Tell what came of the session."""
        return await self._send(calls.file_report(identifier, token, request))

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """Judge sentences: is each a question that leaves the answer with the person asked?"""
        return await self._send(calls.check(request))

    async def guidance(self, q: str = "", *, knowledge: Sequence[str] = (), limit: int = 20, after: str | None = None) -> GuidanceList:
        """A page of guidance, by title; with `q` by meaning, the nearest first, in these collections of your own as well.

        `limit` is 1 to 100; `next` of a page goes into `after`. `notices` says where a search was done with less than all there is.
        """
        return await self._send(calls.guidance(q, knowledge, limit, after))

    async def read_guidance(self, identifier: str) -> GuidanceDocument:
        """A document of guidance, whole."""
        return await self._send(calls.read_guidance(identifier))

    async def read_guidance_as(self, media: Media, identifier: str) -> bytes:
        """The same as Markdown, in UTF-8."""
        return await self._send(calls.read_guidance_as(media, identifier))

    async def questions(  # noqa: PLR0913 (the filters of the address)
        self,
        q: str = "",
        *,
        skill: Skill | None = None,
        about: About | None = None,
        perspective: Perspective | None = None,
        form: Form | None = None,
        limit: int = 20,
        after: str | None = None,
    ) -> QuestionList:
        """A page of the library's questions, those that fit; with `q` by meaning. Pages and `notices` are as with `guidance`."""
        return await self._send(calls.questions(q, skill, about, perspective, form, limit, after))

    async def put_document(self, collection: str, identifier: str, request: DocumentIn) -> GuidanceDocument:
        """Put a document of your organisation's own into a collection, in place of one of that id. Raises KnowledgeFaults."""
        return await self._send(calls.put_document(collection, identifier, request))

    async def documents(self, collection: str, *, page: int = 20) -> AsyncGenerator[OwnEntry, None]:
        """What is in a collection, by id; a page is asked for when it is needed. `page` is its size, 1 to 100."""
        after: str | None = None
        while True:
            found = await self._send(calls.documents(collection, page, after))
            for entry in found.data:
                yield entry
            if found.next is None:
                return
            after = found.next

    async def read_document(self, collection: str, identifier: str) -> GuidanceDocument:
        """A document of your organisation's own, whole."""
        return await self._send(calls.read_document(collection, identifier))

    async def read_document_as(self, media: Media, collection: str, identifier: str) -> bytes:
        """The same as Markdown, in UTF-8."""
        return await self._send(calls.read_document_as(media, collection, identifier))

    async def erase_document(self, collection: str, identifier: str) -> OwnErasure:
        """Erase it."""
        return await self._send(calls.erase_document(collection, identifier))

    async def erase_collection(self, collection: str) -> OwnErasure:
        """Erase a collection, whole."""
        return await self._send(calls.erase_collection(collection))

    async def about(self) -> AboutOut:
        """Who answers here, where texts go, what is kept."""
        return await self._send(calls.about())

    async def problems(self) -> Mapping[str, MeaningOut]:
        """Every problem code and what it means."""
        return await self._send(calls.problems())

    async def problem(self, code: str) -> MeaningOut:
        """What one problem code means."""
        return await self._send(calls.problem(code))

    async def ready(self) -> ReadyOut:
        """Can it answer, and with what?"""
        return await self._send(calls.ready())

    async def live(self) -> bool:
        """Is the process alive? Raises NoAnswer where nobody answers."""
        return (await self._send(calls.live()))["status"] == "alive"
