"""A Writer over a language model. Nothing the model says is trusted: each draft is checked here as it comes, and again where it is admitted.

What the checks leave out is asked for once more, and what is then still missing comes from the bank, as all of it does where the model fails.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from coach import grounding, guard
from coach.errors import ModelTimeout, ModelUnavailable
from coach.guard.tongue import ENGLISH, tongue
from coach.llm.failure import ModelFailed, Trouble
from coach.llm.meter import metered
from coach.llm.provider import Billed, Provider
from coach.llm.reading import Heard, Item, Reader, Spoken, Whole
from coach.llm.request import SCHEMA, Composer, Prices, Request, briefer, material
from coach.model import (
    About,
    AcknowledgementDraft,
    Challenge,
    Draft,
    Evidence,
    Fallback,
    Finding,
    Form,
    Notice,
    Perspective,
    Reason,
    Sent,
    Skill,
    Spent,
    Stage,
)
from coach.ports import Writer, Written
from coach.privacy import Masked, hider
from coach.selection import Candidate, Seating, SetRules, choose

MOST_TEXT = 400  # characters of a draft; more is not read at all
LEAKED_WORDS = 7  # in a row with the instructions: the model is telling what it was told
PATIENCE_FOR_USAGE = 1.0  # seconds that the end of an answer is waited for when all is asked
SUSPICIOUS = 0.25  # share of words in common from which two drafts are compared by meaning, which costs the encoder's time
LEAST_LEFT = 4.0  # seconds that must be left for a second call

UNREAD = Notice("guard-unread", "The guard cannot read sentences just now, so no language model was asked and the questions come from the library.")
FILLED = "Not enough of the model's drafts passed the checks, so some questions come from the library."

log = logging.getLogger("coach.llm")

_WORD = re.compile(r"[^\W_]+")


class Standby(Writer, Protocol):
    """The Writer that takes over: it also hears, and knows whether a text tells of others, without drafting."""

    def heard(self, challenge: Challenge, language: str) -> AcknowledgementDraft:
        """An acknowledgement."""

    def tells_of_others(self, challenge: Challenge, language: str) -> bool:
        """Whether somebody else is in the story."""

    def alike(self, text: str, others: Sequence[str]) -> list[bool]:
        """Of each of the others, whether it asks nearly what this question asks."""


@dataclass
class _Counts:
    """What happened to the drafts of an answer, and what they cost."""

    whole: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    counted: int = 0
    billed: list[Billed] = field(default_factory=list)
    calls: int = 0

    def spent(self, prices: Prices) -> Spent:
        """As the answer tells it."""
        usage: dict[str, float] = {"model_calls": self.calls, "tokens_counted": self.counted, "drafts": self.whole}
        usage["drafts_refused"] = self.refused.total()
        if self.billed:
            given, written, cached = (sum(values) for values in zip(*((one.input, one.output, one.cached) for one in self.billed), strict=True))
            usage |= {"tokens_input": given, "tokens_output": written, "tokens_cached": cached}
            if prices != Prices():
                usage["cost"] = prices.of(given, cached, written)
        return Spent(usage, dict(self.refused))


@dataclass
class _Answer:
    """An answer in the making."""

    challenge: Challenge
    masked: Masked
    rules: SetRules
    seating: Seating
    passages: Mapping[str, str]
    counts: _Counts = field(default_factory=_Counts)
    sent: bool = False
    heard: bool = False
    asked: list[Draft] = field(default_factory=list)
    held: list[Draft] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    read: dict[tuple[int, int], asyncio.Task[None]] = field(default_factory=dict)
    alike: dict[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether nothing more is wanted of the model."""
        return not self.seating.left

    @property
    def missing(self) -> int:
        """How many more must pass."""
        return self.seating.left - len(self.held)

    def offer(self, draft: Draft) -> Iterator[Draft]:
        """Ask it now if the set allows, and then those that were waiting; else let it wait."""
        self.held.append(draft)
        again = True
        while again:
            again = False
            for waiting in list(self.held):
                if self.seating.take(_candidate(waiting)):
                    self.held.remove(waiting)
                    self.asked.append(waiting)
                    again = True
                    yield waiting


