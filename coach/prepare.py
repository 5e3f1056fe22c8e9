"""The use-case of a group: from its members, a protocol and a slot to a sheet that it can run by itself."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from coach import blind, guard
from coach.errors import ChallengeTooThin, GroupMisfit, Malformed, ReportingLine, SameAlias, SlotMisfit, UnknownProtocol
from coach.model import Asked, Challenge, Closed, Draft, Engine, Exchange, Noticed, Question, Signposted
from coach.ports import Themes
from coach.reflect import PASSAGES, Needs, reflect
from coach.schedule import Plan, nearest_rounds, plan, roles_of, rounds_that_fit, takes
from coach.sheets import (
    EVERYBODY,
    TIMEKEEPER,
    Case,
    Group,
    GroupQuestion,
    GroupWords,
    Ideas,
    Matter,
    Member,
    MemberPage,
    Phase,
    Protocol,
    Role,
    SharedTheme,
    Sheet,
    Step,
    Trust,
    Use,
    known_as,
)

AUTO = "auto"
MOST_MEMBERS = 9
OWN_QUESTIONS = 4
LISTENING = 4
MOST_THEMES = 3
OF_A_THEME = 3
MANY = 5  # members from which on a theme has to be of three of them: of two, each could tell the other
FUNCTION = "{function}"
LONGEST_FUNCTION = 60


@dataclass(frozen=True)
class GroupNeeds:
    """What a sheet needs from outside."""

    needs: Needs
    protocols: Mapping[str, Protocol]
    questions: Sequence[GroupQuestion]
    words: GroupWords
    themes: Themes


async def prepare(group: Group, needs: GroupNeeds) -> Sheet:
    """A sheet.

    Errors: GroupMisfit, SameAlias, ReportingLine, UnknownProtocol, SlotMisfit, Malformed, ChallengeTooLong.
    """
    protocol, reason, planned = _planned(group, needs.protocols)
    order, rounds = _order(group), planned.rounds
    pages = await _pages(group, needs)
    pool = _Pool(needs.questions, _functions(group), _seed(group), pages)
    themes = await _themes(group, pages, needs, pool)
    return Sheet(
        protocol=protocol,
        minutes=group.minutes,
        reason=reason,
        warnings=tuple(_warnings(group, order[:rounds])),
        opening=tuple(_steps(protocol, protocol.opening, planned.opening, _holding(protocol, order, 0), 0, pool, rounds)),
        cases=tuple(_cases(protocol, planned, order, pool, {member.alias: member.function for member in group.members})),
        closing=tuple(
            _steps(
                protocol,
                protocol.closing,
                planned.closing,
                _holding(protocol, order, rounds - 1),
                group.minutes - sum(planned.closing),
                pool,
                rounds,
            )
        ),
        themes=themes,
        pages=tuple(page for page, _ in pages),
        listening=tuple(pool.take(Use.LISTEN, LISTENING)),
        words=needs.words,
        carried=group.carried,
    )


def refuse(group: Group, protocols: Mapping[str, Protocol]) -> None:
    """Say at once what no sheet can be made of, whatever the members are going to write. Errors: those of `prepare`."""
    _planned(group, protocols)


def _planned(group: Group, protocols: Mapping[str, Protocol]) -> tuple[Protocol, str, Plan]:
    """Which protocol, why, and its minutes."""
    _refuse(group)
    protocol, reason = _protocol(group, protocols)
    people = len(group.members)
    bringing = sum(bool(member.challenge) for member in group.members) or people
    rounds = group.rounds or rounds_that_fit(protocol, group.minutes, bringing, people)
    if rounds > _most(protocol, people):
        raise Malformed(f"{protocol.title} has at most {_most(protocol, people)} rounds for {people} members.", "/rounds")
    return protocol, reason, plan(protocol, group.minutes, rounds)


def _refuse(group: Group) -> None:
    """Who cannot be a group."""
    count = len(group.members)
    if not 1 <= count <= MOST_MEMBERS:
        raise GroupMisfit(count, f"a group has 1 to {MOST_MEMBERS}")
    seen: set[str] = set()
    for place, member in enumerate(group.members):
        if known_as(member.alias) in seen:
            raise SameAlias(place)
        seen.add(known_as(member.alias))
    for place, member in enumerate(group.members):
        if member.reports_to and known_as(member.reports_to) in seen and not group.override:
            raise ReportingLine(place)


def _protocol(group: Group, protocols: Mapping[str, Protocol]) -> tuple[Protocol, str]:
    """The protocol that was named, or the one that fits best, and why."""
    count, minutes = len(group.members), group.minutes
    if group.protocol != AUTO:
        if group.protocol not in protocols:
            raise UnknownProtocol(tuple(protocols))
        named = protocols[group.protocol]
        if not named.fewest <= count <= named.largest:
            raise GroupMisfit(count, f"{named.title} is for {_range(named.fewest, named.largest)}")
        return named, f"{named.title} was asked for. {named.when}"
    sized = [protocol for protocol in protocols.values() if protocol.fewest <= count <= protocol.largest]
    if not sized:
        fewest, largest = min(one.fewest for one in protocols.values()), max(one.largest for one in protocols.values())
        raise GroupMisfit(count, f"the protocols here are for {_range(fewest, largest)}")
    fitting = [one for one in sized if _rounds_possible(one, group)]
    if not fitting:
        shortest, longest = min(sized, key=lambda one: takes(one, 1).least), max(sized, key=lambda one: takes(one, _most(one, count)).most)
        best = shortest if minutes < takes(shortest, 1).least else longest
        rounds = group.rounds or nearest_rounds(best, minutes, _most(best, count))
        raise SlotMisfit(best.title, minutes, rounds, takes(best, rounds).least, takes(best, rounds).most)
    matter = group.matter or _matter(group)
    best = max(fitting, key=lambda one: (_suits(one, group, matter), one.id))
    return best, _because(best, group, matter)


def _range(fewest: int, largest: int) -> str:
    return f"{fewest} people" if fewest == largest else f"{fewest} to {largest} people"


def _most(protocol: Protocol, count: int) -> int:
    return min(protocol.most_rounds, count)


def _rounds_possible(protocol: Protocol, group: Group) -> bool:
    wanted = [group.rounds] if group.rounds else range(1, _most(protocol, len(group.members)) + 1)
    return any(
        rounds <= _most(protocol, len(group.members)) and takes(protocol, rounds).least <= group.minutes <= takes(protocol, rounds).most
        for rounds in wanted
    )


def _suits(protocol: Protocol, group: Group, matter: Matter) -> float:
    """How well: trust and matter first, then whether the slot is roomy enough, then how near the group is to its best size."""
    count = len(group.members)
    at_ease = any(takes(protocol, rounds).ideal <= group.minutes <= takes(protocol, rounds).most for rounds in range(1, _most(protocol, count) + 1))
    turns = rounds_that_fit(protocol, group.minutes, count, count) / count if matter is not Matter.ONE else 0.0
    asks = protocol.ideas is Ideas.NEVER  # where there is a choice, questions
    return 2.0 * (group.trust in protocol.trust) + 2.0 * (matter in protocol.matter) + asks + at_ease + turns - 0.2 * abs(count - protocol.best)


def _because(protocol: Protocol, group: Group, matter: Matter) -> str:
    trust = {Trust.NEW: "hardly know one another yet", Trust.SOME: "know one another a little", Trust.HIGH: "trust one another"}[group.trust]
    brought = {Matter.SEVERAL: "each bring something", Matter.SHARED: "are all in the same matter", Matter.ONE: "meet for one member's case"}[matter]
    members = len(group.members)
    return f"{protocol.title} fits {members} people in {group.minutes} minutes who {trust} and {brought}. {protocol.when}"


def _matter(group: Group) -> Matter:
    return Matter.ONE if sum(bool(member.challenge) for member in group.members) == 1 else Matter.SEVERAL


def _order(group: Group) -> list[str]:
    """Turns: who brings a case first, in the order in which the members were named."""
    return [member.alias for member in sorted(group.members, key=lambda member: not member.challenge)]


def _warnings(group: Group, having: Sequence[str]) -> Iterator[str]:
    names = {known_as(member.alias): member.alias for member in group.members}
    for member in group.members:
        if member.reports_to and (lead := names.get(known_as(member.reports_to))):
            yield f"{member.alias} reports to {lead}. Before one's own boss a case is told otherwise; this group was made all the same."
    if left := [member.alias for member in group.members if member.challenge and member.alias not in having]:
        yield f"No turn this time: {', '.join(left)}."
    if not any(member.challenge for member in group.members):
        yield "Nobody has written a case down; whoever has a turn tells it in the meeting."


def _holding(protocol: Protocol, order: Sequence[str], turn: int) -> dict[str, str]:
    """Who keeps the time and reads aloud at the beginning and at the end: whoever does in the round beside it."""
    return {role.id: alias for alias, role in roles_of(protocol, order, turn).items() if role in protocol.held}


def _cases(protocol: Protocol, planned: Plan, order: Sequence[str], pool: "_Pool", functions: Mapping[str, str | None]) -> Iterator[Case]:
    start = sum(planned.opening)
    for turn in range(planned.rounds):
        roles = roles_of(protocol, order, turn)
        pool.turn_of(functions[order[turn]])
        holding = {role.id: alias for alias, role in roles.items() if not role.rest}
        steps = tuple(_steps(protocol, protocol.round, planned.round, holding, start, pool, planned.rounds))
        yield Case(order[turn], tuple((alias, role.title) for alias, role in roles.items()), steps)
        start += sum(planned.round)


def _steps(  # noqa: PLR0913, PLR0917 (what a step is made of)
    protocol: Protocol, phases: Sequence[Phase], minutes: Sequence[int], holding: Mapping[str, str], start: int, pool: "_Pool", rounds: int
) -> Iterator[Step]:
    for phase, length in zip(phases, minutes, strict=True):
        in_round = phase in protocol.round
        count = pool.share(phase.asks, phase.questions, rounds if in_round else 1) if phase.asks else 0
        asked = tuple(pool.take(phase.asks, count)) if phase.asks else ()
        aloud = phase.aloud.replace("{giver}", holding.get(protocol.giver.id, "")).replace("{timekeeper}", holding[TIMEKEEPER])
        speaks, silent = (_named(protocol, names, holding) for names in (phase.speaks, phase.silent))
        yield Step(phase.name, phase.act, length, start, speaks, silent, aloud, asked)
        start += length


def _named(protocol: Protocol, roles: Sequence[str], holding: Mapping[str, str]) -> tuple[str, ...]:
    titles: dict[str, Role] = {role.id: role for role in protocol.roles}
    return tuple(EVERYBODY if name == EVERYBODY else holding.get(name, titles[name].title) for name in roles)


def _functions(group: Group) -> list[str]:
    return list(dict.fromkeys(member.function.strip() for member in group.members if member.function and len(member.function) <= LONGEST_FUNCTION))


def _seed(group: Group) -> bytes:
    """From what the group knows of itself, and from nothing that anybody wrote in confidence."""
    known = "\n".join([group.protocol, str(group.minutes), *(f"{member.alias} {member.function}" for member in group.members)])
    return hashlib.sha256(known.encode("utf-8", "surrogatepass")).digest()


class _Pool:
    """The questions that are still to be had; each is given out once."""

    def __init__(self, questions: Sequence[GroupQuestion], functions: Sequence[str], seed: bytes, pages: Sequence[tuple[MemberPage, str]]) -> None:
        """`seed` decides the order in which they come, so that not every group gets the same."""
        self._left = {use: sorted((one for one in questions if one.use is use), key=lambda one: _lot(seed, one.draft.origin)) for use in Use}
        self._sizes = {use: len(left) for use, left in self._left.items()}
        self._functions = list(functions)
        self._others = list(functions)
        self._asked = {question.draft.text for page, _ in pages for question in page.questions}
        self._count = sum(len(page.questions) for page, _ in pages)

    def turn_of(self, function: str | None) -> None:
        """The round of somebody from this function begins: the others' views are asked for, in turn."""
        self._functions = [*self._functions[1:], *self._functions[:1]]
        self._others = [each for each in self._functions if each != (function or "").strip()]

    def share(self, use: Use, wanted: int, rounds: int) -> int:
        """How many each round may have, so that the last has as many as the first."""
        return min(wanted, max(self._sizes[use] // rounds, 1))

    def take(self, use: Use, count: int) -> Iterator[Question]:
        """As many as there are, at most `count`, each admitted by the guard."""
        if use is Use.SEAM and not self._others:
            use = Use.PROBING
        taken = 0
        while taken < count and self._left[use]:
            draft = self._left[use].pop(0).draft
            if use is Use.SEAM:
                draft = replace(draft, text=draft.text.replace(FUNCTION, self._others[taken % len(self._others)]))
            if question := self.admit(draft):
                taken += 1
                yield question

    def left(self, use: Use) -> list[Draft]:
        """What is still to be had of one kind."""
        return [one.draft for one in self._left[use]]

    def drop(self, use: Use, draft: Draft) -> None:
        """Take one out by itself."""
        self._left[use] = [one for one in self._left[use] if one.draft is not draft]

    def admit(self, draft: Draft) -> Question | None:
        """A question of this sheet, if the guard admits it and it is not on it yet."""
        if draft.text in self._asked:
            return None
        question = guard.admit(draft, f"q{self._count + 1}")
        if not isinstance(question, Question):
            return None
        self._asked.add(draft.text)
        self._count += 1
        return question


def _lot(seed: bytes, name: str) -> bytes:
    return hashlib.blake2b(name.encode(), key=seed, digest_size=8).digest()


@dataclass
class _Page:
    """What came of one member's write-up."""

    questions: list[Question] = field(default_factory=list)
    stopped: Signposted | None = None
    notices: list[str] = field(default_factory=list)
    sent_to: str | None = None


async def _pages(group: Group, needs: GroupNeeds) -> list[tuple[MemberPage, str]]:
    """A page for each member from that member's words alone, and the words that the group may be told about blindly: none where coaching stops."""
    found: list[tuple[MemberPage, str]] = []
    asked: list[str] = []
    for place, member in enumerate(group.members):
        page = await _page(group, member, place, needs, asked)
        asked += [question.draft.text for question in page.questions]
        stopped = page.stopped.signpost if page.stopped else None
        heard = "" if stopped else member.challenge or ""
        found.append((MemberPage(member.alias, tuple(page.questions), stopped, tuple(page.notices), page.sent_to), heard))
    return found


async def _page(group: Group, member: Member, place: int, needs: GroupNeeds, asked: Sequence[str]) -> _Page:
    page = _Page()
    if member.challenge and member.challenge.strip():
        told = member.report_back or ""
        challenge = Challenge(
            member.challenge,
            count=OWN_QUESTIONS,
            functions=(member.function,) if member.function else (),
            language=group.language,
            engine=group.engine,
            country=group.country,
            also=(Exchange("What came of last time?", told, "/report_back"),) if told.strip() else (),
            besides=tuple(asked),
            before=len(asked),
        )
        try:
            async with aclosing(reflect(challenge, needs.needs)) as events:
                async for event in events:
                    match event:
                        case Asked(question, _):
                            page.questions.append(question)
                        case Signposted():
                            page.stopped = event
                        case Noticed(notice):
                            page.notices.append(notice.message)
                        case Closed(_, _, privacy):
                            page.sent_to = privacy.to
        except ChallengeTooThin as thin:
            page.notices.append(str(thin))
    if not page.questions and page.stopped is None:
        page.questions = list(_prepared(group, place, needs, len(asked)))
    return page


def _prepared(group: Group, place: int, needs: GroupNeeds, before: int) -> Iterator[Question]:
    """What somebody who wrote nothing can think about: others than those who sit beside."""
    ordered = sorted((one for one in needs.questions if one.use is Use.PREPARE), key=lambda one: _lot(_seed(group), one.draft.origin))
    nothing = [at for at, member in enumerate(group.members) if not (member.challenge or "").strip()]
    turn = nothing.index(place) if place in nothing else len(nothing)
    each = max(len(ordered) // (len(nothing) + 1), 1)
    for number, one in enumerate(ordered[turn * each : turn * each + min(each, OWN_QUESTIONS)]):
        question = guard.admit(one.draft, f"q{before + number + 1}")
        if isinstance(question, Question):
            yield question


async def _themes(group: Group, pages: Sequence[tuple[MemberPage, str]], needs: GroupNeeds, pool: _Pool) -> tuple[SharedTheme, ...]:
    """What several brought, in words of the library. Nobody's own words come near it: the write-ups are only compared with the library's themes.

    A model, if there is one, is given the themes alone; what it drafts is held against every write-up all the same.
    """
    told = [words for _, words in pages if words]
    fewest = 3 if len(group.members) >= MANY else 2
    titles = await needs.themes.shared(told, fewest, MOST_THEMES)
    languages = [needs.needs.languages.detect(words) or "en" for words in told]
    veil = blind.veil(told, [*needs.themes.common, *_functions(group)], languages)
    found: list[SharedTheme] = []
    for title in titles:
        drafts = [draft async for draft in _drafted(title, group, needs)]
        asked = [question for draft in drafts if veil.gives_away(draft.text) is None and (question := pool.admit(draft))][:OF_A_THEME]
        for draft in needs.themes.nearest(title, pool.left(Use.SHARED)):
            if len(asked) >= OF_A_THEME:
                break
            pool.drop(Use.SHARED, draft)
            if question := pool.admit(draft):
                asked.append(question)
        found.append(SharedTheme(title, tuple(asked)))
    return tuple(found)


async def _drafted(title: str, group: Group, needs: GroupNeeds) -> AsyncGenerator[Draft, None]:
    """What a model drafts about a theme, from the theme alone; nothing where none is configured or wanted."""
    if needs.needs.model is None or group.engine is Engine.BANK:
        return
    challenge = Challenge(needs.themes.says(title), count=OF_A_THEME, functions=tuple(_functions(group)), engine=group.engine)
    finding = asyncio.ensure_future(needs.needs.library.find(challenge.text, PASSAGES))  # the library's own text: nothing to weigh, nothing to mask
    try:
        async with aclosing(needs.needs.model.writer.draft(challenge, finding, "en")) as drafts:
            async for item in drafts:
                if isinstance(item, Draft) and item.source == Engine.LLM and not item.evidence:
                    yield item
    finally:
        finding.cancel()
