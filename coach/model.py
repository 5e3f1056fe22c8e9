"""The words of the product: what comes in, what is found, what goes out. Frozen, without I/O."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from enum import StrEnum


class Skill(StrEnum):
    """The seven skills of collaboration (Carucci and Velasquez, 2022)."""

    ACTIVE_LISTENING = "active_listening"
    MANAGING_CONFLICT = "managing_conflict"
    SHARED_PROBLEM_SOLVING = "shared_problem_solving"
    SELF_REGULATION = "self_regulation"
    HUMILITY = "humility"
    CURIOSITY = "curiosity"
    CARE = "care"


class About(StrEnum):
    """What a question is about: who, what, where to (ICF PCC markers 7.2 to 7.4)."""

    SELF = "self"
    SITUATION = "situation"
    OUTCOME = "outcome"


class Perspective(StrEnum):
    """Through whose eyes it looks."""

    OWN = "own"
    OTHER = "other"
    SHARED = "shared"


class Form(StrEnum):
    """The kind of inquiry (Schein, Humble Inquiry; Tomm; de Shazer; Grove's Clean Language)."""

    HUMBLE = "humble"
    DIAGNOSTIC = "diagnostic"
    PROCESS = "process"
    SYSTEMIC = "systemic"
    SCALING = "scaling"
    CLEAN = "clean"


class Stage(StrEnum):
    """Where in a conversation it belongs."""

    OPEN = "open"
    EXPLORE = "explore"
    DEEPEN = "deepen"
    CLOSE = "close"


class Closing(StrEnum):
    """What a conversation ends on: what is seen now, what is to be tried or asked, what the peers will hear; and, later, what was learned."""

    SEEN = "seen"
    TRY = "try"
    PEERS = "peers"
    LEARNED = "learned"


class Move(StrEnum):
    """What the manager does next: answers, puts the question aside, wants another in its place, wants to stay with it, or wants to end."""

    REPLY = "reply"
    SKIP = "skip"
    ANOTHER = "another"
    DEEPER = "deeper"
    WRAP_UP = "wrap_up"


class Hearing(StrEnum):
    """What an acknowledgement gives back.

    A write-up, a reply, a report of what came of it; or nothing, as a question was put aside, not understood, or is to be stayed with.
    """

    WRITEUP = "writeup"
    REPLY = "reply"
    REPORT = "report"
    SKIPPED = "skipped"
    UNCLEAR = "unclear"
    DEEPER = "deeper"


class Voice(StrEnum):
    """Whose words a span of a write-up is: the manager about himself or herself, words somebody spoke, or neither."""

    ANY = "any"
    OWN = "own"
    SAID = "said"


class Engine(StrEnum):
    """Who drafts: curated questions, a language model, or the model where one is configured."""

    AUTO = "auto"
    BANK = "bank"
    LLM = "llm"


class Fallback(StrEnum):
    """What to do where the model fails: ask questions of the bank, or say that it failed."""

    BANK = "bank"
    NEVER = "never"


class Outcome(StrEnum):
    """How an answer ended: with all that was to come, or cut since the service was being stopped."""

    COMPLETE = "complete"
    SHUTTING_DOWN = "shutting_down"


class Flag(StrEnum):
    """Why a text is not coached like others, the most serious first."""

    CRISIS = "crisis"
    HR_LEGAL = "hr_legal"
    INJECTION = "injection"
    OFF_TOPIC = "off_topic"
    TOO_THIN = "too_thin"


class Reason(StrEnum):
    """Why the guard refuses a sentence, the most serious first (tests/cases/README.md defines each)."""

    DIRECTIVE = "directive"
    LEADING = "leading"
    BLAMING = "blaming"
    CLOSED = "closed"
    STACKED = "stacked"
    WORDY = "wordy"
    NOT_A_QUESTION = "not_a_question"
    UNGROUNDED = "ungrounded"
    REDUNDANT = "redundant"
    REPEATED = "repeated"

    @property
    def by_itself(self) -> bool:
        """Whether the sentence alone shows it; the last three need the write-up or the conversation."""
        return self not in {Reason.UNGROUNDED, Reason.REDUNDANT, Reason.REPEATED}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of the manager's. `start` and `end` count Unicode code points of the text as sent; `text[start:end] == quote`."""

    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where an idea comes from."""

    author: str
    title: str
    year: str


@dataclass(frozen=True, slots=True)
class Passage:
    """One section of one guidance document, at most 180 words. `id` is `document#section`."""

    id: str
    document: str
    title: str
    heading: str
    text: str
    skills: tuple[Skill, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that retrieval returned, with its cosine similarity to the write-up (-1 to 1), and its vector where it is not of our library."""

    passage: Passage
    score: float
    vector: tuple[float, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader is told beside the answer, such as that the store was not available."""

    code: str
    message: str
    trouble: str = ""  # for who watches the service: what a provider did; not told to the reader


@dataclass(frozen=True, slots=True)
class Help:
    """Somebody to turn to. `country` is an ISO 3166 code, None where it is for all; `checked` the day on which it was looked up."""

    name: str
    contact: str
    what: str
    hours: str
    free: bool
    country: str | None
    source: str
    checked: str


@dataclass(frozen=True, slots=True)
class Signpost:
    """Where help is, or what would help: said instead of questions, or before the one that may follow."""

    flag: Flag
    text: str
    emergency: str | None = None
    help: tuple[Help, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What retrieval brought: the passages, best first, and what to say about how they were found."""

    passages: tuple[Found, ...] = ()
    notices: tuple[Notice, ...] = ()
    sent: "Sent | None" = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question that was asked before, and what the manager answered; empty where it was put aside. `of` points to the reply (RFC 6901)."""

    question: str = field(repr=False)
    reply: str = field(default="", repr=False)
    of: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A text of the manager's within all that was told: what it is called in the request (RFC 6901), and where it stands, in code points."""

    pointer: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What the next question of a conversation is to be like.

    `since` is where, in all that the manager has told, the last reply begins; at the end where there is none to hear. `answered` counts replies.
    `offers` says that ideas were asked for: what others have written is shown before the question.
    """

    stage: Stage
    since: int
    answered: int
    asked: tuple[str, ...] = field(default=(), repr=False)
    other: bool = False
    closes: Closing | None = None
    proposed: bool = False
    offers: bool = False
    heard: Hearing = Hearing.REPLY


@dataclass(frozen=True, slots=True)
class Challenge:
    """A manager's write-up as sent, and what was asked for with it.

    In a conversation `text` is all that the manager has told, write-up and replies (coach.converse), and `turn` what the next question is to be like.
    `also` is what came of an earlier challenge, told with this one. Of a kept one, `id` is its name, `besides` are questions that were asked and
    left, `before` counts all that were asked, and `reports` says how many of the last exchanges are parts of a report of what came of it.
    `knowledge` names collections of an organisation's own that are looked into beside our library; whoever asks was found to be allowed to.
    """

    text: str = field(repr=False)
    count: int = 3
    focus: tuple[Skill, ...] = ()
    role: str | None = field(default=None, repr=False)
    functions: tuple[str, ...] = field(default=(), repr=False)
    language: str | None = None
    engine: Engine = Engine.AUTO
    fallback: Fallback = Fallback.BANK
    mask: tuple[str, ...] = field(default=(), repr=False)
    keep: tuple[str, ...] = field(default=(), repr=False)
    country: str | None = None
    aside: tuple[tuple[int, int], ...] = ()  # what of it speaks to the machine, and is not quoted
    exchanges: tuple[Exchange, ...] = field(default=(), repr=False)
    move: Move = Move.REPLY
    turn: Turn | None = None
    also: tuple[Exchange, ...] = field(default=(), repr=False)
    id: str = ""
    besides: tuple[str, ...] = field(default=(), repr=False)
    before: int = 0
    reports: int = 0
    knowledge: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """Something left this process: to which host, and how many different things of each kind were masked in it."""

    to: str
    masked: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Privacy:
    """What became of the words of a write-up. `retention` is an ISO 8601 duration, of what is stored."""

    left_process: bool = False
    to: str | None = None
    masked: Mapping[str, int] = field(default_factory=dict)
    stored: bool = False
    retention: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence that some Writer would like to ask. It is not a Question, and no door accepts it."""

    text: str = field(repr=False)
    skill: Skill
    about: About
    perspective: Perspective
    form: Form
    source: str
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    guidance: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class BankQuestion:
    """A curated question.

    `when` says what kind of write-up it serves; `slot` whose words may stand in its `{quote}`, if it has one; `general` that it makes
    sense for any write-up, whether or not `when` fits; `opener` that it is for a text of which nothing can be made out; `follows` that it is for
    the middle of a conversation, `closes` which part of its end it is for, and `offers` that it is asked after ideas of others were shown.
    """

    id: str
    text: str
    skill: Skill
    about: About
    perspective: Perspective
    form: Form
    stage: Stage
    when: str
    sources: tuple[Source, ...]
    slot: Voice | None = None
    general: bool = False
    opener: bool = False
    follows: bool = False
    closes: Closing | None = None
    offers: bool = False


@dataclass(frozen=True, slots=True)
class AcknowledgementTemplate:
    """How to say that words were heard: with `first` and `second` quotations, with `first` alone, or with none."""

    id: str
    text: str
    quotes: int
    of: Hearing = Hearing.WRITEUP


@dataclass(frozen=True, slots=True)
class AcknowledgementDraft:
    """One sentence that would show the manager was heard."""

    text: str = field(repr=False)
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Spent:
    """What drafting has cost so far, by name: tokens, money; and drafts refused, by rule. A later one replaces an earlier one."""

    usage: Mapping[str, float]
    refused: Mapping[str, int] = field(default_factory=dict)


class _Seal:
    """What only the guard holds: without it no Question and no Acknowledgement comes into being."""


SEAL = _Seal()


def _check_seal(seal: _Seal | None) -> None:
    if seal is not SEAL:
        message = "only coach.guard makes a Question or an Acknowledgement"
        raise TypeError(message)


@dataclass(frozen=True)
class Question:
    """A question the guard admitted. Only `coach.guard.admit` can make one."""

    id: str
    draft: Draft
    seal: InitVar[_Seal | None] = None

    def __post_init__(self, seal: _Seal | None) -> None:
        _check_seal(seal)


@dataclass(frozen=True)
class Acknowledgement:
    """The sentence before the first question, admitted by the guard. Only `coach.guard.acknowledge` can make one."""

    text: str = field(repr=False)
    evidence: tuple[Evidence, ...] = field(repr=False)
    seal: InitVar[_Seal | None] = None

    def __post_init__(self, seal: _Seal | None) -> None:
        _check_seal(seal)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made the answer, and from what: enough to reproduce it."""

    engine: str
    model: str | None
    prompt: str | None
    knowledge: str
    guard: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """A reflection is kept, until when, and the secret that opens it where it was just made."""

    expires: datetime
    token: str = field(default="", repr=False)


# The events of a reflection, in the order in which they come: opened, acknowledged, offered, asked (one whole question each),
# notices anywhere between, and at the end closed or failed.


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer begins: who is answering, in which language. `parts` are the manager's texts that evidence is counted in."""

    id: str
    language: str
    disclosure: str
    provenance: Provenance
    parts: tuple[Part, ...] = ()
    keeping: Keeping | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The manager was heard."""

    acknowledgement: Acknowledgement


@dataclass(frozen=True, slots=True)
class Asked:
    """One whole question, with the passages of guidance beside it."""

    question: Question
    guidance: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """Ideas were asked for: what others have written, quoted and attributed, with `text` to say whose it is. The choice is the manager's."""

    text: str
    passages: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something to know about this answer."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Signposted:
    """Coaching is not what is needed; it stops here."""

    signpost: Signpost


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more will come; `outcome` says whether all has come. `refused` counts drafts by rule, for who watches the service."""

    guidance: tuple[Found, ...]
    usage: Mapping[str, float]
    privacy: Privacy = field(default_factory=Privacy)
    outcome: Outcome = Outcome.COMPLETE
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off. `code` is that of an error in coach.errors; `detail` holds no word of the manager's."""

    code: str
    detail: str


Event = Opened | Signposted | Acknowledged | Offered | Asked | Noticed | Closed | Failed
