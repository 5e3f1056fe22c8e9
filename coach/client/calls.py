"""Each operation of the API: what is sent, and how the answer is read. Nothing is sent here; both clients do that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from coach.client.errors import Unsendable
from coach.model import About, Form, Perspective, Skill
from coach.wire.checks import CheckAnswer, CheckRequest
from coach.wire.kept import Erasure, ReflectionKept, ReflectionList, ReplyRequest, SummaryOut, SummaryRequest
from coach.wire.library import DocumentIn, GuidanceDocument, GuidanceList, OwnErasure, OwnList, QuestionList
from coach.wire.reflections import ReflectionAnswer, ReflectionRequest, ReportRequest
from coach.wire.service import AboutOut, MeaningOut, ReadyOut
from coach.wire.sessions import FileRequest, HandIn, SeatOut, SessionMade, SessionOut, SessionRequest, Withdrawn
from coach.wire.sheets import ProtocolOut, SheetOut, SheetRequest

Value = TypeVar("Value")

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
LINES = "application/x-ndjson"
REFLECTIONS = "/v1/reflections"
SESSIONS = "/v1/sessions"
GUIDANCE = "/v1/guidance"


class Media(StrEnum):
    """The forms in which a sheet, a summary or a document can be had, as media types (RFC 6838)."""

    MARKDOWN = "text/markdown"
    PLAIN = "text/plain"  # summaries alone
    HTML = "text/html"  # sheets, and so the two below
    PDF = "application/pdf"
    CALENDAR = "text/calendar"


class Paper(StrEnum):
    """For HTML and PDF."""

    A4 = "A4"
    LETTER = "letter"


@dataclass(frozen=True)
class Call(Generic[Value]):
    """A request that is not sent yet. `token` opens one reflection or session, and goes in place of the client's key."""

    method: str
    path: str = field(repr=False)  # a member's holds a secret
    read: Callable[[bytes], Value] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    accept: str = JSON
    token: str | None = field(default=None, repr=False)
    query: Mapping[str, str | int | Sequence[str]] = field(default_factory=dict, repr=False)  # `q` is what somebody wrote

    def streamed(self) -> "Call[Value]":
        """The same, answered event by event."""
        return replace(self, accept=EVENT_STREAM)


def _json(kind: type[Value]) -> Callable[[bytes], Value]:
    return msgspec.json.Decoder(kind).decode


def _at(*steps: str) -> str:
    return "".join(f"/{quote(_text(step), safe='')}" for step in steps)


def _text(value: Value) -> Value:
    """The same, where it is text or holds some. Raises Unsendable for half a surrogate pair, which has no form in UTF-8."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise Unsendable("A text holds half a surrogate pair, which is no character and cannot be sent as UTF-8.") from None
    return value


def _said(request: msgspec.Struct) -> bytes:
    """What differs from the defaults: an older service is not sent fields that it does not know."""
    return msgspec.json.encode(_text(_told(request)))


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return [_told(one) for one in value]
    if not isinstance(value, msgspec.Struct):
        return value
    told: dict[str, Any] = {}
    for item in msgspec.structs.fields(value):
        default = item.default if item.default_factory is msgspec.NODEFAULT else item.default_factory()
        if (there := getattr(value, item.name)) != default:
            told[item.encode_name] = _told(there)
    return told


def _asked(**wanted: str | int | Sequence[str] | None) -> dict[str, str | int | Sequence[str]]:
    return _text({name: value for name, value in wanted.items() if value or value == 0})


def reflect(request: ReflectionRequest | str) -> Call[ReflectionAnswer]:
    """A challenge; a string is one with nothing else said."""
    body = ReflectionRequest(challenge=request) if isinstance(request, str) else request
    return Call("POST", REFLECTIONS, _json(ReflectionAnswer), _said(body))


def reply(identifier: str, request: ReplyRequest | str, token: str | None) -> Call[ReflectionAnswer]:
    """What is answered to a question of a kept reflection."""
    body = ReplyRequest(text=request) if isinstance(request, str) else request
    return Call("POST", f"{REFLECTIONS}{_at(identifier)}/replies", _json(ReflectionAnswer), _said(body), token=token)


def report_back(identifier: str, request: ReportRequest, token: str | None) -> Call[ReflectionAnswer]:
    """What came of it."""
    return Call("POST", f"{REFLECTIONS}{_at(identifier)}/report-backs", _json(ReflectionAnswer), _said(request), token=token)


def page(limit: int, after: str | None) -> Call[ReflectionList]:
    """A page of what the key's owner keeps."""
    return Call("GET", REFLECTIONS, _json(ReflectionList), query=_asked(limit=limit, after=after))


