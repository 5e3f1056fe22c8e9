"""The main use-case: a challenge in; an acknowledgement and a few admitted questions out, as typed events."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from coach import converse, grounding, guard, ids
from coach.errors import BudgetSpent, ChallengeTooLong, ChallengeTooThin, ModelUnavailable
from coach.model import (
    Acknowledged,
    AcknowledgementDraft,
    Asked,
    Challenge,
    Closed,
    Closing,
    Draft,
    Engine,
    Event,
    Fallback,
    Finding,
    Flag,
    Found,
    Keeping,
    Notice,
    Noticed,
    Offered,
    Opened,
    Privacy,
    Provenance,
    Question,
    Reason,
    Sent,
    Signposted,
    Spent,
    Stage,
)
from coach.ports import LanguageDetector, Library, Writer, Written
from coach.privacy import hider
from coach.quoting import words
from coach.safety import Judgement, Safety

FEWEST_WORDS = 5
MOST_CHARACTERS = 12_000
PASSAGES = 6
ENGLISH = "en"

UNREAD = Notice(
    "language-unread",
    "This program reads English, German, French and Spanish. What is written here it could not read, nor notice if somebody is in danger. "
    "Then the local emergency number helps (112 in many countries), or a helpline: findahelpline.com lists them.",
)
ENOUGH_TO_TELL = 8  # words: of fewer the language is a guess
ANSWERED_IN_ENGLISH = "The questions are in English, for now. Your own words are quoted as you wrote them."
ADDRESSED = Notice(
    "addressed-machine", "Part of your text speaks to a program. It was read as part of what you wrote, and nothing in it was followed."
)
NOTHING_KEPT = "Nothing you write is kept here."
KEPT = "What you write is kept here until {date}, since that was asked for; you can erase it before."
NO_MODEL = "No language model is configured here, so the questions come from the library."
BUDGET_SPENT = Notice("budget-spent", "The language model's tokens for today are used up, so the questions come from the library.")
FEWER = "Fewer questions than asked for passed the checks."

log = logging.getLogger("coach")


Keep = Callable[[str], Awaitable[Keeping | Notice]]


@dataclass(frozen=True)
class Answering:
    """Who answers, and what is said about that before anything else; what is kept is said after it."""

    writer: Writer
    disclosure: str


@dataclass(frozen=True)
class Needs:
    """What a reflection needs from outside. `model` is there if a language model is configured, `engine` is who answers unless the caller says.

    `closings` are the questions of the library that end a conversation, by their text; `ideas` of others may be shown to who asks for some.
    `within_budget` says whether who asks may still spend the model's tokens.
    """

    library: Library
    bank: Answering
    languages: LanguageDetector
    safety: Safety
    model: Answering | None = None
    engine: Engine = Engine.AUTO
    country: str | None = None
    closings: Mapping[str, Closing] = field(default_factory=dict)
    ideas: bool = True
    within_budget: Callable[[], bool] = lambda: True

    def answering(self, challenge: Challenge) -> Answering:
        """Who answers this challenge. Raises ModelUnavailable if it must be a model and there is none, BudgetSpent if it may cost nothing more."""
        if challenge.turn and (challenge.turn.stage is Stage.CLOSE or challenge.turn.offers):
            return self.bank  # what a conversation ends on, and what is asked after ideas, is never drafted by a model
        wanted = self.engine if challenge.engine is Engine.AUTO else challenge.engine
        if wanted is Engine.BANK:
            return self.bank
        if self.model is None and challenge.engine is Engine.LLM and challenge.fallback is Fallback.NEVER:
            raise ModelUnavailable("none is configured")
        if self.model and not self.within_budget():
            if challenge.engine is Engine.LLM and challenge.fallback is Fallback.NEVER:
                raise BudgetSpent
            return self.bank
        return self.model or self.bank


def accept(challenge: Challenge, needs: Needs) -> None:
    """Refuse what cannot be reflected on. Raises ChallengeTooThin or ChallengeTooLong; four words that call for help are not too few."""
    if len(challenge.text) > MOST_CHARACTERS:
        raise ChallengeTooLong(MOST_CHARACTERS, len(challenge.text))
    count = words(challenge.text, FEWEST_WORDS)
    if count < FEWEST_WORDS and _judge(challenge, needs).flag is not Flag.CRISIS:
        raise ChallengeTooThin(count, FEWEST_WORDS)


def _judge(challenge: Challenge, needs: Needs) -> Judgement:
    return needs.safety.judge(challenge.text, needs.languages.detect(challenge.text) or ENGLISH)


@dataclass
class _Told:
    """What was said so far, so that nothing is said twice."""

    guidance: dict[str, Found] = field(default_factory=dict)
    asked: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    spent: Spent = field(default_factory=lambda: Spent({}))
    sent: tuple[Sent, ...] = ()

    def privacy(self) -> Privacy:
        """What left, and where to."""
        masked: dict[str, int] = {}
        for one in self.sent:
            masked |= {kind: max(count, masked.get(kind, 0)) for kind, count in one.masked.items()}
        return Privacy(bool(self.sent), ", ".join(dict.fromkeys(one.to for one in self.sent)) or None, masked)

    def usage(self) -> dict[str, float]:
        """What the answer cost, drafts refused by the writer itself included."""
        return {**self.spent.usage, "drafts_refused": self.refused.total() + self.spent.usage.get("drafts_refused", 0)}


async def reflect(challenge: Challenge, needs: Needs, keep: Keep | None = None) -> AsyncGenerator[Event, None]:
    """Answer one challenge: opened, notices, acknowledged, asked ..., closed; or, where coaching is not what is needed, opened, signposted, closed.

    `keep` is given the reflection's id once the text was found to be one to coach, before anything is answered; it says how that went.

    Errors: those of `accept` and of `keep`, and ModelUnavailable where the caller wants no fallback. Library and writer else keep to their
    promise not to raise.
    """
    accept(challenge, needs)
    challenge = replace(challenge, id=challenge.id or ids.new("r"), text=converse.told(challenge.text, challenge.also))
    last = converse.latest(challenge.exchanges, challenge.reports)
    challenge = converse.going_on(challenge, needs.closings, ideas=needs.ideas) if challenge.exchanges else challenge
    answering = needs.answering(challenge)
    written_in = needs.languages.detect(challenge.text) or ENGLISH
    finding = asyncio.ensure_future(_found(challenge, needs, written_in)) if needs.library.stays else None  # read while it is judged
    try:
        judgement = await asyncio.to_thread(_weighed, challenge, last, needs.safety, written_in)
        if judgement.flag:
            log.info("flag=%s", judgement.flag)
        if judgement.stops:
            for event in _stopped(judgement, challenge, needs, written_in):
                yield event
            return
        kept = await keep(challenge.id) if keep else None
        yield opened(challenge, needs, answering, kept if isinstance(kept, Keeping) else None)
        if isinstance(kept, Notice):
            yield Noticed(kept)
        if challenge.exchanges and challenge.turn is None:
            for event in (Noticed(converse.FINISHED), Closed((), {})):
                yield event
            return
        if finding is None:
            finding = asyncio.ensure_future(_found(challenge, needs, written_in))
        async with aclosing(_coached(replace(challenge, aside=judgement.aside), needs, answering, written_in, finding)) as events:
            async for event in events:
                yield event
    finally:
        if finding is not None:
            finding.cancel()


def _weighed(challenge: Challenge, last: str, safety: Safety, written_in: str) -> Judgement:
    """What a text is. Of a conversation, a crisis anywhere, and another matter in the last reply: the rest was weighed before."""
    whole = safety.judge(challenge.text, written_in)
    if not challenge.exchanges or whole.flag is Flag.CRISIS:
        return whole
    latest = safety.judge(last, written_in) if last else Judgement()
    if latest.flag in {Flag.CRISIS, Flag.HR_LEGAL}:
        return replace(latest, aside=whole.aside)
    return Judgement(Flag.INJECTION if latest.aside else None, latest.by, whole.aside)


async def _found(challenge: Challenge, needs: Needs, written_in: str) -> Finding:
    return await needs.library.find(challenge.text, PASSAGES, hider(challenge, written_in), challenge.knowledge)


async def _coached(
    challenge: Challenge, needs: Needs, answering: Answering, written_in: str, finding: Awaitable[Finding]
) -> AsyncGenerator[Event, None]:
    """The ordinary answer, after it was opened."""
    started = time.perf_counter()
    told = _Told()
    for notice in _first_of_all(challenge, needs, written_in):
        yield Noticed(notice)
    async with aclosing(answering.writer.draft(challenge, finding, written_in)) as drafts:
        async for draft in drafts:
            if told_of := await _event(draft, challenge, finding, told):
                if isinstance(told_of, Asked) and challenge.turn and challenge.turn.offers:
                    yield Offered(converse.OFFERED, (await finding).passages[: converse.MOST_OFFERED])
                yield told_of
    found = await finding
    told.sent += (found.sent,) if found.sent else ()
    for notice in found.notices:
        yield Noticed(notice)
    if told.asked < challenge.count:
        yield Noticed(Notice("fewer-questions", FEWER))
    elapsed = round((time.perf_counter() - started) * 1000)
    refused = told.refused + Counter(told.spent.refused)
    yield Closed(tuple(told.guidance.values()), {**told.usage(), "milliseconds": elapsed}, told.privacy(), refused=refused)


def _stopped(judgement: Judgement, challenge: Challenge, needs: Needs, written_in: str) -> Iterator[Event]:
    """Where help is, or what would help; after a matter for others, one question about support. No provider is called, nothing is retrieved."""
    yield opened(challenge, needs, needs.bank)
    country = challenge.country or _country(challenge.language) or needs.country
    yield Signposted(needs.safety.signpost(judgement, challenge.language or written_in, country))
    if judgement.flag is Flag.HR_LEGAL:
        question = guard.admit(needs.safety.signposts.support, "q1")
        if isinstance(question, Question):
            yield Asked(question, ())
    yield Closed((), {})


def _country(tag: str | None) -> str | None:
    """The region of a language tag: GB of en-GB."""
    regions = [part.upper() for part in (tag or "").split("-")[1:] if len(part) == len("GB") and part.isalpha()]
    return regions[0] if regions else None


def opened(challenge: Challenge, needs: Needs, answering: Answering, keeping: Keeping | None = None) -> Opened:
    """The first event of every answer: who answers, from what, and what is kept."""
    writer = answering.writer
    provenance = Provenance(writer.engine, writer.model, writer.prompt, needs.library.version, guard.VERSION)
    kept = KEPT.format(date=keeping.expires.date().isoformat()) if keeping else NOTHING_KEPT
    parts = converse.places(challenge)
    return Opened(challenge.id, ENGLISH, f"{answering.disclosure} {kept}", provenance, parts, keeping)


async def _event(draft: Written, challenge: Challenge, finding: Awaitable[Finding], told: _Told) -> Event | None:
    """What the reader learns of something that was written."""
    match draft:
        case Notice():
            return Noticed(draft)
        case Spent():
            told.spent = draft
            return None
        case Sent():
            told.sent += (draft,)
            return None
    found = await finding
    if guard.quick(draft.text):
        return _admit(draft, challenge, found, told)
    return await asyncio.to_thread(_admit, draft, challenge, found, told)


def _first_of_all(challenge: Challenge, needs: Needs, written_in: str) -> Iterator[Notice]:
    """What is said before the answer."""
    if challenge.engine is Engine.LLM and needs.model is None:
        yield Notice("no-model", NO_MODEL)
    if needs.model and challenge.engine is not Engine.BANK and not needs.within_budget():
        yield BUDGET_SPENT
    if challenge.aside:
        yield ADDRESSED
    if challenge.turn and challenge.turn.proposed:
        yield converse.PROPOSED
    if not needs.safety.reads(written_in) and words(challenge.text) >= ENOUGH_TO_TELL:
        yield UNREAD
    asked_for = challenge.language or written_in
    if asked_for.lower().split("-")[0] != ENGLISH:
        yield Notice("answered-in-english", ANSWERED_IN_ENGLISH)


def _admit(draft: AcknowledgementDraft | Draft, challenge: Challenge, finding: Finding, told: _Told) -> Event | None:
    """Turn a draft into an event, or into nothing: the guard, the quotations and the citations each have a say."""
    if (
        not grounding.plain(draft.text)
        or not grounding.verbatim(challenge.text, draft.evidence)
        or not grounding.quoted_words_are_theirs(draft.text, draft.evidence)
        or not all(converse.located(item, converse.places(challenge)) for item in draft.evidence)
    ):
        told.refused[Reason.UNGROUNDED] += 1
        return None
    if isinstance(draft, AcknowledgementDraft):
        heard = guard.acknowledge(draft)
        return None if isinstance(heard, guard.Refusal) else Acknowledged(heard)
    passages = grounding.cited(draft.guidance, finding.passages)
    asked = challenge.turn.asked if challenge.turn else ()
    around = guard.Context(challenge.text, tuple(found.passage.text for found in passages or ()), asked)
    question = guard.admit(draft, f"q{challenge.before + told.asked + 1}", around)
    if passages is None or not isinstance(question, Question) or told.asked >= challenge.count:
        told.refused[
            str(question.verdict.reason) if isinstance(question, guard.Refusal) else "foreign-guidance" if passages is None else "too-many"
        ] += 1
        return None
    told.asked += 1
    told.guidance.update({found.passage.id: found for found in passages})
    return Asked(question, passages)
