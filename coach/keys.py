"""Keys: who may ask for what, from where, how often and until when. Secrets themselves are nowhere: only their hashes are kept."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from coach.kept import digest

SECRET, PUBLISHABLE = "ck_", "pk_"  # how a key begins that is somebody's own, and one that stands in a page for everybody to read


class Scope(StrEnum):
    """What a key may be for."""

    REFLECT = "reflect"
    SESSIONS = "sessions"
    CHECKS = "checks"
    KNOWLEDGE = "knowledge"
    ADMIN = "admin"


ORDINARY = frozenset({Scope.REFLECT, Scope.SESSIONS, Scope.CHECKS})
IN_A_PAGE = frozenset({Scope.REFLECT, Scope.CHECKS})  # the most that a publishable key may be for


@dataclass(frozen=True)
class Key:
    """What the holder of a key may do. `per_minute` and `tokens_a_day` are None where the settings decide; `until` is when it expires.

    `origins` are those of the pages that may use it, without which a publishable key opens nothing. `knowledge` names collections beside ours.
    """

    name: str
    created: datetime
    scopes: frozenset[Scope] = ORDINARY
    origins: tuple[str, ...] = ()
    until: datetime | None = None
    per_minute: int | None = None
    tokens_a_day: int | None = None
    knowledge: tuple[str, ...] = ()
    publishable: bool = False

    def allows(self, scope: Scope) -> bool:
        """Whether it is for that. Who may do everything may do each."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def alive(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until

    def ending(self, until: datetime) -> "Key":
        """The same, for no longer than that."""
        return replace(self, until=min(self.until or until, until))


def new_secret(*, publishable: bool = False) -> str:
    """What the holder sends: 256 bits of chance."""
    return f"{PUBLISHABLE if publishable else SECRET}{secrets.token_urlsafe(32)}"


def hashed(secret: str) -> bytes:
    """What is kept of it (SHA-256; a secret of 256 random bits needs no slow hash)."""
    return digest(secret)
