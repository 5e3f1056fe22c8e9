"""Webhooks: who is told what about a session, how it is signed, and when it is tried again. There is no text in what is told, only ids and numbers.

The form is that of Standard Webhooks (standardwebhooks.com), so that any of its libraries can verify it.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import ClassVar

SECRET = "whsec_"  # noqa: S105 (how a secret begins, as the standard has it)
TRIES = 8
FIRST, FACTOR = timedelta(seconds=15), 4  # 15 s, 1 min, 4 min, 16 min, 64 min, 4.3 h, 17 h: about a day in all
JITTER = 0.2  # part of a wait by which it is made longer or shorter, so that what failed together does not come back together
PATIENCE = timedelta(days=1)  # of failures without one success; then a webhook is turned off
LEASE = timedelta(seconds=60)  # for which what somebody has taken is nobody else's; several times what a delivery may last
GONE = 410  # by which a receiver says that it wants no more (Standard Webhooks, "Webhook delivery")


class Topic(StrEnum):
    """What can be told."""

    MEMBER_SUBMITTED = "session.member_submitted"
    SHEET_READY = "session.sheet_ready"
    WITHDRAWN = "session.withdrawn"


PING = "ping"


@dataclass(frozen=True, slots=True)
class MemberSubmitted:
    """A member handed in for the first time. `member` is its place among those invited, from 0; `submitted` of `members` have by now."""

    topic: ClassVar[Topic] = Topic.MEMBER_SUBMITTED
    session: str
    member: int
    submitted: int
    members: int


@dataclass(frozen=True, slots=True)
class SheetReady:
    """The sheet was made, or made again. `protocol` is the id of one in the library."""

    topic: ClassVar[Topic] = Topic.SHEET_READY
    session: str
    members: int
    minutes: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A member took back what was handed in, and left. `submitted` of the `members` that are left have handed in."""

    topic: ClassVar[Topic] = Topic.WITHDRAWN
    session: str
    member: int
    submitted: int
    members: int


Happened = MemberSubmitted | SheetReady | Withdrawn


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told what happens in the sessions of an owner. `failing` is when failures began that no success has ended."""

    id: str
    owner: str
    created: datetime
    url: str = field(repr=False)
    secret: str = field(repr=False)
    topics: tuple[Topic, ...] = tuple(Topic)
    failing: datetime | None = None
    disabled: datetime | None = None
    trouble: str = ""

    @property
    def key(self) -> bytes:
        """What signatures are made with."""
        return base64.b64decode(self.secret.removeprefix(SECRET))


@dataclass(frozen=True, slots=True)
class Taken:
    """Something to deliver that is ours until `lease`. It may have been tried `tries` times, this one included."""

    id: str
    webhook: Webhook
    tries: int
    lease: datetime
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery went: the status of an answer, or why there was none. `wait` is what the receiver asked for."""

    status: int = 0
    trouble: str = ""
    wait: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Whether it was taken. A redirect is a refusal: where it leads nobody has looked at."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return self.trouble or f"status {self.status}"


def new_secret() -> str:
    """256 bits of chance."""
    return SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def told(happened: Happened, at: datetime) -> bytes:
    """An event as it is delivered."""
    return _body(happened.topic, at, asdict(happened))


def ping(webhook: Webhook, at: datetime) -> bytes:
    """Something to try a webhook with."""
    return _body(PING, at, {"webhook": webhook.id})


def _body(topic: str, at: datetime, data: Mapping[str, str | int]) -> bytes:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": topic, "timestamp": timestamp, "data": data}, separators=(",", ":")).encode()


def signed(identifier: str, content: bytes, key: bytes, at: datetime) -> dict[str, str]:
    """The headers of a delivery: HMAC-SHA256 of `id.timestamp.body` in base64, by scheme v1.

    The package `standardwebhooks` verifies it in the tests; here it would save these lines and take a local time for UTC.
    """
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{identifier}.{timestamp}.".encode() + content, hashlib.sha256).digest()
    return {"webhook-id": identifier, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


def again(tries: int, chance: float, asked: timedelta | None) -> timedelta | None:
    """How long to wait after so many tries, at least as long as the receiver asked for, at most a day; None when it is given up.

    `chance` is from 0 to 1.
    """
    if tries >= TRIES:
        return None
    wait = FIRST * float(FACTOR) ** (tries - 1) * (1 - JITTER + 2 * JITTER * chance)
    return min(max(wait, asked or wait), PATIENCE)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for (RFC 9110, 10.2.3): seconds or a date. None where it is neither."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), PATIENCE.total_seconds()))
    try:
        until: datetime = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta(0))
