"""The words of a group's session: a protocol as it is written down, a sheet as a group runs it. Frozen, without I/O."""

from dataclasses import dataclass, field
from enum import StrEnum

from coach.kept import Report
from coach.model import Draft, Engine, Question, Signpost, Source


class Trust(StrEnum):
    """How well a group knows one another."""

    NEW = "new"
    SOME = "some"
    HIGH = "high"


class Matter(StrEnum):
    """What a group brings: each another matter, all the same one, or one member's."""

    SEVERAL = "several"
    SHARED = "shared"
    ONE = "one"


class Ideas(StrEnum):
    """Whether ideas have a place: nowhere, only after the analysis, or while the case giver has turned away."""

    NEVER = "never"
    LATE = "late"
    UNHEARD = "unheard"


class Act(StrEnum):
    """What a phase is for."""

    ARRIVE = "arrive"
    REPORT = "report"
    TELL = "tell"
    FACTS = "facts"
    PROBING = "probing"
    REFLECT = "reflect"
    IDEAS = "ideas"
    STILLNESS = "stillness"
    ANSWER = "answer"
    LEARN = "learn"
    LEAVE = "leave"


class Use(StrEnum):
    """What a question of a sheet is for."""

    FACTS = "facts"
    PROBING = "probing"
    SEAM = "seam"
    LEARN = "learn"
    REPORT = "report"
    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    LISTEN = "listen"
    PREPARE = "prepare"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Limits:
    """Whole minutes: the least that make sense, the ideal, the most."""

    least: int
    ideal: int
    most: int

    def __add__(self, other: "Limits") -> "Limits":
        return Limits(self.least + other.least, self.ideal + other.ideal, self.most + other.most)

    def times(self, count: int) -> "Limits":
        """So many of the same."""
        return Limits(self.least * count, self.ideal * count, self.most * count)


EVERYBODY = "all"
TIMEKEEPER = "timekeeper"


@dataclass(frozen=True, slots=True)
class Role:
    """Who does what. One `gives` the case; `rest` are all who neither give nor stand `apart` from the content."""

    id: str
    title: str
    does: str
    gives: bool = False
    rest: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a session as its protocol describes it. `speaks` and `silent` are ids of roles, or `all`; `aloud` is read to the group."""

    id: str
    name: str
    act: Act
    minutes: Limits
    speaks: tuple[str, ...]
    silent: tuple[str, ...]
    aloud: str
    asks: Use | None = None
    questions: int = 0
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way in which a group helps one of its members think."""

    id: str
    title: str
    when: str
    sources: tuple[Source, ...]
    trust: tuple[Trust, ...]
    matter: tuple[Matter, ...]
    fewest: int
    best: int
    largest: int
    most_rounds: int
    ideas: Ideas
    roles: tuple[Role, ...]
    opening: tuple[Phase, ...]
    round: tuple[Phase, ...]
    closing: tuple[Phase, ...]

    @property
    def giver(self) -> Role:
        """Whose case it is."""
        return next(role for role in self.roles if role.gives)

    @property
    def rest(self) -> Role:
        """Everybody else who takes part."""
        return next(role for role in self.roles if role.rest)

    @property
    def held(self) -> tuple[Role, ...]:
        """Roles that one member each holds beside the giver, in order."""
        return tuple(role for role in self.roles if not role.gives and not role.rest)


@dataclass(frozen=True, slots=True)
class GroupQuestion:
    """A question written for a group's sheet; a `seam` one has a slot for a function."""

    use: Use
    draft: Draft


@dataclass(frozen=True, slots=True)
class GroupWords:
    """What a sheet says beside its questions."""

    ground_rules: tuple[str, ...]
    slip: str
    report: str


def known_as(name: str) -> str:
    """A name as it is compared: two that differ in capitals or spaces alone are one."""
    return " ".join(name.split()).casefold()


@dataclass(frozen=True, slots=True)
class Member:
    """Who comes: under which name, from which function, with what. `reports_to` names another member, where one leads another."""

    alias: str
    function: str | None = None
    challenge: str | None = field(default=None, repr=False)
    report_back: str | None = field(default=None, repr=False)
    reports_to: str | None = None


@dataclass(frozen=True)
class Group:
    """Who meets, for how long, and how. `rounds` None is as many as the slot holds; `matter` None is told from what they bring."""

    members: tuple[Member, ...]
    minutes: int
    protocol: str = "auto"
    rounds: int | None = None
    trust: Trust = Trust.SOME
    matter: Matter | None = None
    override: bool = False
    engine: Engine = Engine.AUTO
    language: str | None = None
    country: str | None = None
    carried: tuple[tuple[str, Report], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A phase as it is run: `starts_at` in minutes from the beginning, `speaks` and `silent` as names of members or titles of roles."""

    name: str
    act: Act
    minutes: int
    starts_at: int
    speaks: tuple[str, ...]
    silent: tuple[str, ...]
    instruction: str
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One case: whose, who holds which role, and how it goes."""

    giver: str
    roles: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class SharedTheme:
    """What several brought, in the library's words, and questions for the whole group."""

    text: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class MemberPage:
    """For one member's eyes: questions on what he or she wrote, or where help is. `sent_to` names the hosts that the words went to, masked."""

    alias: str
    questions: tuple[Question, ...] = ()
    signpost: Signpost | None = None
    notices: tuple[str, ...] = ()
    sent_to: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A session that a group runs by itself. `carried` is what members marked to share of what came of last time; `name` what the host calls it."""

    protocol: Protocol
    minutes: int
    reason: str
    warnings: tuple[str, ...]
    opening: tuple[Step, ...]
    cases: tuple[Case, ...]
    closing: tuple[Step, ...]
    themes: tuple[SharedTheme, ...]
    pages: tuple[MemberPage, ...]
    listening: tuple[Question, ...]
    words: GroupWords
    carried: tuple[tuple[str, Report], ...] = field(default=(), repr=False)
    language: str = "en"
    name: str = ""

    @property
    def title(self) -> str:
        """What stands at its head."""
        return self.name or self.protocol.title

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them in the order in which they are run."""
        return (*self.opening, *(step for case in self.cases for step in case.steps), *self.closing)
