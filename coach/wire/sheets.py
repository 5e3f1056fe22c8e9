"""What travels when a group prepares."""

from typing import Annotated

import msgspec

from coach.errors import Malformed
from coach.model import Engine
from coach.shapes import words
from coach.sheets import Group, Matter, Member, Trust
from coach.wire.reflections import COUNTRY, QuestionOut, SignpostOut, Tag

Alias = Annotated[str, msgspec.Meta(min_length=1, max_length=40, description="How a member is called on the sheet: a first name will do.")]


class MemberIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Who comes, and what he or she brings."""

    alias: Alias
    function: Annotated[str, msgspec.Meta(max_length=60, description="Such as sales: others are asked how things look from there.")] | None = None
    challenge: Annotated[
        str, msgspec.Meta(max_length=12_000, description="The case, if there is one; for nobody's eyes but the member's own page.")
    ] = ""
    report_back: Annotated[str, msgspec.Meta(max_length=4000, description="What came of last time.")] = ""
    reports_to: Annotated[str, msgspec.Meta(max_length=40, description="The alias of a member who leads this one.")] | None = None


class SheetRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A group, a slot, and how it wants to work."""

    members: Annotated[list[MemberIn], msgspec.Meta(description="1 to 9.")]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=600, description="The slot, in whole minutes; the sheet fills it exactly.")]
    protocol: Annotated[str, msgspec.Meta(max_length=40, description="`auto`, or the id of a protocol (`GET /v1/protocols`).")] = "auto"
    rounds: Annotated[int, msgspec.Meta(ge=1, le=9, description="How many cases; as many as the slot holds if left out.")] | None = None
    trust: Annotated[Trust, msgspec.Meta(description="How well they know one another.")] = Trust.SOME
    matter: Annotated[Matter, msgspec.Meta(description="Whether they bring several matters, share one, or meet for one member's.")] | None = None
    language: Tag | None = None
    engine: Engine = Engine.AUTO
    country: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", extra=COUNTRY)] | None = None
    override_reporting_line: bool = False
    paper: Annotated[str, msgspec.Meta(pattern="^(A4|letter)$", extra=words("A4 or letter"), description="For HTML and PDF: A4 or letter.")] = "A4"
    member_pages: Annotated[bool, msgspec.Meta(description="Whether the members' own pages are printed behind the sheet.")] = True
    starts_at: Annotated[str, msgspec.Meta(max_length=32, description="For a calendar entry: local time, such as 2026-12-12T10:00.")] | None = None
    time_zone: Annotated[str, msgspec.Meta(max_length=64, description="For a calendar entry, such as Europe/Berlin.")] = "UTC"
    alarms: Annotated[bool, msgspec.Meta(description="For a calendar entry: an alarm for each phase.")] = False

    def to_group(self) -> Group:
        """As the use-case knows it. Raises Malformed for a name that cannot be printed."""
        for place, member in enumerate(self.members):
            for name in ("alias", "function", "reports_to"):
                value = getattr(member, name)
                if value is not None and (not value.isprintable() or not value.strip()):
                    raise Malformed("It has to be a name on one line.", f"/members/{place}/{name}")
        members = tuple(
            Member(
                one.alias.strip(), one.function, one.challenge.strip() and one.challenge, one.report_back, one.reports_to and one.reports_to.strip()
            )
            for one in self.members
        )
        return Group(
            members,
            self.minutes,
            self.protocol,
            self.rounds,
            self.trust,
            self.matter,
            self.override_reporting_line,
            self.engine,
            self.language,
            self.country,
        )


class StepOut(msgspec.Struct, frozen=True):
    """A phase as it is run; `starts_at` in minutes from the beginning."""

    name: str
    kind: str
    minutes: int
    starts_at: int
    speaks: list[str]
    silent: list[str]
    instruction: str
    questions: list[QuestionOut]


class RoundOut(msgspec.Struct, frozen=True):
    """A case: whose it is, who holds which role, how it goes."""

    case_giver: str
    roles: dict[str, str]
    phases: list[StepOut]


class ThemeOut(msgspec.Struct, frozen=True):
    """What several brought, in words of the library, and questions for all."""

    text: str
    questions: list[QuestionOut]


class CarriedOut(msgspec.Struct, frozen=True):
    """What a member marked to share of what came of the last session, word for word."""

    alias: str
    tried: str
    happened: str
    learned: str


class MemberPageOut(msgspec.Struct, frozen=True):
    """For one member's eyes. Evidence points into the request."""

    alias: str
    questions: list[QuestionOut]
    signpost: SignpostOut | None
    notices: list[str]
    sent_to: str | None


class RoleOut(msgspec.Struct, frozen=True):
    """What a role does."""

    title: str
    does: str


class SheetOut(msgspec.Struct, frozen=True):
    """A session that a group runs by itself."""

    object: str
    protocol: str
    title: Annotated[str, msgspec.Meta(description="What the host calls the session; else what the protocol is called.")]
    minutes: int
    reason: str
    warnings: list[str]
    roles: list[RoleOut]
    ground_rules: list[str]
    opening: list[StepOut]
    rounds: list[RoundOut]
    closing: list[StepOut]
    themes: list[ThemeOut]
    carried: list[CarriedOut]
    listening: list[QuestionOut]
    slip: str
    report_back: str
    member_pages: list[MemberPageOut]
    language: str


class ProtocolOut(msgspec.Struct, frozen=True):
    """A way in which a group helps one of its members think."""

    id: str
    title: str
    when: str
    people: dict[str, int]
    rounds: dict[str, int]
    minutes: dict[str, int]
    ideas: str
    sources: list[str]
