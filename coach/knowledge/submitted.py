"""Guidance of an organisation's own, as it comes in: read from a folder or taken from a request, and checked as ours is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coach.errors import Fault, SubmittedFaults
from coach.knowledge.check import unshowable
from coach.knowledge.files import Document, Reader
from coach.model import Source
from coach.safety import Safety

_HASH = re.compile(r"^#+ ")


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
    """The same, checked like a file of that name. Raises SubmittedFaults with every fault."""
    path = Path(f"{sent.id}.md")
    reader = Reader(Path())
    keys = {f"{place}": source for place, source in enumerate(sent.sources)}
    front = {name: getattr(sent, name) for name in ("id", "title", "skills", "themes", "method", "when")} | {"sources": list(keys)}
    faults = list(_sections(path, sent.sections))
    if faults or not reader.typed(path, front):
        raise SubmittedFaults((*reader.faults, *faults))
    body = "\n\n".join(f"## {heading}\n{' '.join(text.split())}" for heading, text in sent.sections)
    found = reader.document(path, front, body, keys, set(rules.themes))
    told = (Fault(path.name, *fault) for fault in unshowable(found, rules.safety))
    if every := (*reader.faults, *told):
        raise SubmittedFaults(every)
    return found


def _sections(path: Path, sections: Sequence[tuple[str, str]]) -> Iterator[Fault]:
    """What would make a section another thing than it says."""
    for place, (heading, text) in enumerate(sections):
        if not heading.strip() or len(heading.splitlines()) > 1:
            yield Fault(path.name, f"sections[{place}].heading", "wants one line")
        if not text.strip() or _HASH.match(text.strip()):
            yield Fault(path.name, f"sections[{place}].text", "wants text, without a heading of its own")
