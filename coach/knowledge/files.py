"""Reads knowledge/, all of it, and names every fault: file, field and reason. The only place that knows its formats."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import yaml

from coach import guard, shapes
from coach.errors import Fault, KnowledgeError
from coach.knowledge import vocabulary
from coach.model import About, AcknowledgementTemplate, BankQuestion, Closing, Form, Hearing, Passage, Perspective, Skill, Source, Stage, Voice
from coach.quoting import Lexicon

FEWEST_DOCUMENT_WORDS, MOST_DOCUMENT_WORDS = 250, 600
MOST_SECTION_WORDS = 180
MOST_SAME_OPENING = 6
WHEN_SENTENCES = 4
OPENERS = "opening"  # the file of questions for a text of which nothing can be made out
FOLLOWING = "following"  # the file of questions for the middle of a conversation

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^## +(.+)$", re.MULTILINE)
_Choice = TypeVar("_Choice", bound=StrEnum)
_Line = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=400, pattern=r"\A[^\x00-\x1f\x7f]+\Z", extra=shapes.words("one line of 1 to 400 characters")),
]
ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")  # how a document is called
_Names = Annotated[list[_Line], msgspec.Meta(min_length=1, max_length=20)]
_FRONT: Mapping[str, Any] = {
    "id": Annotated[
        str, msgspec.Meta(pattern=rf"\A{ID.pattern}\Z", extra=shapes.words("1 to 100 small letters, digits and dashes, no dash first or last"))
    ],
    "title": _Line,
    "skills": _Names,
    "themes": _Names,
    "method": _Line,
    "sources": list[_Line],
    "when": list[_Line],
}


@dataclass(frozen=True, slots=True)
class Document:
    """One guidance document; its sections are its passages. `when` says, in four sentences, what kind of write-up it serves."""

    id: str
    title: str
    skills: tuple[Skill, ...]
    themes: tuple[str, ...]
    method: str
    sources: tuple[Source, ...]
    when: tuple[str, ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """A kind of trouble; `says` is how a write-up about it sounds."""

    id: str
    title: str
    says: str


@dataclass(frozen=True)
class Knowledge:
    """Everything in knowledge/. `version` is a hash of every byte of it."""

    documents: tuple[Document, ...]
    questions: tuple[BankQuestion, ...]
    themes: tuple[Theme, ...]
    acknowledgements: tuple[AcknowledgementTemplate, ...]
    lexicons: Mapping[str, Lexicon]
    version: str

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages of all documents, in order of id."""
        return tuple(passage for document in self.documents for passage in document.passages)


def load(folder: Path) -> Knowledge:
    """Read the folder.

    Errors: KnowledgeError with every fault that was found.
    """
    knowledge, faults = read(folder)
    if faults:
        raise KnowledgeError(tuple(faults))
    return knowledge


def read(folder: Path) -> tuple[Knowledge, list[Fault]]:
    """Read what can be read, and list what is wrong with the rest."""
    reader = Reader(folder)
    sources = reader.sources()
    themes = tuple(reader.themes())
    known = {theme.id for theme in themes}
    documents = tuple(reader.documents(sources, known))
    questions = tuple(reader.questions(sources))
    acknowledgements = tuple(reader.acknowledgements())
    lexicons = {lexicon.language: lexicon for lexicon in reader.lexicons()}
    reader.faults += _repeats(questions)
    return Knowledge(documents, questions, themes, acknowledgements, lexicons, reader.version()), reader.faults


def with_words(text: str) -> str:
    """A question as it would be asked, with somebody's words in its slot."""
    return text.replace("{quote}", "I did not ask")


def refused(questions: Sequence[BankQuestion]) -> Iterator[Fault]:
    """The questions that the whole guard refuses, its learned head included: a few seconds, so it is done when an index is built."""
    verdicts = guard.check_all([with_words(question.text) for question in questions], language="en")
    for question, verdict in zip(questions, verdicts, strict=True):
        if not verdict.accept:
            yield Fault("questions", f"{question.id}.text", f"the guard refuses it as {verdict.reason}: {verdict.message}")


