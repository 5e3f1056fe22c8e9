"""A meeting of a group that is being prepared: who was invited, what each handed in for nobody else's eyes, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime

from coach.kept import Report
from coach.sheets import Matter, Trust


@dataclass(frozen=True, slots=True)
class Agenda:
    """What the host decides. `carried` are reports on last time that their writers marked to share, by alias."""

    name: str
    minutes: int
    deadline: datetime
    protocol: str = "auto"
    rounds: int | None = None
    trust: Trust = Trust.SOME
    matter: Matter | None = None
    language: str | None = None
    override: bool = False
    starts_at: str | None = None
    time_zone: str = "UTC"
    carried: tuple[tuple[str, Report], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Handed:
    """What a member handed in. `filed` is what came of the session, told after it; `share` says that the group may read that next time."""

    alias: str
    function: str | None = None
    reports_to: str | None = None
    challenge: str = field(default="", repr=False)
    report_back: str = field(default="", repr=False)
    submitted: datetime | None = None
    filed: Report | None = field(default=None, repr=False)
    share: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place. `token` is the sha256 of the secret in the invitation; `page` what was printed for this member alone."""

    number: int
    token: bytes = field(repr=False)
    handed: Handed
    page: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A meeting that is being prepared. `host` is the sha256 of the host's secret; `sheet` what was printed for all; times are in UTC."""

    id: str
    owner: str | None
    host: bytes = field(repr=False)
    created: datetime
    expires: datetime
    agenda: Agenda
    seats: tuple[Seat, ...]
    sheet: bytes = field(default=b"", repr=False)

    @property
    def sheet_gone(self) -> bool:
        """Whether there was a sheet: those who are left still have the page that was printed with it."""
        return not self.sheet and any(seat.page for seat in self.seats)
