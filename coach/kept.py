"""What is remembered where somebody asked for it: a write-up, and what was said after it, in order."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from coach.model import AcknowledgementDraft, Challenge, Draft, Move, Notice, Provenance


class Kind(StrEnum):
    """What an entry of a kept reflection is."""

    ANSWER = "answer"
    REPLY = "reply"
    REPORT = "report"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Put:
    """A question as it was put, with id and title of each passage beside it. It is not a Question: reading one back admits nothing."""

    id: str
    draft: Draft
    guidance: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the coach said."""

    provenance: Provenance
    acknowledgement: AcknowledgementDraft | None = None
    questions: tuple[Put, ...] = ()
    offered: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the manager did with a question: answered it, or, with an empty `text`, moved on."""

    to: str
    question: str = field(repr=False)
    text: str = field(default="", repr=False)
    move: Move = Move.REPLY


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it: told some time after."""

    tried: str = field(default="", repr=False)
    happened: str = field(default="", repr=False)
    learned: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a manager takes away, in the manager's own words."""

    seen: str = field(default="", repr=False)
    to_try: str = field(default="", repr=False)
    to_peers: str = field(default="", repr=False)


Said = Answer | Reply | Report | Summary
KINDS: dict[Kind, type[Answer] | type[Reply] | type[Report] | type[Summary]] = {
    Kind.ANSWER: Answer,
    Kind.REPLY: Reply,
    Kind.REPORT: Report,
    Kind.SUMMARY: Summary,
}


def kind_of(said: Said) -> Kind:
    """Under which name it is kept."""
    return next(kind for kind, type_ in KINDS.items() if isinstance(said, type_))


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was said, and when."""

    at: datetime
    said: Said


@dataclass(frozen=True, slots=True)
class Kept:
    """A reflection that somebody asked to keep. `token` is the sha256 of its continue token; times are in UTC."""

    id: str
    owner: str | None
    token: bytes = field(repr=False)
    created: datetime
    expires: datetime
    challenge: Challenge
    entries: tuple[Entry, ...] = ()

    def of(self, kind: type) -> list[Entry]:
        """The entries of one kind, oldest first."""
        return [entry for entry in self.entries if isinstance(entry.said, kind)]


@dataclass(frozen=True, slots=True)
class Brief:
    """A kept reflection in a list: how it begins, and how much was said since."""

    id: str
    created: datetime
    expires: datetime
    begins: str = field(repr=False)
    replies: int
    reports: int


def new_token() -> str:
    """The secret of one reflection, for who has no account: 256 random bits."""
    return f"ct_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> bytes:
    """What is kept of a secret. It is random and long, so that no salt and no slow hash are needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
