"""The use-cases of a reflection that is kept: begin it, go on with it, tell what came of it, sum it up. Only where somebody asked for it."""

import hmac
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from coach.converse import decides, last_sentence, reported
from coach.errors import AlreadyAnswered, ConversationFull, JournalBusy, JournalConflict, JournalFault, Malformed, ModelUnavailable, NotKept
from coach.kept import Answer, Entry, Kept, Put, Reply, Report, Said, Summary, digest, new_token
from coach.keys import Key
from coach.model import (
    Acknowledged,
    AcknowledgementDraft,
    Asked,
    Challenge,
    Closed,
    Closing,
    Event,
    Exchange,
    Found,
    Keeping,
    Move,
    Notice,
    Noticed,
    Offered,
    Opened,
    Provenance,
)
from coach.ports import Journal, Sessions
from coach.reflect import Needs, reflect

MOST_EXCHANGES = 24
PENDING = timedelta(seconds=60)  # within which an answer may still be under way

NOT_KEPT = Notice("not-kept", "This could not be kept: the place for it does not answer, or is full. The answer itself stands.")
KEEPS_NOTHING = Notice("keeps-nothing", "Nothing is kept here: whoever runs this service has turned it off. The answer itself stands.")
ANSWER_NOT_KEPT = Notice("answer-not-kept", "What you wrote is kept; this answer to it could not be. Sending an empty reply asks anew.")

_SUMMED = {Closing.SEEN: "seen", Closing.TRY: "to_try", Closing.PEERS: "to_peers"}

log = logging.getLogger("coach")


@dataclass(frozen=True)
class Memory:
    """Where reflections and sessions are kept, what time it is, and how long they may be kept."""

    journal: Journal
    sessions: Sessions
    now: Callable[[], datetime]
    days: int = 30
    most_days: int = 365

    async def still_kept(self, identifier: str) -> bool:
        """Whether a reflection or a session of that id is still there. Errors: JournalFault."""
        find = self.journal.read if identifier.startswith("r_") else self.sessions.read
        return await find(identifier) is not None

    def chosen(self, days: int | None) -> int:
        """For how many days. Raises Malformed beyond what the operator allows."""
        if days is not None and days > self.most_days:
            raise Malformed(f"Reflections are kept here for at most {self.most_days} days.", "/retention_days")
        return min(self.days, self.most_days) if days is None else days


@dataclass(frozen=True)
class Caller:
    """Who asks: the holder of a key, or of the token of one reflection, or nobody in particular. Who comes with a publishable key owns nothing."""

    owner: str | None = None
    token: str = field(default="", repr=False)
    key: Key | None = None

    def opens(self, kept: Kept) -> bool:
        """Whether a reflection is theirs."""
        owns = kept.owner is not None and kept.owner == self.owner
        return owns or hmac.compare_digest(digest(self.token), kept.token)


async def find(identifier: str, caller: Caller, memory: Memory) -> Kept:
    """A kept reflection of the caller's. Raises NotKept."""
    kept = await memory.journal.read(identifier)
    if kept is None or not caller.opens(kept):
        raise NotKept
    return kept


async def kept_nowhere(_identifier: str) -> Notice:
    """What is said where somebody asks to keep what is not kept here."""
    return KEEPS_NOTHING


async def begin(challenge: Challenge, needs: Needs, memory: Memory, caller: Caller, days: int) -> AsyncGenerator[Event, None]:
    """Reflect, and keep it. Where it cannot be kept, the answer comes all the same and says so; where coaching stops, nothing is kept.

    Errors: those of `reflect`; JournalBusy.
    """
    token = new_token()

    async def keep(identifier: str) -> Keeping | Notice:
        created = memory.now()
        kept = Kept(identifier, caller.owner, digest(token), created, created + timedelta(days=days), challenge)
        try:
            await memory.journal.begin(kept)
        except JournalBusy:
            raise
        except JournalFault as error:
            log.warning("not kept: %s", error)
            return NOT_KEPT
        return Keeping(kept.expires, token)

    identifier = ""
    try:
        async with aclosing(_recorded(reflect(challenge, needs, keep), 0, memory, days)) as events:
            async for event in events:
                identifier = event.id if isinstance(event, Opened) and event.keeping else identifier
                yield event
    except ModelUnavailable:
        if identifier:
            await memory.journal.erase([identifier])  # nobody was told its name
        raise


