"""What travels when somebody reflects: the request, the events, the whole answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

from coach import converse
from coach.model import About, Challenge, Engine, Exchange, Fallback, Flag, Form, Move, Outcome, Perspective, Skill
from coach.shapes import words

COLLECTION = "the name of a collection: 1 to 63 small letters, digits and dashes, no dash first or last"
Count = Annotated[int, msgspec.Meta(ge=1, le=7, description="How many questions, 1 to 7.")]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Tag = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        extra=words("a language tag, such as en or de-AT"),
        description="A BCP 47 language tag, such as en or de-AT.",
    ),
]
COUNTRY = words("two capital letters, such as DE")
Told = Annotated[str, msgspec.Meta(max_length=4000)]


class ExchangeIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A question that was asked, as it was asked, and what the manager answered: none where it was put aside."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    reply: Told | None = None


class ReportRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What came of a challenge, some time after."""

    tried: Told = ""
    happened: Told = ""
    learned: Told = ""


class ReflectionRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A manager's challenge, and what is asked of the answer."""

    challenge: Annotated[str, msgspec.Meta(description="The write-up: 5 words to 12,000 characters. 30 to 1,500 words work best.")]
    count: Count = 3
    focus: Annotated[list[Skill], msgspec.Meta(max_length=7, description="Skills to lean towards.")] = []
    role: Label | None = None
    functions: Annotated[list[Label], msgspec.Meta(max_length=20, description="The functions, teams or sites involved.")] = []
    language: Tag | None = None
    engine: Annotated[
        Engine,
        msgspec.Meta(description="Who drafts: a language model (`llm`), the curated library (`bank`), or whichever the operator has set (`auto`)."),
    ] = Engine.AUTO
    fallback: Annotated[
        Fallback,
        msgspec.Meta(description="Where the model fails: questions of the library (`bank`), or a problem document with 502 or 504 (`never`)."),
    ] = Fallback.BANK
    mask: Annotated[
        list[Label], msgspec.Meta(max_length=100, description="More words to mask in what leaves the process, such as a project's name; in any case.")
    ] = []
    keep: Annotated[list[Label], msgspec.Meta(max_length=100, description="Words that are never masked.")] = []
    country: (
        Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", extra=COUNTRY, description="ISO 3166 code: where help is, should it be needed.")] | None
    ) = None

    report_back: Annotated[ReportRequest, msgspec.Meta(description="What came of an earlier challenge, to be heard with this one.")] | None = None
    exchanges: Annotated[
        list[ExchangeIn],
        msgspec.Meta(max_length=24, description="The conversation so far, oldest first. With it the answer is one acknowledgement and one question."),
    ] = []
    move: Annotated[
        Move,
        msgspec.Meta(
            description="In a conversation: go on from the reply (`reply`), put the last question aside (`skip`), another in its place (`another`), "
            "stay with what was said (`deeper`), or come to an end (`wrap_up`)."
        ),
    ] = Move.REPLY

    knowledge: (
        Annotated[
            list[Annotated[str, msgspec.Meta(pattern="^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", extra=words(COLLECTION))]],
            msgspec.Meta(max_length=10, description="Collections of your organisation's own to look in as well; those of the key if left out."),
        ]
        | None
    ) = None

    store: Annotated[
        bool, msgspec.Meta(description="Keep it, so that it can be gone on with by its id: until it expires or is erased. Nothing is kept else.")
    ] = False
    retention_days: (
        Annotated[int, msgspec.Meta(ge=1, le=3650, description="For how many days; the operator sets the default and the most.")] | None
    ) = None

    def to_challenge(self) -> Challenge:
        """As the use-case knows it."""
        return Challenge(
            self.challenge,
            self.count,
            tuple(self.focus),
            self.role,
            tuple(self.functions),
            self.language,
            self.engine,
            self.fallback,
            tuple(self.mask),
            tuple(self.keep),
            self.country,
            exchanges=tuple(Exchange(one.question, one.reply if one.reply and one.reply.strip() else "") for one in self.exchanges),
            move=self.move,
            also=converse.reported(came.tried, came.happened, came.learned, "/report_back") if (came := self.report_back) else (),
        )


class EvidenceOut(msgspec.Struct, frozen=True):
    """Words of the manager's, in the text of the request that `of` points to (RFC 6901): text[start:end] == quote, in Unicode code points."""

    quote: str
    start: int
    end: int
    of: str


class AcknowledgementOut(msgspec.Struct, frozen=True):
    """One sentence that shows the manager was heard."""

    text: str
    evidence: list[EvidenceOut]


class GuidanceRef(msgspec.Struct, frozen=True):
    """Which passage of `guidance` stands beside a question."""

    id: str
    title: str


