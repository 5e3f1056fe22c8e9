"""The main use-case: a challenge in; an acknowledgement and a few admitted questions out, as typed events."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from coach import grounding, guard
from coach.errors import ChallengeTooLong, ChallengeTooThin
from coach.model import (
    Acknowledged,
    AcknowledgementDraft,
    Asked,
    Challenge,
    Closed,
    Draft,
    Event,
    Finding,
    Found,
    Notice,
    Noticed,
    Opened,
    Provenance,
    Question,
)
from coach.ports import LanguageDetector, Library, Writer
from coach.quoting import words

FEWEST_WORDS = 5
MOST_CHARACTERS = 12_000
PASSAGES = 6
ENGLISH = "en"

ANSWERED_IN_ENGLISH = "The questions are in English, for now. Your own words are quoted as you wrote them."
FEWER = "Fewer questions than asked for passed the checks."


@dataclass(frozen=True)
class Needs:
    """What a reflection needs from outside."""

    library: Library
    writer: Writer
    languages: LanguageDetector
    disclosure: str


def accept(challenge: Challenge) -> None:
    """Refuse what cannot be reflected on. Raises ChallengeTooThin or ChallengeTooLong."""
    if len(challenge.text) > MOST_CHARACTERS:
        raise ChallengeTooLong(MOST_CHARACTERS, len(challenge.text))
    if (count := words(challenge.text, FEWEST_WORDS)) < FEWEST_WORDS:
        raise ChallengeTooThin(count, FEWEST_WORDS)


@dataclass
class _Told:
    """What was said so far, so that nothing is said twice."""

    guidance: dict[str, Found] = field(default_factory=dict)
    asked: int = 0
    refused: int = 0


async def reflect(challenge: Challenge, needs: Needs) -> AsyncIterator[Event]:
    """Answer one challenge: opened, notices, acknowledged, asked ..., closed.

    Errors: those of `accept`, before the first event. After it, library and writer keep to their own promise not to raise.
    """
    accept(challenge)
    started = time.perf_counter()
    told = _Told()
    yield _opened(needs)
    finding = asyncio.ensure_future(needs.library.find(challenge.text, PASSAGES))
    await asyncio.sleep(0)  # the library reads the write-up while its language is made out
    try:
        written_in = needs.languages.detect(challenge.text) or ENGLISH
        for notice in _language_notices(challenge, written_in):
            yield Noticed(notice)
        async for draft in needs.writer.draft(challenge, finding, written_in):
            if event := await asyncio.to_thread(_admit, draft, challenge, await finding, told):  # the guard may have to read it first
                yield event
        for notice in (await finding).notices:
            yield Noticed(notice)
    finally:
        finding.cancel()
    if told.asked < challenge.count:
        yield Noticed(Notice("fewer-questions", FEWER))
    elapsed = round((time.perf_counter() - started) * 1000)
    usage = {"drafts_refused": told.refused, "milliseconds": elapsed}
    yield Closed(tuple(told.guidance.values()), usage)


def _opened(needs: Needs) -> Opened:
    writer = needs.writer
    provenance = Provenance(writer.engine, writer.model, None, needs.library.version, guard.VERSION)
    return Opened(f"r_{secrets.token_urlsafe(12)}", ENGLISH, needs.disclosure, provenance)


def _language_notices(challenge: Challenge, written_in: str) -> list[Notice]:
    asked_for = challenge.language or written_in
    return [] if asked_for.lower().split("-")[0] == ENGLISH else [Notice("answered-in-english", ANSWERED_IN_ENGLISH)]


def _admit(draft: AcknowledgementDraft | Draft | Notice, challenge: Challenge, finding: Finding, told: _Told) -> Event | None:
    """Turn a draft into an event, or into nothing: the guard, the quotations and the citations each have a say."""
    if isinstance(draft, Notice):
        return Noticed(draft)
    if not grounding.verbatim(challenge.text, draft.evidence) or not grounding.quoted_words_are_theirs(draft.text, draft.evidence):
        told.refused += 1
        return None
    if isinstance(draft, AcknowledgementDraft):
        heard = guard.acknowledge(draft)
        return None if isinstance(heard, guard.Refusal) else Acknowledged(heard)
    passages = grounding.cited(draft.guidance, finding.passages)
    around = guard.Context(challenge.text, tuple(found.passage.text for found in passages or ()))
    question = guard.admit(draft, f"q{told.asked + 1}", around)
    if passages is None or not isinstance(question, Question) or told.asked >= challenge.count:
        told.refused += 1
        return None
    told.asked += 1
    told.guidance.update({found.passage.id: found for found in passages})
    return Asked(question, passages)
