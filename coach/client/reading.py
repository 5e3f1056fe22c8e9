"""Responses read: values, refusals, events, exported lines."""

import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

import httpx2
import msgspec

from coach.client.calls import JSON, LINES, Call
from coach.client.errors import ClientError, Interrupted, NoAnswer, NotUnderstood, Refused, TooSlow, refusal
from coach.wire.kept import ReflectionKept
from coach.wire.reflections import EVENTS, LAST, EventOut, OpenedOut
from coach.wire.service import Problem
from coach.wire.sessions import SessionOut

Value = TypeVar("Value")
Sent = TypeVar("Sent", bytes, str)

ANOTHER, EARLY = "another answer began", "it ended before its last word"
NO_DOCUMENT = "It was refused without a problem document."
Exported = ReflectionKept | SessionOut


def failed(error: httpx2.HTTPError) -> ClientError:
    """What the transport raised, as one of ours. What it says is left out: an address may hold a member's token."""
    cause = type(error).__name__
    if isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout) or not isinstance(error, httpx2.TimeoutException):
        return NoAnswer(cause)
    return TooSlow(cause)


def received(call: Call[Value], response: httpx2.Response) -> Value:
    """What the answer says. Raises Refused, NotUnderstood."""
    opened(response)
    return _understood(call.read, response.content)


def _understood(read: Callable[[Sent], Value], data: Sent) -> Value:
    try:
        return read(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotUnderstood from None


def refused(response: httpx2.Response) -> Refused:
    """Why not."""
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        sent = response.headers.get("x-request-id", "")
        problem = Problem("about:blank", "", response.status_code, NO_DOCUMENT, "unknown", sent)
    return refusal(problem, seconds(response.headers))


def seconds(headers: Mapping[str, str]) -> float | None:
    """Retry-After (RFC 9110, section 10.2.3): seconds, or a date; None where it is neither."""
    told = headers.get("retry-after", "")
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def opened(response: httpx2.Response) -> None:
    """Before the first piece. Raises Refused, whose body was read; NotUnderstood where it is in another form than was asked for.

    What is read as JSON shows by itself what it is; a PDF, say, is handed on as it came.
    """
    if not response.is_success:
        raise refused(response)
    wanted = response.request.headers["accept"]
    if wanted not in {JSON, LINES} and not response.headers.get("content-type", "").startswith(wanted):
        raise NotUnderstood


Piece = TypeVar("Piece", contravariant=True)  # noqa: PLC0105 (the word alone reads better)
Item = TypeVar("Item", covariant=True)  # noqa: PLC0105


class Reader(Protocol[Piece, Item]):
    """Makes items of the pieces of a body: `over` after the last one, `lost` where a second try could not go on with what was begun."""

    over: bool
    lost: bool

    def take(self, piece: Piece, /) -> Iterator[Item]:
        """What is whole by now."""


class Events:
    """The events of one answer, also where the line drops in its midst and the answer is sent again.

    Which it is if the service replays it for its Idempotency-Key. Another answer than the one begun is not mixed with it: then it is `lost`.
    """

    def __init__(self) -> None:
        self._last = 0
        self._answer = ""
        self.over = self.lost = False

    def take(self, message: httpx2.ServerSentEvent) -> Iterator[EventOut]:
        """The event in a message: none where it was had before, or is of a kind that this version does not know.

        Errors: NotUnderstood; Interrupted where another answer has begun.
        """
        kind = EVENTS.get(message.event)
        if kind is None:
            return
        event = _understood(msgspec.json.Decoder(kind).decode, message.data)
        if isinstance(event, OpenedOut):
            self.lost = self._answer not in {"", event.id}
            if self.lost:
                raise Interrupted(ANOTHER)
            self._answer = event.id
        number = int(message.id) if message.id.isascii() and message.id.isdigit() else self._last + 1
        if number > self._last:
            self._last = number
            self.over = message.event in LAST
            yield event


class _Line(msgspec.Struct):
    object: str


class _End(msgspec.Struct):
    reflections: int
    sessions: int


_KINDS: Mapping[str, type[Exported]] = {"reflection": ReflectionKept, "session": SessionOut}


class Lines:
    """The lines of an export. Kinds that this version does not know are passed over. One that broke off is not gone on with: it is `lost`."""

    def __init__(self) -> None:
        self._rest = b""
        self._had = dict.fromkeys(_KINDS, 0)
        self.over = self.lost = False

    def take(self, chunk: bytes) -> Iterator[Exported]:
        """What is whole by now. Raises NotUnderstood. It is not `over` where the last line counts others than came."""
        self.lost = True
        *whole, self._rest = (self._rest + chunk).split(b"\n")  # at nothing else: U+2028 may stand in what somebody wrote
        for line in whole:
            kind = _understood(msgspec.json.Decoder(_Line).decode, line).object
            if kind == "end":
                counted = _understood(msgspec.json.Decoder(_End).decode, line)
                self.over = counted == _End(self._had["reflection"], self._had["session"])
            elif kind in _KINDS:
                self._had[kind] += 1
                yield _understood(msgspec.json.Decoder(_KINDS[kind]).decode, line)