async def go_on(kept: Kept, reply: Reply | None, needs: Needs, memory: Memory) -> AsyncGenerator[Event, None]:
    """The next question, after a reply; without one, after what was said last and got no answer.

    Errors: those of `reflect`; AlreadyAnswered, ConversationFull, JournalFault.
    """
    spoken = [entry for entry in kept.entries if not isinstance(entry.said, Summary)]
    last = spoken[-1] if spoken else None
    if last and isinstance(last.said, Answer):
        if reply is None:
            raise Malformed("There is no reply in it, and nothing that waits for an answer.", "/text")
        _refuse_again(kept, reply)
    elif reply == (last.said if last else None):
        reply = None
    elif reply and last and memory.now() - last.at < PENDING:
        raise JournalConflict
    if len(kept.of(Reply)) >= MOST_EXCHANGES:
        raise ConversationFull(MOST_EXCHANGES)
    async with aclosing(_said(kept, reply, needs, memory)) as events:
        async for event in events:
            yield event


def _refuse_again(kept: Kept, reply: Reply) -> None:
    if any(entry.said == reply for entry in kept.of(Reply)):
        raise AlreadyAnswered(reply.to)


async def report_back(kept: Kept, report: Report, needs: Needs, memory: Memory) -> AsyncGenerator[Event, None]:
    """One question about what was learned. Errors: those of `reflect`; JournalFault."""
    async with aclosing(_said(kept, report, needs, memory)) as events:
        async for event in events:
            yield event


async def _said(kept: Kept, said: Said | None, needs: Needs, memory: Memory) -> AsyncGenerator[Event, None]:
    """Keep what the manager said, then answer it and keep that."""
    seq = len(kept.entries)
    entry = Entry(memory.now(), said) if said else None
    challenge = told(replace(kept, entries=(*kept.entries, entry)) if entry else kept)

    async def keep(identifier: str) -> Keeping | Notice:
        if entry:
            await memory.journal.add(identifier, seq, entry)
        return Keeping(kept.expires)

    days = (kept.expires - kept.created).days
    async with aclosing(_recorded(reflect(challenge, needs, keep), seq + (entry is not None), memory, days)) as events:
        async for event in events:
            yield event


async def _recorded(events: AsyncGenerator[Event, None], seq: int, memory: Memory, days: int) -> AsyncGenerator[Event, None]:
    """The same events; what they say is kept as one entry before the last of them is told, whole or not at all."""
    heard = _Heard()
    async with aclosing(events):
        async for event in events:
            heard.add(event)
            if not isinstance(event, Closed) or heard.opened is None or heard.opened.keeping is None:
                yield event
                continue
            try:
                await memory.journal.add(heard.opened.id, seq, Entry(memory.now(), heard.answer(heard.opened.provenance)))
            except JournalFault as error:
                log.warning("an answer was not kept: %s", error)
                yield Noticed(ANSWER_NOT_KEPT)
            yield replace(event, privacy=replace(event.privacy, stored=True, retention=f"P{days}D"))


@dataclass
class _Heard:
    """What an answer said, event by event."""

    opened: Opened | None = None
    acknowledgement: AcknowledgementDraft | None = None
    questions: list[Put] = field(default_factory=list)
    offered: tuple[tuple[str, str], ...] = ()
    notices: list[Notice] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """One more."""
        match event:
            case Opened():
                self.opened = event
            case Acknowledged(heard):
                self.acknowledgement = AcknowledgementDraft(heard.text, heard.evidence)
            case Asked(question, guidance):
                self.questions.append(Put(question.id, question.draft, _titles(guidance)))
            case Offered(_, passages):
                self.offered = _titles(passages)
            case Noticed(notice):
                self.notices.append(notice)

    def answer(self, provenance: Provenance) -> Answer:
        """All of it."""
        return Answer(provenance, self.acknowledgement, tuple(self.questions), self.offered, tuple(self.notices))