class Llm:
    """Drafts with a model, and goes on from the bank where it does not do."""

    engine = "llm"

    def __init__(self, provider: Provider, composer: Composer, bank: Standby, deadline: float, prices: Prices) -> None:
        """`deadline` is in seconds, from the beginning of an answer to the last word of the model's."""
        self.provider = provider
        self._composer = composer
        self._bank = bank
        self._deadline = deadline
        self._prices = prices
        self._told = _shingles(composer.system)

    @property
    def model(self) -> str:
        """Which model drafts."""
        return self.provider.options.model

    @property
    def prompt(self) -> str:
        """Which prompts it is given."""
        return self._composer.version

    async def draft(
        self, challenge: Challenge, finding: Awaitable[Finding], language: str, asked: Sequence[Draft] = ()
    ) -> AsyncGenerator[Written, None]:
        """An acknowledgement, then drafts as they pass; at the end what it cost."""
        deadline = time.monotonic() + self._deadline
        if not await asyncio.to_thread(guard.ready):  # by its phrases alone the guard lets too much of a model's advice through
            if challenge.fallback is Fallback.NEVER:
                raise ModelUnavailable("guard-unread")
            yield UNREAD
            async with aclosing(self._bank.draft(challenge, finding, language, asked)) as drafts:
                async for item in drafts:
                    yield item
            return
        found = await finding
        others = bool(challenge.functions) or self._bank.tells_of_others(challenge, language)
        turn = challenge.turn
        rules = replace(SetRules.of(challenge.count, other=others, quotable=False), close=False)
        rules = replace(rules, humble=False, other=others and turn.other) if turn else rules
        masked = await asyncio.to_thread(hider(challenge, language), material(challenge))
        answer = _Answer(challenge, masked, rules, Seating(rules), {passage.passage.id: passage.passage.text for passage in found.passages})
        failure: ModelFailed | None = None
        try:
            async with aclosing(self._modelled(answer, found, language, deadline)) as items:
                async for item in items:
                    yield item
        except ModelFailed as problem:
            failure = problem
        finally:
            for task in answer.read.values():
                task.cancel()
        if not answer.enough:
            async with aclosing(self._filled(answer, finding, language, failure)) as items:
                async for item in items:
                    yield item
        log.info("drafts=%d asked=%d refused=%s", answer.counts.whole, len(answer.asked), dict(answer.counts.refused))
        if answer.sent:
            yield Sent(self.provider.host, masked.counts)
        yield answer.counts.spent(self._prices)

    async def _modelled(self, answer: _Answer, found: Finding, language: str, deadline: float) -> AsyncGenerator[Written, None]:
        """What the model drafts in one call, and in a second if the first did not bring enough."""
        request = await asyncio.to_thread(self._composer.first, answer.challenge, briefer(answer.challenge, answer.masked), found.passages)
        for notice in request.notices:
            yield notice
        async with aclosing(self._call(answer, request, language, deadline)) as items:
            async for item in items:
                yield item
        if answer.missing <= 0 or deadline - time.monotonic() < LEAST_LEFT:
            return
        try:
            request = self._composer.again(request, answer.refused, answer.missing + 1)
        except ModelFailed:
            return
        async with aclosing(self._call(answer, request, language, deadline)) as items:
            async for item in items:
                yield item

    async def _call(self, answer: _Answer, request: Request, language: str, deadline: float) -> AsyncGenerator[Written, None]:
        counts = answer.counts
        counts.calls += 1
        counts.counted += request.tokens
        reader = Reader()
        answer.sent = answer.sent or not self.provider.breaker.resting
        async with aclosing(metered(self.provider.ask(request.messages, SCHEMA, deadline), request.tokens)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Billed):
                    counts.billed.append(piece)
                    continue
                async for item in self._read(answer, request, language, reader.feed(piece)):
                    yield item
                if answer.enough:
                    await _rest(pieces, counts)
                    return
        async for item in self._read(answer, request, language, reader.end()):
            yield item
        if not reader.understood:
            raise ModelFailed(Trouble.GARBLED)

    async def _read(self, answer: _Answer, request: Request, language: str, items: Iterator[Item]) -> AsyncGenerator[Written, None]:
        """Check what has come."""
        call = answer.counts.calls
        for item in items:
            match item:
                case Heard(text) if not answer.heard:
                    answer.heard = True
                    heard = await asyncio.to_thread(self._acknowledgement, answer, request, text)
                    yield heard or self._bank.heard(answer.challenge, language)
                case Spoken(place, text) if len(text) <= MOST_TEXT and len(answer.read) < answer.missing:  # spares are read if they are needed
                    spoken = answer.masked.unmask(text)
                    if spoken is not None:
                        answer.read[call, place] = asyncio.create_task(self._foresee(answer, spoken, tuple(answer.spoken)))
                        answer.spoken.append(spoken)
                case Whole(place, fields) if not answer.enough:
                    answer.counts.whole += 1
                    if reading := answer.read.pop((call, place), None):
                        await reading
                    draft = await self._checked(answer, request, fields)
                    if draft is None:
                        continue
                    if not answer.heard:
                        answer.heard = True
                        yield self._bank.heard(answer.challenge, language)
                    for seated in answer.offer(draft):
                        yield seated
                case _:
                    continue

    async def _foresee(self, answer: _Answer, text: str, before: Sequence[str]) -> None:
        """What takes the encoder's time, done while the model still writes the other fields; it is remembered until they are there."""
        if not guard.quick(text):
            await asyncio.to_thread(guard.check, text, language=ENGLISH)
        await self._asks_the_same(answer, text, before)

    async def _asks_the_same(self, answer: _Answer, text: str, others: Sequence[str]) -> bool:
        """Whether a question asks nearly what one of the others asks. Those with few words in common are not compared."""
        near = _suspicious(text, others)
        if unknown := [other for other in near if (text, other) not in answer.alike]:
            found = await asyncio.to_thread(self._bank.alike, text, unknown)
            answer.alike |= {(text, other): same for other, same in zip(unknown, found, strict=True)}
        return any(answer.alike[text, other] for other in near)

    def _acknowledgement(self, answer: _Answer, request: Request, text: str) -> AcknowledgementDraft | None:
        """The model's acknowledgement if it can be given; None if not."""
        spoken = answer.masked.unmask(text) if len(text) <= MOST_TEXT else None
        since = answer.challenge.turn.since if answer.challenge.turn else 0
        put_right = _exactly(answer.challenge.text, spoken, since) if spoken is not None else None
        if put_right is None or not put_right[1] or self._unfit(request, put_right[0]) or any(item.start < since for item in put_right[1]):
            return None
        draft = AcknowledgementDraft(*put_right)
        return None if isinstance(guard.acknowledge(draft), guard.Refusal) else draft

    async def _checked(self, answer: _Answer, request: Request, fields: Mapping[str, str]) -> Draft | None:
        """The draft if it may be asked. What is wrong with it is counted, and told to the model in the second call."""
        text = fields.get("text", "")
        draft = "too-long" if len(text) > MOST_TEXT else self._draft(answer, request, fields)
        reason = await self._spoken_against(answer, draft) if isinstance(draft, Draft) else draft
        if isinstance(draft, Draft) and reason is None:
            return draft
        answer.counts.refused[reason or ""] += 1
        answer.refused.append((text, reason or ""))
        return None

    def _draft(self, answer: _Answer, request: Request, fields: Mapping[str, str]) -> Draft | str:
        """The draft with the names put back, or what is wrong with it."""
        back = {name: answer.masked.unmask(fields.get(name, "")) for name in ("text", "quote")}
        unmasked = {name: text for name, text in back.items() if text is not None}
        if len(unmasked) < len(back):
            return "unknown-name"
        return self._unfit(request, unmasked["text"]) or _drafted(answer.challenge, request, {**fields, **unmasked})

    async def _spoken_against(self, answer: _Answer, draft: Draft) -> str | None:
        """What the guard has against it, or that it has nearly been asked."""
        passages = tuple(answer.passages[name] for name in draft.guidance)
        before = [*(answer.challenge.turn.asked if answer.challenge.turn else ()), *(other.text for other in (*answer.asked, *answer.held))]
        around = guard.Context(answer.challenge.text, passages, tuple(before))
        if not guard.quick(draft.text):
            await asyncio.to_thread(guard.check, draft.text, language=ENGLISH)  # kept, so that the check below is quick
        verdict = guard.check(draft.text, language=ENGLISH, context=around)
        if not verdict.accept:
            return str(verdict.reason)
        return str(Reason.REPEATED) if await self._asks_the_same(answer, draft.text, before) else None

    def _unfit(self, request: Request, text: str) -> str | None:
        """What no sentence of the model's may be, whatever it says."""
        if not grounding.plain(text):
            return "markup"
        if request.boundary in text or _shingles(text) & self._told:
            return "leak"
        return None if tongue(text, None) == ENGLISH else "language"

    async def _filled(
        self, answer: _Answer, finding: Awaitable[Finding], language: str, failure: ModelFailed | None
    ) -> AsyncGenerator[Written, None]:
        """The places that are left, from drafts that were waiting and from the bank."""
        challenge = answer.challenge
        if challenge.fallback is Fallback.NEVER:
            if not answer.asked and not answer.held:
                raise _unavailable(failure or ModelFailed(Trouble.EMPTY, detail="nothing passed the checks"))
            for draft in answer.held[: answer.seating.left]:
                yield draft
            return
        if failure:
            yield Notice(
                "model-unavailable",
                f"The language model did not answer as it should ({failure.trouble}), so questions come from the library.",
                failure.trouble,
            )
        bank: list[Draft] = []
        async with aclosing(self._bank.draft(challenge, finding, language, answer.asked)) as items:
            async for item in items:
                if isinstance(item, Draft):
                    bank.append(item)
                elif isinstance(item, Notice) or not answer.heard:
                    answer.heard = answer.heard or isinstance(item, AcknowledgementDraft)
                    yield item
        pool = [*answer.held, *bank]
        candidates = await asyncio.to_thread(self._candidates, answer.held, bank)
        chosen = [pool[place] for place in choose(candidates, answer.rules, answer.seating.asked)]
        if not failure and any(draft.source != self.engine for draft in chosen):
            yield Notice("filled-from-library", FILLED)
        for draft in chosen:
            yield draft

    def _candidates(self, held: Sequence[Draft], bank: Sequence[Draft]) -> list[Candidate]:
        """The model's drafts first in rank; a question of the bank cannot stand beside one that asks the same."""
        alike = {
            (mine, theirs)
            for mine, one in enumerate(held)
            for theirs, other in enumerate(bank, len(held))
            if any(self._bank.alike(other.text, [one.text]))
        }
        bars = [sum(1 << theirs for mine, theirs in alike if mine == place) for place in range(len(held))]
        bars += [sum(1 << mine for mine, theirs in alike if theirs == place) for place in range(len(held), len(held) + len(bank))]
        scores = [2.0] * len(held) + [1.0] * len(bank)
        return [replace(_candidate(draft), score=score, conflicts=bar) for draft, score, bar in zip([*held, *bank], scores, bars, strict=True)]


