"""What the reader of the safety checks learns from: sentences of labelled texts, and who wrote each."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coach.model import Flag
from coach.safety import sentences

CASES = Path(__file__).parent.parent / "cases"
KINDS = (Flag.CRISIS, Flag.HR_LEGAL)
FOLDS = 5
_ALIKE = 40  # characters by which a sentence is known for one of those that decide


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text. `near` tells texts that were written to be mistaken from ordinary ones."""

    writer: str
    language: str
    flag: Flag | None
    text: str
    decisive: tuple[str, ...]
    near: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text. `kind` is 0 for neither, else the place in KINDS plus one; `weight` is less where its label is less sure."""

    told: str
    owner: int
    kind: int
    weight: float


def rows() -> list[Row]:
    """All texts to learn from. Those that are too thin or off topic are of neither kind, as are those that speak to a machine."""
    return [row for name in ("safety_train", "safety_ordinary", "writeups", "writeups_more", "masking_dev") for row in _read(name)]


def _read(name: str) -> Iterator[Row]:
    for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row: Mapping[str, Any] = json.loads(line)
        flag = row["flag"] if row.get("flag") in KINDS else None
        if flag and not row.get("decisive"):
            continue  # labelled as a whole: which sentence it is for is not known
        writer = row["id"].split("-")[0] if name.startswith("safety") else name
        yield Row(writer, row.get("language") or "en", flag, row["text"], tuple(row.get("decisive") or ()), flag is None and name == "safety_train")


def learned(texts: list[Row]) -> list[Sentence]:
    """Each sentence of each text."""
    return [sentence for place, row in enumerate(texts) for sentence in _sentences(place, row)]


def _sentences(place: int, row: Row) -> Iterator[Sentence]:
    decisive = [_key(one) for one in row.decisive]
    for told in sentences(row.text):
        key = _key(told)
        decides = row.flag is not None and any(key[:_ALIKE] in one or one[:_ALIKE] in key for one in decisive)
        yield Sentence(told, place, 1 + KINDS.index(row.flag) if decides and row.flag else 0, 1.0 if decides or not row.flag else 0.5)


def _key(told: str) -> str:
    return " ".join("".join(letter if letter.isalnum() else " " for letter in told.lower()).split())


def folds(texts: list[Row]) -> list[int]:
    """Which part each text is of: all texts of one writer in the same one, so that nobody is judged by a reader that knows their hand."""
    sizes, parts = [0] * FOLDS, {}
    for writer, count in sorted(Counter(row.writer for row in texts).items(), key=lambda one: (-one[1], one[0])):
        parts[writer] = sizes.index(min(sizes))
        sizes[parts[writer]] += count
    return [parts[row.writer] for row in texts]