def _titles(guidance: tuple[Found, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((found.passage.id, found.passage.title) for found in guidance)


def told(kept: Kept) -> Challenge:
    """A kept reflection as the next question is asked from it."""
    exchanges: list[Exchange] = []
    replies = reports = trailing = 0
    move = Move.REPLY
    for entry in kept.entries:
        match entry.said:
            case Reply(_, question, text, move):
                exchanges.append(Exchange(question, text, f"/exchanges/{replies}/reply"))
                replies, trailing = replies + 1, 0
            case Report() as report:
                parts = reported(report.tried, report.happened, report.learned, f"/report_backs/{reports}")
                exchanges += parts
                reports, trailing, move = reports + 1, len(parts), Move.REPLY
    asked = [put.draft.text for put in questions(kept)]
    besides = tuple(text for text in asked if text not in {exchange.question for exchange in exchanges})
    return replace(kept.challenge, id=kept.id, exchanges=tuple(exchanges), move=move, besides=besides, before=len(asked), reports=trailing)


def questions(kept: Kept) -> list[Put]:
    """All that were asked, oldest first."""
    return [put for entry in kept.entries if isinstance(entry.said, Answer) for put in entry.said.questions]


def reply_to(kept: Kept, to: str | None, text: str, move: Move) -> Reply | None:
    """A reply to one of the questions asked, the last one where none is named; None where there is nothing in it.

    Raises Malformed where there is no such question, or `move` is to reply and there is no text.
    """
    asked = {put.id: put.draft.text for put in questions(kept)}
    text = text if text.strip() else ""
    if move is Move.REPLY and not text:
        return None
    if to is not None and to not in asked:
        raise Malformed(f"There is no question of that id in this reflection; those asked are {', '.join(asked) or 'none'}.", "/to")
    if not asked:
        raise Malformed("No question was asked in this reflection yet. An empty reply asks some.", "/to")
    chosen = to or next(reversed(asked))
    return Reply(chosen, asked[chosen], text, move)


def summary(kept: Kept, closings: Mapping[str, Closing]) -> Summary:
    """What a manager takes away: as edited, else as answered to the last questions, with nothing added.

    Who never came to the last questions but said what he or she would do has that as what is to be tried.
    """
    if edited := kept.of(Summary):
        last = edited[-1].said
        return last if isinstance(last, Summary) else Summary()
    found: dict[str, str] = {}
    decided = ""
    for entry in kept.of(Reply):
        reply = entry.said
        if isinstance(reply, Reply) and reply.text:
            kind = closings.get(reply.question)
            if kind in _SUMMED:
                found.setdefault(_SUMMED[kind], reply.text)  # what is said after the last answer is no answer any more
            if kind is not Closing.PEERS and decides(reply.text):  # what the peers will hear is no answer to what is to be tried
                decided = decided or (reply.text[last_sentence(reply.text) :].strip() if kind in _SUMMED else reply.text)
    if decided:
        found.setdefault("to_try", decided)
    return Summary(**found)


async def edit(kept: Kept, edited: Summary, memory: Memory) -> Kept:
    """Keep a summary as its writer wants it. Errors: JournalFault."""
    entry = Entry(memory.now(), edited)
    await memory.journal.add(kept.id, len(kept.entries), entry)
    return replace(kept, entries=(*kept.entries, entry))


async def erase(kept: Kept, memory: Memory) -> bool:
    """Erase one reflection. Whether its traces are gone from the files too; else they are soon."""
    await memory.journal.erase([kept.id])
    return await memory.journal.sweep()


async def erase_all(owner: str | None, memory: Memory) -> tuple[int, bool]:
    """Erase all that an owner keeps, or that anybody does where none is named: how many, and whether the traces are gone too."""
    count = await memory.journal.erase_owner(owner)
    return count, await memory.journal.sweep()


async def purge(memory: Memory) -> tuple[int, bool]:
    """Erase what has expired, and what earlier erasures left: how many, and whether the traces are gone."""
    count = await memory.journal.purge()
    return count, not await memory.journal.unswept() or await memory.journal.sweep()
