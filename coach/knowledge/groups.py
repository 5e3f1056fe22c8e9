"""Reads knowledge/protocols and knowledge/groups, and proves of every protocol what any sheet made from it promises."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from coach import guard
from coach.errors import Fault, KnowledgeError
from coach.model import About, Draft, Form, Perspective, Skill, Source
from coach.schedule import total
from coach.sheets import EVERYBODY, TIMEKEEPER, Act, GroupQuestion, GroupWords, Ideas, Limits, Matter, Phase, Protocol, Role, Trust, Use

FUNCTION = "{function}"
A_FUNCTION = "customer service"
LONGEST_READ = 90  # words that are read aloud in one go
_SLOTS = {"giver", "timekeeper"}


@dataclass(frozen=True)
class Groups:
    """What group sessions are made of."""

    protocols: Mapping[str, Protocol]
    questions: tuple[GroupQuestion, ...]
    words: GroupWords


def load(folder: Path) -> Groups:
    """Read it all. Raises KnowledgeError with every fault that was found."""
    groups, faults = read(folder)
    if faults or groups is None:
        raise KnowledgeError(tuple(faults))
    return groups


def read(folder: Path) -> tuple[Groups | None, list[Fault]]:
    """Read what can be read, and list what is wrong."""
    reader = _Reader(folder)
    protocols = [protocol for path in sorted((folder / "protocols").glob("*.yaml")) if (protocol := reader.protocol(path))]
    questions, words = tuple(reader.questions()), reader.words()
    for protocol in protocols:
        reader.faults += broken(protocol)
    if words is None or reader.faults:
        return None, reader.faults
    return Groups({protocol.id: protocol for protocol in protocols}, questions, words), []


def broken(protocol: Protocol) -> Iterator[Fault]:
    """What of the invariants of ../shared/COACHING.md (and of arithmetic) a protocol does not keep."""
    for where, reason in (*_roles(protocol), *_phases(protocol), *_course(protocol), *_stretch(protocol)):
        yield Fault(f"protocols/{protocol.id}.yaml", where, reason)


def _roles(protocol: Protocol) -> Iterator[tuple[str, str]]:
    if sum(role.gives for role in protocol.roles) != 1:
        yield "roles", "wants exactly one that gives the case"
    if sum(role.rest for role in protocol.roles) != 1:
        yield "roles", "wants exactly one for all the rest"
    if not any(role.id == TIMEKEEPER and not role.apart for role in protocol.roles):
        yield "roles", "wants a timekeeper, who takes part"
    if not 1 <= protocol.fewest <= protocol.best <= protocol.largest:
        yield "people", "wants least, best and most in that order"
    if not 1 <= protocol.most_rounds <= protocol.largest:
        yield "rounds", "cannot be more than there are people"
    if len(protocol.held) >= protocol.fewest:
        yield "roles", f"are more than {protocol.fewest} people can hold, one being the giver"


def _phases(protocol: Protocol) -> Iterator[tuple[str, str]]:
    names = {role.id for role in protocol.roles} | {EVERYBODY}
    for part in ("opening", "round", "closing"):
        for phase in getattr(protocol, part):
            where = f"{part}.{phase.id}"
            if not 1 <= phase.minutes.least <= phase.minutes.ideal <= phase.minutes.most:
                yield f"{where}.minutes", "wants least, ideal and most in that order, each at least 1"
            if unknown := {*phase.speaks, *phase.silent} - names:
                yield where, f"names a role that there is not: {', '.join(sorted(unknown))}"
            if {*phase.speaks} & {*phase.silent} or (EVERYBODY in phase.speaks and phase.silent):
                yield where, "has somebody both speak and be silent"
            if bool(phase.asks) != bool(phase.questions):
                yield where, "wants asks and questions together"
            if set(re.findall(r"\{(\w*)\}", phase.aloud)) - (_SLOTS if part == "round" else set()):
                yield f"{where}.aloud", "has a slot that nothing fills"
            if not 1 <= len(phase.aloud.split()) <= LONGEST_READ:
                yield f"{where}.aloud", f"has {len(phase.aloud.split())} words; at most {LONGEST_READ} are read in one go"


def _course(protocol: Protocol) -> Iterator[tuple[str, str]]:
    acts, giver = [phase.act for phase in protocol.round], protocol.giver.id
    order = [acts.index(act) for act in (Act.TELL, Act.FACTS, Act.PROBING, Act.IDEAS) if act in acts]
    if Act.TELL not in acts or Act.FACTS not in acts:
        yield "round", "wants a case and then questions of fact"
    if any(one > other for one, other in pairwise(order)):
        yield "round", "wants the case, then facts, then what probes, then ideas"
    if not any(giver in phase.silent for phase in protocol.round):
        yield "round", "wants a phase in which the giver is silent"
    if not protocol.round or protocol.round[-1].speaks != (giver,):
        yield "round", "wants the giver to speak last, and nobody else"
    if (Act.IDEAS in acts) == (protocol.ideas is Ideas.NEVER):
        yield "ideas", "does not say what the round does"
    if protocol.ideas is Ideas.UNHEARD and not all(giver in phase.silent for phase in protocol.round if phase.act is Act.IDEAS):
        yield "ideas", "is unheard, and the giver is not silent"
    if sum(phase.confidential for phase in protocol.opening) != 1:
        yield "opening", "wants one phase in which confidentiality is said aloud"
    if any("confiden" not in phase.aloud.lower() and "stays" not in phase.aloud.lower() for phase in protocol.opening if phase.confidential):
        yield "opening", "says nothing of confidentiality where it should"


def _stretch(protocol: Protocol) -> Iterator[tuple[str, str]]:
    around, one = total(protocol.opening) + total(protocol.closing), total(protocol.round)
    if around.most - around.least < protocol.most_rounds - 1 and one.most > one.least:
        yield "opening, closing", "cannot stretch by as many minutes as there are rounds, so some slots could not be filled with equal rounds"


class _Reader:
    """Reads file by file and keeps the faults."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[Fault] = []
        self.sources = {key: Source(**{name: str(value) for name, value in entry.items()}) for key, entry in self.yaml("sources.yaml", dict).items()}

    def fault(self, path: str, where: str, reason: str) -> None:
        """One thing that is wrong."""
        self.faults.append(Fault(path, where, reason))

    def yaml(self, name: str, kind: type) -> Any:
        """What a file holds; an empty one where it cannot be read."""
        try:
            data = yaml.safe_load((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            self.fault(name, "file", f"cannot be read ({type(error).__name__})")
            return kind()
        if not isinstance(data, kind):
            self.fault(name, "file", f"wants a {kind.__name__}")
            return kind()
        return data

    def protocol(self, path: Path) -> Protocol | None:
        """One file of protocols/."""
        name = f"protocols/{path.name}"
        data = self.yaml(name, dict)
        try:
            return Protocol(
                id=self._same(name, data["id"], path.stem),
                title=data["title"],
                when=data["when"],
                sources=tuple(self.sources[key] for key in data["sources"]),
                trust=tuple(Trust(value) for value in data["trust"]),
                matter=tuple(Matter(value) for value in data["matter"]),
                fewest=int(data["people"]["least"]),
                best=int(data["people"]["best"]),
                largest=int(data["people"]["most"]),
                most_rounds=int(data["rounds"]["most"]),
                ideas=Ideas(data["ideas"]),
                roles=tuple(Role(**entry) for entry in data["roles"]),
                opening=tuple(_phase(entry) for entry in data["opening"]),
                round=tuple(_phase(entry) for entry in data["round"]),
                closing=tuple(_phase(entry) for entry in data["closing"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            self.fault(name, "protocol", f"{type(error).__name__}: {error}")
            return None

    def _same(self, name: str, found: str, stem: str) -> str:
        if found != stem:
            self.fault(name, "id", f"is {found}, and the file is {stem}")
        return found

    def questions(self) -> Iterator[GroupQuestion]:
        """groups/questions.yaml: each a question that the guard admits, a function in its slot if it has one."""
        name, seen = "groups/questions.yaml", set[str]()
        for entry in self.yaml(name, list):
            try:
                use, text = Use(entry["use"]), str(entry["text"])
                draft = Draft(
                    text,
                    Skill(entry["skill"]),
                    About(entry["about"]),
                    Perspective(entry["perspective"]),
                    Form(entry["form"]),
                    source="bank",
                    origin=entry["id"],
                )
                if not all(key in self.sources for key in entry["sources"]):
                    self.fault(name, f"{entry['id']}.sources", "names a source that there is not")
            except (KeyError, TypeError, ValueError) as error:
                self.fault(name, str(entry.get("id", "?")), f"{type(error).__name__}: {error}")
                continue
            if (text.count(FUNCTION) == 1) != (use is Use.SEAM) or text.count("{") != text.count(FUNCTION):
                self.fault(name, f"{entry['id']}.text", "wants {function} once in a seam question, and nowhere else")
            verdict = guard.check(text.replace(FUNCTION, A_FUNCTION), language="en", scope="phrases")
            if not verdict.accept:
                self.fault(name, f"{entry['id']}.text", f"the guard refuses it as {verdict.reason}: {verdict.message}")
            if text in seen:
                self.fault(name, f"{entry['id']}.text", "stands twice")
            seen.add(text)
            yield GroupQuestion(use, draft)

    def words(self) -> GroupWords | None:
        """groups/words.yaml."""
        data = self.yaml("groups/words.yaml", dict)
        try:
            return GroupWords(tuple(data["ground_rules"]), data["slip"], data["report"])
        except (KeyError, TypeError) as error:
            self.fault("groups/words.yaml", "words", f"{type(error).__name__}: {error}")
            return None


def _names(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _phase(entry: dict[str, Any]) -> Phase:
    least, ideal, most = entry["minutes"]
    return Phase(
        id=entry["id"],
        name=entry["name"],
        act=Act(entry["kind"]),
        minutes=Limits(least, ideal, most),
        speaks=_names(entry["speaks"]),
        silent=_names(entry["silent"]),
        aloud=" ".join(entry["aloud"].split()),
        asks=Use(entry["asks"]) if "asks" in entry else None,
        questions=entry.get("questions", 0),
        confidential=entry.get("confidential", False),
    )