def read(identifier: str, token: str | None) -> Call[ReflectionKept]:
    """One, whole."""
    return Call("GET", f"{REFLECTIONS}{_at(identifier)}", _json(ReflectionKept), token=token)


def erase(identifier: str, token: str | None) -> Call[Erasure]:
    """Erase one."""
    return Call("DELETE", f"{REFLECTIONS}{_at(identifier)}", _json(Erasure), token=token)


def summary(identifier: str, token: str | None) -> Call[SummaryOut]:
    """What the manager takes away."""
    return Call("GET", f"{REFLECTIONS}{_at(identifier)}/summary", _json(SummaryOut), token=token)


def summary_as(media: Media, identifier: str, token: str | None) -> Call[bytes]:
    """The same as a text."""
    return Call("GET", f"{REFLECTIONS}{_at(identifier)}/summary", bytes, accept=media, token=token)


def edit_summary(identifier: str, request: SummaryRequest, token: str | None) -> Call[SummaryOut]:
    """The same as its writer wants it."""
    return Call("PUT", f"{REFLECTIONS}{_at(identifier)}/summary", _json(SummaryOut), _said(request), token=token)


def erase_all() -> Call[Erasure]:
    """Erase all that the key's owner keeps."""
    return Call("DELETE", "/v1/me", _json(Erasure))


def export() -> Call[bytes]:
    """All of it, a line each."""
    return Call("GET", "/v1/me/export", bytes, accept=LINES)


def protocols() -> Call[list[ProtocolOut]]:
    """The ways in which a group can work."""
    return Call("GET", "/v1/protocols", _json(list[ProtocolOut]))


def sheet(request: SheetRequest) -> Call[SheetOut]:
    """A sheet for a group's session."""
    return Call("POST", "/v1/sheets", _json(SheetOut), _said(request))


def sheet_as(media: Media, request: SheetRequest) -> Call[bytes]:
    """The same in another form."""
    return Call("POST", "/v1/sheets", bytes, _said(request), accept=media)


def convene(request: SessionRequest) -> Call[SessionMade]:
    """Invite a group."""
    return Call("POST", SESSIONS, _json(SessionMade), _said(request))


def session(identifier: str, token: str | None) -> Call[SessionOut]:
    """Who has handed in."""
    return Call("GET", f"{SESSIONS}{_at(identifier)}", _json(SessionOut), token=token)


def erase_session(identifier: str, token: str | None) -> Call[Erasure]:
    """Erase it all."""
    return Call("DELETE", f"{SESSIONS}{_at(identifier)}", _json(Erasure), token=token)


def make_session_sheet(identifier: str, token: str | None, minutes: int | None) -> Call[SheetOut]:
    """Make the sheet; again, if there is one."""
    query = {} if minutes is None else {"minutes": minutes}
    return Call("POST", f"{SESSIONS}{_at(identifier)}/sheet", _json(SheetOut), token=token, query=query)


def session_sheet(identifier: str, token: str | None) -> Call[SheetOut]:
    """The sheet that was made."""
    return Call("GET", f"{SESSIONS}{_at(identifier)}/sheet", _json(SheetOut), token=token)


def session_sheet_as(media: Media, identifier: str, token: str | None, paper: Paper) -> Call[bytes]:
    """The same in another form."""
    return Call("GET", f"{SESSIONS}{_at(identifier)}/sheet", bytes, accept=media, token=token, query={"paper": paper})


def _seat(identifier: str, token: str) -> str:
    return f"{SESSIONS}{_at(identifier)}/members{_at(token)}"


