"""What travels when the service speaks of itself: who answers, and what went wrong."""

import msgspec


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    pointer: str | None = None
    limit: int | None = None
    unit: str | None = None
    least: int | None = None
    most: int | None = None
    trouble: str | None = None


class AboutOut(msgspec.Struct, frozen=True):
    """What somebody should know before the first word.

    `sent_to` lists the hosts to which texts go, masked; none where nothing leaves. `stored` is `never` or `if asked`, `retention` an ISO 8601
    duration.
    """

    what: str
    artificial_intelligence: bool
    operator: str | None
    contact: str | None
    sent_to: list[str]
    masked_before: bool
    stored: str
    retention: str | None
    erase: str
    not_done: list[str]
    turn_to: str
    language: str


class MeaningOut(msgspec.Struct, frozen=True):
    """What a problem code means."""

    code: str
    status: int
    title: str
    meaning: str


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


class ReadyOut(msgspec.Struct, frozen=True):
    """Whether it can answer, and how each part is."""

    status: str
    parts: dict[str, str]
