"""The client for programs without an event loop: the twin of coach/client/asynchronous, which a test compares with it."""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
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
Pieces = Callable[[httpx2.Response], Iterable[Piece]]


class Client:
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
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet. `timeout` is the longest silence, in seconds; `transport` is httpx2's, for a proxy or a test of one's own."""
        self._target = Target(base_url, api_key, timeout, retries)
        self._http = httpx2.Client(**self._target.options(), transport=transport)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **more: Any) -> Self:
        """With the address in COACH_URL and the key in COACH_KEY. Nothing else reads the environment."""
        return cls(**named(environ), **more)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def _send(self, call: Call[Value]) -> Value:
        sent, tries = self._target.sent(call), Tries(self._target.retries)
        while True:
            try:
                return received(call, self._http.request(**sent))
            except httpx2.HTTPError as error:
                failure: ClientError = failed(error)
            except ClientError as error:
                failure = error
            time.sleep(tries.pause(failure))

    def _streamed(self, call: Call[Any], reader: Reader[Piece, Item], pieces: Pieces[Piece]) -> Generator[Item, None, None]:
        sent, tries = self._target.sent(call), Tries(self._target.retries)
        while True:
            try:
                with closing(self._once(sent, reader, pieces)) as items:
                    for item in items:
                        yield item
            except httpx2.HTTPError as error:
                failure: ClientError = failed(error)
            except ClientError as error:
                failure = error
            else:
                return
            if reader.lost:
                raise failure
            time.sleep(tries.pause(failure))

    def _once(self, sent: dict[str, Any], reader: Reader[Piece, Item], pieces: Pieces[Piece]) -> Generator[Item, None, None]:
        with self._http.stream(**sent) as response:
            if not response.is_success:
                response.read()
            opened(response)
            for piece in pieces(response):
                for item in reader.take(piece):
                    yield item
                if reader.over:
                    return
        raise Interrupted(EARLY)

    def _events(self, call: Call[Any]) -> Generator[EventOut, None, None]:
        return self._streamed(call.streamed(), Events(), httpx2.EventSource)

    def reflect(self, request: ReflectionRequest | str) -> ReflectionAnswer:
        """Reflect on a challenge, which may be given as a string alone."""
        return self._send(calls.reflect(request))

    def stream(self, request: ReflectionRequest | str) -> Generator[EventOut, None, None]:
        """The same, event by event. Closing the iterator closes the connection, which ends the work."""
        return self._events(calls.reflect(request))

    def reply(self, identifier: str, request: ReplyRequest | str, *, token: str | None = None) -> ReflectionAnswer:
        """Go on with a kept reflection."""
        return self._send(calls.reply(identifier, request, token))

    def stream_reply(self, identifier: str, request: ReplyRequest | str, *, token: str | None = None) -> Generator[EventOut, None, None]:
        """The same, event by event."""
        return self._events(calls.reply(identifier, request, token))

    def report_back(self, identifier: str, request: ReportRequest, *, token: str | None = None) -> ReflectionAnswer:
        """Tell what came of it."""
        return self._send(calls.report_back(identifier, request, token))

    def stream_report_back(self, identifier: str, request: ReportRequest, *, token: str | None = None) -> Generator[EventOut, None, None]:
        """The same, event by event."""
        return self._events(calls.report_back(identifier, request, token))

    def reflections(self, *, page: int = 20) -> Generator[BriefOut, None, None]:
        """What the key's owner keeps, the newest first; a page is asked for when it is needed. `page` is its size, 1 to 100."""
        after: str | None = None
        while True:
            found = self._send(calls.page(page, after))
            for brief in found.data:
                yield brief
            if found.next is None:
                return
            after = found.next

    def read(self, identifier: str, *, token: str | None = None) -> ReflectionKept:
        """A kept reflection, whole."""
        return self._send(calls.read(identifier, token))

    def erase(self, identifier: str, *, token: str | None = None) -> Erasure:
        """Erase it."""
        return self._send(calls.erase(identifier, token))

    def summary(self, identifier: str, *, token: str | None = None) -> SummaryOut:
        """What the manager takes away, in the manager's own words."""
        return self._send(calls.summary(identifier, token))

    def summary_as(self, media: Media, identifier: str, *, token: str | None = None) -> bytes:
        """The same as Markdown or plain text, in UTF-8."""
        return self._send(calls.summary_as(media, identifier, token))

    def edit_summary(self, identifier: str, request: SummaryRequest, *, token: str | None = None) -> SummaryOut:
        """Put the summary as its writer wants it."""
        return self._send(calls.edit_summary(identifier, request, token))

    def erase_all(self) -> Erasure:
        """Erase all that the key's owner keeps."""
        return self._send(calls.erase_all())

    def export(self) -> Generator[Exported, None, None]:
        """All of it: reflections, the oldest first, then sessions as their host sees them. Raises Interrupted where the end is missing."""
        return self._streamed(calls.export(), Lines(), httpx2.Response.iter_bytes)

    def protocols(self) -> Sequence[ProtocolOut]:
        """The ways in which a group can work."""
        return self._send(calls.protocols())

    def sheet(self, request: SheetRequest) -> SheetOut:
        """A sheet for a group's session. Nothing is kept."""
        return self._send(calls.sheet(request))

    def sheet_as(self, media: Media, request: SheetRequest) -> bytes:
        """The same as Markdown, HTML, PDF or a calendar entry."""
        return self._send(calls.sheet_as(media, request))

    def convene(self, request: SessionRequest) -> SessionMade:
        """Invite a group. The secrets in the answer are not shown again."""
        return self._send(calls.convene(request))

    def session(self, identifier: str, *, token: str | None = None) -> SessionOut:
        """Who has handed in; for the host."""
        return self._send(calls.session(identifier, token))

    def erase_session(self, identifier: str, *, token: str | None = None) -> Erasure:
        """Erase a session with all that was handed in; for the host."""
        return self._send(calls.erase_session(identifier, token))

    def make_session_sheet(self, identifier: str, *, token: str | None = None, minutes: int | None = None) -> SheetOut:
        """Make the sheet of what was handed in so far, in the session's minutes or in these; for the host."""
        return self._send(calls.make_session_sheet(identifier, token, minutes))

    def session_sheet(self, identifier: str, *, token: str | None = None) -> SheetOut:
        """The group's part of the sheet; for the host, and for members with their tokens."""
        return self._send(calls.session_sheet(identifier, token))

    def session_sheet_as(self, media: Media, identifier: str, *, token: str | None = None, paper: Paper = Paper.A4) -> bytes:
        """The same as Markdown, HTML, PDF or a calendar entry."""
        return self._send(calls.session_sheet_as(media, identifier, token, paper))

    def seat(self, identifier: str, token: str) -> SeatOut:
        """A member's own part."""
        return self._send(calls.seat(identifier, token))

    def hand_in(self, identifier: str, token: str, request: HandIn) -> SeatOut:
        """Hand in, alone, until the deadline."""
        return self._send(calls.hand_in(identifier, token, request))

    def withdraw(self, identifier: str, token: str) -> Withdrawn:
        """Withdraw: the own part is erased, and the sheet made again without it."""
        return self._send(calls.withdraw(identifier, token))

    def file_report(self, identifier: str, token: str, request: FileRequest) -> SeatOut:
        """Tell what came of the session."""
        return self._send(calls.file_report(identifier, token, request))

    def check(self, request: CheckRequest) -> CheckAnswer:
        """Judge sentences: is each a question that leaves the answer with the person asked?"""
        return self._send(calls.check(request))

    def guidance(self, q: str = "", *, knowledge: Sequence[str] = (), limit: int = 20, after: str | None = None) -> GuidanceList:
        """A page of guidance, by title; with `q` by meaning, the nearest first, in these collections of your own as well.

        `limit` is 1 to 100; `next` of a page goes into `after`. `notices` says where a search was done with less than all there is.
        """
        return self._send(calls.guidance(q, knowledge, limit, after))

    def read_guidance(self, identifier: str) -> GuidanceDocument:
        """A document of guidance, whole."""
        return self._send(calls.read_guidance(identifier))

    def read_guidance_as(self, media: Media, identifier: str) -> bytes:
        """The same as Markdown, in UTF-8."""
        return self._send(calls.read_guidance_as(media, identifier))

    def questions(  # noqa: PLR0913 (the filters of the address)
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
        return self._send(calls.questions(q, skill, about, perspective, form, limit, after))

    def put_document(self, collection: str, identifier: str, request: DocumentIn) -> GuidanceDocument:
        """Put a document of your organisation's own into a collection, in place of one of that id. Raises KnowledgeFaults."""
        return self._send(calls.put_document(collection, identifier, request))

    def documents(self, collection: str, *, page: int = 20) -> Generator[OwnEntry, None, None]:
        """What is in a collection, by id; a page is asked for when it is needed. `page` is its size, 1 to 100."""
        after: str | None = None
        while True:
            found = self._send(calls.documents(collection, page, after))
            for entry in found.data:
                yield entry
            if found.next is None:
                return
            after = found.next

    def read_document(self, collection: str, identifier: str) -> GuidanceDocument:
        """A document of your organisation's own, whole."""
        return self._send(calls.read_document(collection, identifier))

    def read_document_as(self, media: Media, collection: str, identifier: str) -> bytes:
        """The same as Markdown, in UTF-8."""
        return self._send(calls.read_document_as(media, collection, identifier))

    def erase_document(self, collection: str, identifier: str) -> OwnErasure:
        """Erase it."""
        return self._send(calls.erase_document(collection, identifier))

    def erase_collection(self, collection: str) -> OwnErasure:
        """Erase a collection, whole."""
        return self._send(calls.erase_collection(collection))

    def about(self) -> AboutOut:
        """Who answers here, where texts go, what is kept."""
        return self._send(calls.about())

    def problems(self) -> Mapping[str, MeaningOut]:
        """Every problem code and what it means."""
        return self._send(calls.problems())

    def problem(self, code: str) -> MeaningOut:
        """What one problem code means."""
        return self._send(calls.problem(code))

    def ready(self) -> ReadyOut:
        """Can it answer, and with what?"""
        return self._send(calls.ready())

    def live(self) -> bool:
        """Is the process alive? Raises NoAnswer where nobody answers."""
        return (self._send(calls.live()))["status"] == "alive"