def _unavailable(failure: ModelFailed) -> ModelUnavailable:
    kind = ModelTimeout if failure.trouble is Trouble.TIMEOUT else ModelUnavailable
    return kind(failure.detail if failure.trouble is Trouble.EMPTY and failure.detail else str(failure.trouble), failure.retry_after)


async def _rest(pieces: AsyncGenerator[str | Billed, None], counts: _Counts) -> None:
    """All is asked: what is left is what it cost, and that is not worth waiting for long, nor failing for."""
    with suppress(TimeoutError, ModelFailed):
        async with asyncio.timeout(PATIENCE_FOR_USAGE):
            async for piece in pieces:
                if isinstance(piece, Billed):
                    counts.billed.append(piece)


def _candidate(draft: Draft) -> Candidate:
    return Candidate(draft.about, draft.perspective, draft.form, Stage.EXPLORE, bool(draft.evidence), 1.0)


def _drafted(challenge: Challenge, request: Request, fields: Mapping[str, str]) -> Draft | str:
    """The draft that these fields make, quotations put right; or what is wrong with them."""
    named = fields.get("guidance_id", "")
    passage = request.passage(named)
    if named and passage is None:
        return "foreign-guidance"
    since = challenge.turn.since if challenge.turn else 0
    put_right = _exactly(challenge.text, fields.get("text", ""), since)
    quote = fields.get("quote", "").strip().strip('"“”')
    resting = grounding.locate(challenge.text, quote, since) if quote else None
    if put_right is None or (quote and resting is None):
        return str(Reason.UNGROUNDED)
    text, evidence = put_right
    if resting and resting not in evidence:
        evidence = (*evidence, resting)
    try:
        labels = Skill(fields["skill"]), About(fields["about"]), Perspective(fields["perspective"]), Form(fields["form"])
    except (KeyError, ValueError):
        return "wrong-schema"
    return Draft(text.strip(), *labels, "llm", evidence, (passage,) if passage else ())