class Reader:
    """Reads file by file and keeps the faults."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[Fault] = []

    def fault(self, path: Path, where: str, reason: str) -> None:
        self.faults.append(Fault(path.relative_to(self.folder).as_posix(), where, reason))

    def version(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.suffix in {".md", ".yaml"} and path.name != "README.md":
                digest.update(path.relative_to(self.folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    def yaml(self, path: Path, kind: type) -> Any:
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.fault(path, "file", "is not there")
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            self.fault(path, "file" if line is None else f"line {line + 1}", "is not valid YAML in UTF-8")
        else:
            if isinstance(data, kind):
                return data
            self.fault(path, "file", f"holds a {type(data).__name__} where a {kind.__name__} belongs")
        return kind()

    def sources(self) -> dict[str, Source]:
        path = self.folder / "sources.yaml"
        found: dict[str, Source] = {}
        for key, entry in self.yaml(path, dict).items():
            if not isinstance(entry, dict) or set(entry) != {"author", "title", "year"}:
                self.fault(path, str(key), "wants author, title and year, and nothing else")
            elif not re.fullmatch(r"\d{4}|n\.d\.", str(entry["year"])):
                self.fault(path, f"{key}.year", "wants four digits, or n.d. where the source has no date")
            else:
                found[key] = Source(str(entry["author"]), str(entry["title"]), str(entry["year"]))
        return found

    def themes(self) -> Iterator[Theme]:
        path = self.folder / "themes.yaml"
        for place, entry in enumerate(self.yaml(path, list)):
            if self.has(path, str(place), entry, {"id", "title", "says"}):
                yield Theme(entry["id"], entry["title"], entry["says"])

    def acknowledgements(self) -> Iterator[AcknowledgementTemplate]:
        path = self.folder / "acknowledgements.yaml"
        slots = {0: (), 1: ("{first}",), 2: ("{first}", "{second}")}
        for place, entry in enumerate(self.yaml(path, list)):
            if not self.has(path, str(place), entry, {"id", "quotes", "text"}, frozenset({"of"})):
                continue
            wanted = slots.get(entry["quotes"])
            if wanted is None or tuple(re.findall(r"\{\w+\}", entry["text"])) != wanted:
                self.fault(path, f"{entry['id']}.text", "the slots are not those that `quotes` promises, in their order")
            elif of := self.choose(path, f"{entry['id']}.of", entry.get("of", Hearing.WRITEUP), Hearing):
                yield AcknowledgementTemplate(entry["id"], entry["text"], entry["quotes"], of)

    def has(self, path: Path, where: str, entry: object, wanted: set[str], allowed: frozenset[str] = frozenset()) -> bool:
        if not isinstance(entry, dict):
            self.fault(path, where, "is not a mapping")
            return False
        name = str(entry.get("id", where))
        for missing in sorted(wanted - set(entry)):
            self.fault(path, f"{name}.{missing}", "is missing")
        for extra in sorted(set(entry) - wanted - allowed):
            self.fault(path, f"{name}.{extra}", "is not a field")
        return wanted <= set(entry) <= wanted | allowed

    def documents(self, sources: Mapping[str, Source], themes: set[str], there: str = "guidance") -> Iterator[Document]:
        for path in sorted((self.folder / there).glob("*.md")):
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self.fault(path, "file", "is not text in UTF-8")
                continue
            if document := self.written(path, text, sources, themes):
                yield document

    def written(self, path: Path, text: str, sources: Mapping[str, Source], themes: set[str]) -> Document | None:
        match = _FRONT_MATTER.match(text)
        if not match:
            self.fault(path, "front matter", "does not begin with a block between two lines of ---")
            return None
        try:
            front = yaml.safe_load(match[1])
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self.fault(path, f"line {mark.line + 2}" if mark else "front matter", "is not valid YAML")  # the first line is the ---
            return None
        if not self.has(path, path.stem, front, set(_FRONT)) or not self.typed(path, front):
            return None
        return self.document(path, front, match[2], sources, themes)

    def typed(self, path: Path, front: Mapping[str, Any]) -> bool:
        fine = True
        for name, kind in _FRONT.items():
            try:
                msgspec.convert(front[name], kind)
            except msgspec.ValidationError as error:
                _, _, place = str(error).partition(" - at `$")
                self.fault(path, name + place.rstrip("`"), shapes.plain(str(error), kind).rstrip("."))
                fine = False
        return fine

    def document(self, path: Path, front: dict[str, Any], body: str, sources: Mapping[str, Source], themes: set[str]) -> Document:
        if front["id"] != path.stem:
            self.fault(path, "id", f"is {front['id']}, and the file is {path.stem}")
        self.unknown(path, "themes", front["themes"], themes, f"; there are {', '.join(sorted(themes))}")
        skills = tuple(choice for skill in front["skills"] if (choice := self.choose(path, "skills", skill, Skill)))
        cited = self.cite(path, "sources", front["sources"], sources)
        passages = tuple(self.passages(path, front, body, skills, cited))
        if not isinstance(front["when"], list) or len(front["when"]) != WHEN_SENTENCES:
            self.fault(path, "when", f"wants {WHEN_SENTENCES} sentences")
        count = sum(len(passage.text.split()) for passage in passages)
        if not FEWEST_DOCUMENT_WORDS <= count <= MOST_DOCUMENT_WORDS:
            self.fault(path, "body", f"has {count} words; {FEWEST_DOCUMENT_WORDS} to {MOST_DOCUMENT_WORDS} are wanted")
        return Document(front["id"], front["title"], skills, tuple(front["themes"]), front["method"], cited, tuple(front["when"]), passages)

    def passages(self, path: Path, front: dict[str, Any], body: str, skills: tuple[Skill, ...], cited: tuple[Source, ...]) -> Iterator[Passage]:
        before, *rest = _HEADING.split(body)
        if before.strip():
            self.fault(path, "body", "has text before its first section")
        seen: set[str] = set()
        for heading, text in zip(rest[::2], rest[1::2], strict=True):
            slug = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
            count = len(text.split())
            if count > MOST_SECTION_WORDS or not count:
                self.fault(path, f"section {heading!r}", f"has {count} words; 1 to {MOST_SECTION_WORDS} are wanted")
            if slug in seen:
                self.fault(path, f"section {heading!r}", "has the name of another section")
            seen.add(slug)
            yield Passage(f"{front['id']}#{slug}", front["id"], front["title"], heading, " ".join(text.split()), skills, cited)

    def questions(self, sources: Mapping[str, Source]) -> Iterator[BankQuestion]:
        fields = {"id", "text", "skill", "about", "perspective", "form", "stage", "when", "sources"}
        for path in sorted((self.folder / "questions").glob("*.yaml")):
            for place, entry in enumerate(self.yaml(path, list)):
                if self.has(path, str(place), entry, fields, frozenset({"slot", "general", "closes", "offers"})) and (
                    question := self.question(path, entry, sources)
                ):
                    yield question

    def question(self, path: Path, entry: dict[str, Any], sources: Mapping[str, Source]) -> BankQuestion | None:
        name, text = entry["id"], entry["text"]
        chosen = [self.choose(path, f"{name}.{key}", entry[key], kind) for key, kind in _CHOICES.items()]
        slot = self.choose(path, f"{name}.slot", entry["slot"], Voice) if "slot" in entry else None
        if text.count('"{quote}"') != (slot is not None) or text.count("{") != text.count("{quote}"):
            self.fault(path, f"{name}.text", 'wants "{quote}" once, in double quotation marks, where `slot` is given, and nowhere else')
        closes = self.choose(path, f"{name}.closes", entry["closes"], Closing) if "closes" in entry else None
        verdict = guard.check(with_words(text), language="en", scope="phrases")  # at every start; `refused` looks closer
        if not verdict.accept:
            self.fault(path, f"{name}.text", f"the guard refuses it as {verdict.reason}: {verdict.message}")
        cited = self.cite(path, f"{name}.sources", entry["sources"], sources)
        if not all(chosen):
            return None
        return BankQuestion(
            id=name,
            text=text,
            when=entry["when"],
            sources=cited,
            slot=slot,
            general=entry.get("general") is True,
            opener=path.stem == OPENERS,
            follows=path.stem == FOLLOWING,
            closes=closes,
            offers=entry.get("offers") is True,
            **dict(zip(_CHOICES, chosen, strict=True)),  # type: ignore[arg-type]  # five kinds under five names
        )

    def lexicons(self) -> Iterator[Lexicon]:
        for path in sorted((self.folder / "quoting").glob("*.yaml")):
            data = self.yaml(path, dict)
            if self.has(path, path.stem, data, vocabulary.FIELDS, vocabulary.OPTIONAL):
                yield vocabulary.lexicon(data)

    def choose(self, path: Path, where: str, value: Any, kind: type[_Choice]) -> _Choice | None:
        try:
            return kind(value)
        except ValueError:
            self.fault(path, where, f"is {value!r}; it can be {', '.join(kind)}")
            return None

    def unknown(self, path: Path, where: str, names: Sequence[str], known: set[str], there: str = "") -> None:
        for place, name in enumerate(names):
            if name not in known:
                self.fault(path, f"{where}[{place}]", f"{name!r} is not known{there}")

    def cite(self, path: Path, where: str, keys: Sequence[str], sources: Mapping[str, Source]) -> tuple[Source, ...]:
        self.unknown(path, where, keys, set(sources))
        if not keys:
            self.fault(path, where, "names no source")
        return tuple(sources[key] for key in keys if key in sources)


_CHOICES: Mapping[str, type[StrEnum]] = {"skill": Skill, "about": About, "perspective": Perspective, "form": Form, "stage": Stage}


def opening(text: str) -> str:
    """The first three words of a question, lower case: what makes two of them sound alike."""
    return " ".join(re.findall(r"[\w'{}]+", text.lower().replace("’", "'"))[:3])


def _repeats(questions: Sequence[BankQuestion]) -> Iterator[Fault]:
    for name, count in Counter(question.id for question in questions).items():
        if count > 1:
            yield Fault("questions", name, f"stands {count} times")
    for words, count in Counter(opening(question.text) for question in questions).items():
        if count > MOST_SAME_OPENING:
            names = ", ".join(question.id for question in questions if opening(question.text) == words)
            yield Fault("questions", "text", f"{count} begin with {words!r}, {MOST_SAME_OPENING} may: {names}")
