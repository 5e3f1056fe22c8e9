"""What the head learns from."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from coach.knowledge import files
from coach.knowledge.where import data_folder
from coach.receipt.sets import Row, read

CASES = Path(__file__).parents[1] / "cases"


def labelled(name: str = "guard.jsonl") -> list[Row]:
    """All rows of a file."""
    return read(CASES / name)


def bank() -> Iterator[Row]:
    """The curated questions, which coaches chose: they may be asked."""
    knowledge, _ = files.read(data_folder("knowledge"))  # what the guard of today thinks of them is not asked
    for question in knowledge.questions:
        yield Row(f"{question.id}-1", question.text.replace("{quote}", "I did not ask"), None)


def digest(rows: Iterable[Row]) -> str:
    """What was learned from, as sixteen hexadecimal digits."""
    told = json.dumps([(row.id, row.text, row.reason) for row in rows])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