def _exactly(writeup: str, sentence: str, since: int) -> tuple[str, tuple[Evidence, ...]] | None:
    """The sentence with each quotation as the write-up has it, and where, from `since` on if it is there; None if it quotes what was not written."""
    found: list[Evidence] = []
    for quoted in grounding.quotations(sentence):
        evidence = grounding.locate(writeup, quoted, since)
        if evidence is None:
            return None
        for marks in ('""', "“”"):
            sentence = sentence.replace(f"{marks[0]}{quoted}{marks[1]}", f'"{evidence.quote}"', 1)
        found.append(evidence)
    return sentence, tuple(dict.fromkeys(found))


def _suspicious(text: str, others: Sequence[str]) -> list[str]:
    """Those that have so many words in common with a text that they may ask the same."""
    mine = {match[0].lower() for match in _WORD.finditer(text)}
    theirs = [{match[0].lower() for match in _WORD.finditer(other)} for other in others]
    return [other for other, words in zip(others, theirs, strict=True) if len(mine & words) >= SUSPICIOUS * max(len(mine | words), 1)]


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Every run of seven words."""
    words = [match[0].lower() for match in _WORD.finditer(text)]
    return frozenset(tuple(words[low : low + LEAKED_WORDS]) for low in range(len(words) - LEAKED_WORDS + 1))
