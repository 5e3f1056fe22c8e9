"""What travels over HTTP: the request, the answer, and how events become either."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from coach import converse
from coach.model import (
    About,
    Acknowledged,
    Asked,
    Challenge,
    Closed,
    Draft,
    Engine,
    Event,
    Evidence,
    Exchange,
    Failed,
    Fallback,
    Flag,
    Form,
    Found,
    Keeping,
    Move,
    Noticed,
    Offered,
    Opened,
    Part,
    Perspective,
    Privacy,
    Provenance,
    Question,
    Signpost,
    Signposted,
    Skill,
)

EXCERPT_WORDS = 60

Count = Annotated[int, msgspec.Meta(ge=1, le=7, description="How many questions, 1 to 7.")]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Tag = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", description="A BCP 47 language tag, such as en or de-AT.")]


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
    country: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166 code: where help is, should it be needed.")] | None = None

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
    """Event `closed`: nothing more will come."""

    coverage: CoverageOut
    guidance: list[GuidanceOut]
    privacy: PrivacyOut
    usage: dict[str, float]


class FailedOut(msgspec.Struct, frozen=True):
    """Event `failed`: the answer broke off."""

    code: str
    detail: str


class Folder:
    """Turns events into their wire form one by one, and keeps what a whole answer needs."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._parts: tuple[Part, ...] = ()
        self._opened: OpenedOut | None = None
        self._acknowledgement: AcknowledgementOut | None = None
        self._questions: list[QuestionOut] = []
        self._notices: list[NoticeOut] = []
        self._signpost: SignpostOut | None = None
        self._offered: OfferedOut | None = None
        self._closed: ClosedOut | None = None

    def add(self, event: Event) -> tuple[str, msgspec.Struct]:
        """The event's name and its data as they are sent."""
        match event:
            case Opened():
                self._parts = event.parts
                self._opened = OpenedOut(
                    event.id, "reflection", event.language, event.disclosure, provenance_out(event.provenance), kept_out(event.keeping)
                )
                return "opened", self._opened
            case Acknowledged():
                heard = event.acknowledgement
                self._acknowledgement = AcknowledgementOut(heard.text, evidence_out(heard.evidence, self._parts))
                return "acknowledged", self._acknowledgement
            case Offered():
                self._offered = OfferedOut(event.text, [offer_out(found) for found in event.passages])
                return "offered", self._offered
            case Asked():
                question = question_out(event.question, event.guidance, self._parts)
                self._questions.append(question)
                return "asked", AskedOut(question, [guidance_out(found) for found in event.guidance])
            case Noticed():
                notice = NoticeOut(event.notice.code, event.notice.message)
                self._notices.append(notice)
                return "notice", notice
            case Signposted():
                self._signpost = signpost_out(event.signpost)
                return "signpost", self._signpost
            case Closed():
                guidance = [guidance_out(found) for found in event.guidance]
                self._closed = ClosedOut(coverage(self._questions), guidance, privacy_out(event.privacy), dict(event.usage))
                return "closed", self._closed
            case Failed():
                return "failed", FailedOut(event.code, event.detail)

    def answer(self) -> ReflectionAnswer:
        """The whole answer. Raises LookupError before it was opened and closed."""
        if self._opened is None or self._closed is None:
            message = "the answer is not complete"
            raise LookupError(message)
        opened, closed = self._opened, self._closed
        return ReflectionAnswer(
            id=opened.id,
            object=opened.object,
            language=opened.language,
            disclosure=opened.disclosure,
            signpost=self._signpost,
            acknowledgement=self._acknowledgement,
            offered=self._offered,
            questions=self._questions,
            guidance=closed.guidance,
            coverage=closed.coverage,
            notices=self._notices,
            provenance=opened.provenance,
            privacy=closed.privacy,
            usage=closed.usage,
            kept=opened.kept,
        )


def question_out(question: Question, guidance: Sequence[Found], parts: Sequence[Part]) -> QuestionOut:
    """A question as it is sent."""
    refs = [GuidanceRef(found.passage.id, found.passage.title) for found in guidance]
    return draft_out(question.id, question.draft, refs, parts)


def draft_out(identifier: str, draft: Draft, refs: list[GuidanceRef], parts: Sequence[Part]) -> QuestionOut:
    """A question that was admitted, as it is sent."""
    found = evidence_out(draft.evidence, parts)
    return QuestionOut(identifier, draft.text, draft.skill, draft.about, draft.perspective, draft.form, draft.source, found, refs)


def guidance_out(found: Found) -> GuidanceOut:
    """A passage as it is sent."""
    passage = found.passage
    sources = [SourceOut(source.author, source.title, source.year) for source in passage.sources]
    return GuidanceOut(passage.id, passage.title, excerpt(passage.text), found.score, sources)


def offer_out(found: Found) -> OfferOut:
    """A passage as it is shown whole."""
    passage = found.passage
    return OfferOut(passage.id, passage.title, passage.text, [SourceOut(one.author, one.title, one.year) for one in passage.sources])


def signpost_out(signpost: Signpost) -> SignpostOut:
    """A signpost as it is sent."""
    helps = [HelpOut(one.name, one.contact, one.what, one.hours, one.free, one.country, one.source, one.checked) for one in signpost.help]
    return SignpostOut(signpost.flag, signpost.text, signpost.emergency, helps)


def privacy_out(privacy: Privacy) -> PrivacyOut:
    """What became of the words, as it is sent."""
    return PrivacyOut(privacy.left_process, privacy.to, dict(privacy.masked), privacy.stored, privacy.retention)


def excerpt(text: str, most: int = EXCERPT_WORDS) -> str:
    """The first whole sentences of a passage, as many as fit into `most` words, at least one."""
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.?]) ", text):
        if kept and len(" ".join([*kept, sentence]).split()) > most:
            break
        kept.append(sentence)
    return " ".join(kept)


def coverage(questions: Sequence[QuestionOut]) -> CoverageOut:
    """What a set touches, each once, in the order of first touch."""
    return CoverageOut(
        list(dict.fromkeys(question.skill for question in questions)),
        list(dict.fromkeys(question.about for question in questions)),
        list(dict.fromkeys(question.perspective for question in questions)),
    )


def evidence_out(evidence: Iterable[Evidence], parts: Sequence[Part]) -> list[EvidenceOut]:
    """Quotations as they are sent: each with the text that it is of."""
    found = (converse.located(item, parts) for item in evidence)
    return [EvidenceOut(there.quote, there.start, there.end, part.pointer) for part, there in filter(None, found)]


def kept_out(keeping: Keeping | None) -> KeptOut | None:
    """Until when, as it is sent."""
    return KeptOut(keeping.expires, keeping.token or None) if keeping else None


def provenance_out(made: Provenance) -> ProvenanceOut:
    """Who made an answer, as it is sent."""
    return ProvenanceOut(made.engine, made.model, made.prompt, made.knowledge, made.guard)


def encode(value: Any) -> bytes:
    """JSON, UTF-8."""
    return msgspec.json.encode(value)
