"""Guidance of an organisation's own, as it comes in: read from a folder or taken from a request, and checked as ours is."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coach.errors import Fault, SubmittedFaults
from coach.knowledge.check import unshowable
from coach.knowledge.files import Document, Reader
from coach.model import Source
from coach.safety import Safety

_HASH = re.compile(r"^#+ ")
_SENT = {"id": "identifier", "themes": "topics", "body": "sections"}  # what a file calls otherwise than a request does
_NAMED = re.compile(r"(\w+)(\[\d+\])?")


@dataclass(frozen=True)
class Rules:
    """What is known beforehand: the themes and the sources of our library, and what speaks to a machine."""

    themes: frozenset[str]
    sources: Mapping[str, Source]
    safety: Safety

    @classmethod
    def of(cls, ours: Path, safety: Safety) -> "Rules":
        """From the folder of our library."""
        reader = Reader(ours)
        return cls(frozenset(theme.id for theme in reader.themes()), reader.sources(), safety)


def read_folder(folder: Path, rules: Rules) -> tuple[Document, ...]:
    """The documents of a folder: `*.md` in it or in its `guidance`, and `sources.yaml` if they name works that ours do not.

    Errors: SubmittedFaults with every fault of every file.
    """
    reader = Reader(folder)
    sources = {**rules.sources, **(reader.sources() if (folder / "sources.yaml").is_file() else {})}
    there = "guidance" if (folder / "guidance").is_dir() else "."
    if not any((folder / there).glob("*.md")):
        raise SubmittedFaults((Fault(there, "folder", "holds no *.md file; each document is one, in the form of knowledge/guidance"),))
    documents = tuple(reader.documents(sources, set(rules.themes), there))
    told = (Fault(f"{there}/{one.id}.md".removeprefix("./"), *fault) for one in documents for fault in unshowable(one, rules.safety))
    if faults := (*reader.faults, *told):
        raise SubmittedFaults(faults)
    return documents


@dataclass(frozen=True)
class Submitted:
    """A document as it was sent. Its sections are (heading, text)."""

    id: str
    title: str
    skills: Sequence[str]
    themes: Sequence[str]
    method: str
    when: Sequence[str]
    sources: Sequence[Source]
    sections: Sequence[tuple[str, str]]


def document(sent: Submitted, rules: Rules) -> Document:
    """The same, checked like a file of that name. Raises SubmittedFaults with every fault, each under the name of the field as it was sent."""
    path = Path(f"{sent.id}.md")
    reader = Reader(Path())
    keys = {f"{place}": source for place, source in enumerate(sent.sources)}
    front = {name: getattr(sent, name) for name in ("id", "title", "skills", "themes", "method", "when")} | {"sources": list(keys)}
    faults = list(_sections(sent.sections))
    if faults or not reader.typed(path, front):
        raise SubmittedFaults((*_as_sent(reader.faults, sent), *faults))
    body = "\n\n".join(f"## {heading}\n{' '.join(text.split())}" for heading, text in sent.sections)
    found = reader.document(path, front, body, keys, set(rules.themes))
    told = (Fault(path.name, *fault) for fault in unshowable(found, rules.safety))
    if every := tuple(_as_sent((*reader.faults, *told), sent)):
        raise SubmittedFaults(every)
    return found


def _as_sent(faults: Iterable[Fault], sent: Submitted) -> Iterator[Fault]:
    """The same faults without a file, since there is none; a section is named by its place."""
    places = {heading: f"sections[{place}]" for place, (heading, _) in reversed(list(enumerate(sent.sections)))}
    places |= {f"section {heading!r}": place for heading, place in places.items()}
    for fault in faults:
        name = _NAMED.fullmatch(fault.field)
        own = f"{_SENT.get(name[1], name[1])}{name[2] or ''}" if name and fault.field not in places else fault.field
        yield replace(fault, file="", field=places.get(fault.field, own))


def _sections(sections: Sequence[tuple[str, str]]) -> Iterator[Fault]:
    """What would make a section another thing than it says."""
    for place, (heading, text) in enumerate(sections):
        if not heading.strip() or len(heading.splitlines()) > 1:
            yield Fault("", f"sections[{place}].heading", "wants one line")
        if not text.strip() or _HASH.match(text.strip()):
            yield Fault("", f"sections[{place}].text", "wants text, without a heading of its own")
