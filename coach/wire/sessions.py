"""What travels when a real group meets."""

from datetime import datetime
from typing import Annotated

import msgspec

from coach.errors import Malformed
from coach.kept import Report
from coach.sessions import Agenda, Handed
from coach.sheets import Matter, Trust
from coach.wire.reflections import ReportRequest, SignpostOut, Tag, Told
from coach.wire.sheets import Alias, MemberPageOut


class InvitedIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Who is invited. What they bring they hand in themselves, unless it comes with the invitation."""

    alias: Alias
    function: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    reports_to: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    challenge: Annotated[str, msgspec.Meta(max_length=12_000)] = ""


class Follows(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The last session of the group, and its host's token."""

    id: Annotated[str, msgspec.Meta(max_length=64)]
    host_token: Annotated[str, msgspec.Meta(max_length=100)]


class SessionRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A meeting to prepare. `deadline` is a moment with an offset; `follows` carries on what members of the last session marked to share."""

    members: list[InvitedIn]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=600)]
    deadline: Annotated[datetime, msgspec.Meta(tz=True, description="Until when members may hand in, such as 2026-12-10T18:00:00Z.")]
    name: Annotated[str, msgspec.Meta(max_length=80)] = ""
    protocol: Annotated[str, msgspec.Meta(max_length=40)] = "auto"
    rounds: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None
    trust: Trust = Trust.SOME
    matter: Matter | None = None
    language: Tag | None = None
    override_reporting_line: bool = False
    starts_at: Annotated[str, msgspec.Meta(max_length=32)] | None = None
    time_zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650, description="How long it is kept after the deadline.")] | None = None
    follows: Follows | None = None

    def to_agenda(self, carried: tuple[tuple[str, Report], ...]) -> Agenda:
        """As the use-case knows it."""
        return Agenda(
            self.name,
            self.minutes,
            self.deadline,
            self.protocol,
            self.rounds,
            self.trust,
            self.matter,
            self.language,
            self.override_reporting_line,
            self.starts_at,
            self.time_zone,
            carried,
        )

    def to_handed(self, now: datetime) -> list[Handed]:
        """Who is invited. Raises Malformed for a name that cannot be printed."""
        for place, one in enumerate(self.members):
            for name in ("alias", "function", "reports_to"):
                value = getattr(one, name)
                if value is not None and (not value.isprintable() or not value.strip()):
                    raise Malformed("It has to be a name on one line.", f"/members/{place}/{name}")
        return [
            Handed(
                one.alias.strip(),
                one.function,
                one.reports_to and one.reports_to.strip(),
                one.challenge,
                submitted=now if one.challenge.strip() else None,
            )
            for one in self.members
        ]


class HandIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What a member brings; the group and the host are shown nothing of it. Whoever holds the member's token reads it."""

    challenge: Annotated[str, msgspec.Meta(max_length=12_000)] = ""
    report_back: Told = ""


class FileRequest(ReportRequest, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What came of the session. With `share` the group reads it at the beginning of the next one, word for word."""

    share: bool = False


class Invitation(msgspec.Struct, frozen=True):
    """For one member: the secret, and the page that opens with it. The secret stands behind the #, so that no server's log holds it."""

    alias: str
    token: str
    link: str


class SessionMade(msgspec.Struct, frozen=True):
    """A session that was made, with its secrets: they are not shown again."""

    object: str
    id: str
    host_token: str
    host_link: str
    invitations: list[Invitation]
    deadline: datetime
    expires_at: datetime


class Attendance(msgspec.Struct, frozen=True):
    """Whether a member has handed in; never what."""

    alias: str
    function: str | None
    handed_in: bool
    filed: bool


class SessionOut(msgspec.Struct, frozen=True):
    """What a host sees. `sheet_gone`: there was a sheet, somebody withdrew, and none could be made of those who are left."""

    object: str
    id: str
    name: str
    minutes: int
    protocol: str
    deadline: datetime
    expires_at: datetime
    members: list[Attendance]
    sheet_made: bool
    sheet_gone: bool = False


class FiledOut(msgspec.Struct, frozen=True):
    """What a member told of what came of the session."""

    tried: str
    happened: str
    learned: str


class SeatOut(msgspec.Struct, frozen=True):
    """What a member sees: the own part, whole, and nothing of anybody else's. `sheet_gone` is what it is for the host."""

    object: str
    id: str
    name: str
    alias: str
    deadline: datetime
    expires_at: datetime
    challenge: str
    report_back: str
    handed_in_at: datetime | None
    signpost: SignpostOut | None
    filed: FiledOut | None
    share: bool
    page: MemberPageOut | None
    sheet_made: bool
    sheet_gone: bool = False


class Withdrawn(msgspec.Struct, frozen=True):
    """A member's part is erased; whether a sheet was made again without it, and whether no trace is left."""

    object: str
    sheet_made: bool
    swept: bool