def seat(identifier: str, token: str) -> Call[SeatOut]:
    """A member's own part."""
    return Call("GET", _seat(identifier, token), _json(SeatOut))


def hand_in(identifier: str, token: str, request: HandIn) -> Call[SeatOut]:
    """What a member brings."""
    return Call("PUT", _seat(identifier, token), _json(SeatOut), _said(request))


def withdraw(identifier: str, token: str) -> Call[Withdrawn]:
    """Leave."""
    return Call("DELETE", _seat(identifier, token), _json(Withdrawn))


def file_report(identifier: str, token: str, request: FileRequest) -> Call[SeatOut]:
    """What came of the session."""
    return Call("POST", f"{_seat(identifier, token)}/report-back", _json(SeatOut), _said(request))


def check(request: CheckRequest) -> Call[CheckAnswer]:
    """Sentences to judge."""
    return Call("POST", "/v1/checks", _json(CheckAnswer), _said(request))


def guidance(q: str, knowledge: Sequence[str], limit: int, after: str | None) -> Call[GuidanceList]:
    """Documents of guidance: a page."""
    return Call("GET", GUIDANCE, _json(GuidanceList), query=_asked(q=q, knowledge=knowledge, limit=limit, after=after))


def read_guidance(identifier: str) -> Call[GuidanceDocument]:
    """One, whole."""
    return Call("GET", f"{GUIDANCE}{_at(identifier)}", _json(GuidanceDocument))


def read_guidance_as(media: Media, identifier: str) -> Call[bytes]:
    """The same as a text."""
    return Call("GET", f"{GUIDANCE}{_at(identifier)}", bytes, accept=media)


def questions(  # noqa: PLR0913, PLR0917 (the filters of the address)
    q: str, skill: Skill | None, about: About | None, perspective: Perspective | None, form: Form | None, limit: int, after: str | None
) -> Call[QuestionList]:
    """Questions of the library: a page."""
    query = _asked(q=q, skill=skill, about=about, perspective=perspective, form=form, limit=limit, after=after)
    return Call("GET", "/v1/questions", _json(QuestionList), query=query)


def _documents(collection: str, *identifier: str) -> str:
    return f"/v1/knowledge{_at(collection)}/documents{_at(*identifier)}"


def put_document(collection: str, identifier: str, request: DocumentIn) -> Call[GuidanceDocument]:
    """A document of an organisation's own."""
    return Call("PUT", _documents(collection, identifier), _json(GuidanceDocument), _said(request))


def documents(collection: str, limit: int, after: str | None) -> Call[OwnList]:
    """What is in a collection: a page."""
    return Call("GET", _documents(collection), _json(OwnList), query=_asked(limit=limit, after=after))


def read_document(collection: str, identifier: str) -> Call[GuidanceDocument]:
    """One, whole."""
    return Call("GET", _documents(collection, identifier), _json(GuidanceDocument))


def read_document_as(media: Media, collection: str, identifier: str) -> Call[bytes]:
    """The same as a text."""
    return Call("GET", _documents(collection, identifier), bytes, accept=media)


def erase_document(collection: str, identifier: str) -> Call[OwnErasure]:
    """Erase one."""
    return Call("DELETE", _documents(collection, identifier), _json(OwnErasure))


def erase_collection(collection: str) -> Call[OwnErasure]:
    """Erase all of it."""
    return Call("DELETE", f"/v1/knowledge{_at(collection)}", _json(OwnErasure))


def about() -> Call[AboutOut]:
    """Who answers, where words go, what is kept."""
    return Call("GET", "/v1/about", _json(AboutOut))


def problems() -> Call[dict[str, MeaningOut]]:
    """Every problem code and what it means."""
    return Call("GET", "/problems", _json(dict[str, MeaningOut]))


def problem(code: str) -> Call[MeaningOut]:
    """What one means."""
    return Call("GET", f"/problems{_at(code)}", _json(MeaningOut))


def ready() -> Call[ReadyOut]:
    """Whether it can answer, and with what."""
    return Call("GET", "/health/ready", _json(ReadyOut))


def live() -> Call[dict[str, str]]:
    """Whether the process answers at all."""
    return Call("GET", "/health/live", _json(dict[str, str]))
