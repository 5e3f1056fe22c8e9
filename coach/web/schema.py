"""How events become what travels over HTTP (coach/wire): one by one, or a whole answer."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from coach import converse
from coach.model import (
    Acknowledged,
    Asked,
    Closed,
    Draft,
    Event,
    Evidence,
    Failed,
    Found,
    Keeping,
    Noticed,
    Offered,
    Opened,
    Part,
    Privacy,
    Provenance,
    Question,
    Signpost,
    Signposted,
)
from coach.wire.reflections import (
    AcknowledgementOut,
    AskedOut,
    ClosedOut,
    CoverageOut,
    EvidenceOut,
    FailedOut,
    GuidanceOut,
    GuidanceRef,
    HelpOut,
    KeptOut,
    NoticeOut,
    OfferedOut,
    OfferOut,
    OpenedOut,
    PrivacyOut,
    ProvenanceOut,
    QuestionOut,
    ReflectionAnswer,
    SignpostOut,
    SourceOut,
)

EXCERPT_WORDS = 60


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
                self._closed = ClosedOut(event.outcome, coverage(self._questions), guidance, privacy_out(event.privacy), dict(event.usage))
                return "closed", self._closed
            case Failed():
                return "failed", FailedOut(event.code, event.detail)

    @property
    def worth_sending(self) -> bool:
        """Whether what has come so far would be missed: a question, or the token of something kept."""
        return self._opened is not None and bool(self._questions or self._opened.kept)

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