class QuestionOut(msgspec.Struct, frozen=True):
    """One open question that the guard admitted."""

    id: str
    text: str
    skill: Skill
    about: About
    perspective: Perspective
    form: Form
    source: str
    evidence: list[EvidenceOut]
    guidance: list[GuidanceRef]


class SourceOut(msgspec.Struct, frozen=True):
    """Where an idea of a passage comes from."""

    author: str
    title: str
    year: str


class GuidanceOut(msgspec.Struct, frozen=True):
    """A passage of guidance that was retrieved. `score` is its cosine similarity to the challenge."""

    id: str
    title: str
    excerpt: str
    score: float
    sources: list[SourceOut]


class CoverageOut(msgspec.Struct, frozen=True):
    """What the questions touch."""

    skills: list[Skill]
    about: list[About]
    perspectives: list[Perspective]


class NoticeOut(msgspec.Struct, frozen=True):
    """Something to know about this answer."""

    code: str
    message: str


class ProvenanceOut(msgspec.Struct, frozen=True):
    """Who made the answer and from what."""

    engine: str
    model: str | None
    prompt: str | None
    knowledge: str
    guard: str


class HelpOut(msgspec.Struct, frozen=True):
    """Somebody to turn to. `country` is an ISO 3166 code; none where it is for all."""

    name: str
    contact: str
    what: str
    hours: str
    free: bool
    country: str | None
    source: str
    checked: str


class SignpostOut(msgspec.Struct, frozen=True):
    """Event `signpost`: coaching is not what is needed. It is shown first, and alone where `flag` is `crisis`."""

    flag: Flag
    text: str
    emergency: str | None
    help: list[HelpOut]


class OfferOut(msgspec.Struct, frozen=True):
    """A passage that is shown to who asked for ideas, whole, with whose ideas it holds."""

    id: str
    title: str
    text: str
    sources: list[SourceOut]


class OfferedOut(msgspec.Struct, frozen=True):
    """Event `offered`: ideas were asked for. At most three views of others, quoted and attributed; the choice is the manager's."""

    text: str
    passages: list[OfferOut]


class KeptOut(msgspec.Struct, frozen=True):
    """It is kept until then. `continue_token` is there when it was just made: sent as a Bearer token it opens this reflection and no other."""

    expires_at: datetime
    continue_token: str | None


class PrivacyOut(msgspec.Struct, frozen=True):
    """What became of the words.

    `masked` counts the different things of each kind that were replaced in what left; `to` is a host; `retention` an ISO 8601 duration from when
    the reflection began.
    """

    left_process: bool
    to: str | None
    masked: dict[str, int]
    stored: bool
    retention: str | None


class ReflectionAnswer(msgspec.Struct, frozen=True):
    """A whole answer."""

    id: str
    object: str
    language: str
    disclosure: str
    signpost: SignpostOut | None
    acknowledgement: AcknowledgementOut | None
    offered: OfferedOut | None
    questions: list[QuestionOut]
    guidance: list[GuidanceOut]
    coverage: CoverageOut
    notices: list[NoticeOut]
    provenance: ProvenanceOut
    privacy: PrivacyOut
    usage: dict[str, float]
    kept: KeptOut | None


class OpenedOut(msgspec.Struct, frozen=True):
    """Event `opened`: who is answering."""

    id: str
    object: str
    language: str
    disclosure: str
    provenance: ProvenanceOut
    kept: KeptOut | None


class AskedOut(msgspec.Struct, frozen=True):
    """Event `asked`: one whole question, and the passages beside it."""

    question: QuestionOut
    guidance: list[GuidanceOut]


class ClosedOut(msgspec.Struct, frozen=True):
    """Event `closed`: nothing more will come. `outcome` is `complete`, or `shutting_down` where the service was stopped before all had come."""

    outcome: Outcome
    coverage: CoverageOut
    guidance: list[GuidanceOut]
    privacy: PrivacyOut
    usage: dict[str, float]


class FailedOut(msgspec.Struct, frozen=True):
    """Event `failed`: the answer broke off."""

    code: str
    detail: str


EventOut = OpenedOut | SignpostOut | NoticeOut | AcknowledgementOut | OfferedOut | AskedOut | ClosedOut | FailedOut

EVENTS: Mapping[str, type[EventOut]] = {  # by the name under which each travels as a Server-Sent Event
    "opened": OpenedOut,
    "signpost": SignpostOut,
    "notice": NoticeOut,
    "acknowledged": AcknowledgementOut,
    "offered": OfferedOut,
    "asked": AskedOut,
    "closed": ClosedOut,
    "failed": FailedOut,
}
LAST = frozenset({"closed", "failed"})  # after which nothing comes
