"""Writes knowledge/safety/words.json: for each pattern, pieces of text of which any match holds at least one. `python -m tests.safety.words`.

A pattern is then tried only on texts that hold one of its pieces: a tenth of the work. Pieces are filed under the pattern's own text, so that a
pattern that was changed since is tried always. Reads the tree that Python's own parser makes of a regular expression (as in Cox, "Regular Expression
Matching with a Trigram Index", 2012), and takes the pieces that are rarest in ordinary write-ups.
"""

import json
import re._constants as kinds
import re._parser as parser
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from coach.knowledge.signposts import LANGUAGES, key
from coach.knowledge.where import data_folder
from coach.safety import plainly

CASES = Path(__file__).parents[1] / "cases"
OUT = data_folder("knowledge") / "safety" / "words.json"
SHORTEST, MOST_EXACT, MOST = 3, 60, 120  # letters of a piece; strings that a part may stand for; pieces of a pattern

Pieces = frozenset[str]


class Finder:
    """Finds the pieces of patterns in one language."""

    def __init__(self, ordinary: Sequence[str]) -> None:
        """`ordinary` are prepared texts, in which the pieces should be rare."""
        self._ordinary = ordinary
        self._rates: dict[Pieces, float] = {}

    def pieces(self, pattern: str) -> Pieces | None:
        """Of all sets that would do, the rarest; None where there is none."""
        found = [one for one in self._sequence(parser.parse(pattern).data) if len(one) <= MOST]
        return min(found, key=self._rate) if found else None

    def _rate(self, pieces: Pieces) -> tuple[float, int, list[str]]:
        if pieces not in self._rates:
            self._rates[pieces] = sum(any(piece in text for piece in pieces) for text in self._ordinary)
        return self._rates[pieces], len(pieces), sorted(pieces)

    def _sequence(self, items: Iterable[tuple[Any, Any]]) -> list[Pieces]:
        """The sets that a sequence of parts asks for: runs of parts that stand for few strings, joined, and what the parts between them ask for."""
        found: list[Pieces] = []
        run: Collection[str] = {""}
        for operation, argument in items:
            exact, inner = self._part(operation, argument)
            joined = {left + right for left in run for right in exact} if exact is not None else set()
            if exact is not None and len(joined) <= MOST_EXACT:
                run = joined
                continue
            found += _long(run)
            run = exact if exact is not None and len(exact) <= MOST_EXACT else {""}
            found += inner
        return found + _long(run)

    def _exact(self, items: Iterable[tuple[Any, Any]]) -> set[str] | None:
        """All strings that a sequence stands for, if they are few."""
        strings = {""}
        for operation, argument in items:
            exact, _ = self._part(operation, argument)
            if exact is None:
                return None
            strings = {left + right for left in strings for right in exact}
            if len(strings) > MOST_EXACT:
                return None
        return strings

    def _part(self, operation: Any, argument: Any) -> tuple[set[str] | None, list[Pieces]]:
        """One part: all that it stands for, or else the sets that it asks for."""
        exact: set[str] | None = None
        if operation is kinds.LITERAL:
            exact = {chr(argument)}
        elif operation in {kinds.AT, kinds.ASSERT, kinds.ASSERT_NOT}:
            exact = {""}
        elif operation is kinds.IN and all(one is kinds.LITERAL for one, _ in argument):
            exact = {chr(letter) for _, letter in argument}
        elif operation is kinds.SUBPATTERN:
            exact = self._exact(argument[3])
            return exact, [] if exact is not None else self._sequence(argument[3])
        elif operation is kinds.BRANCH:
            return self._branches(argument[1])
        elif operation in {kinds.MAX_REPEAT, kinds.MIN_REPEAT}:
            return self._repeated(*argument)
        return exact, []

    def _repeated(self, fewest: int, most: int, items: Any) -> tuple[set[str] | None, list[Pieces]]:
        exact = self._exact(items)
        if most == 1 and exact is not None:
            return exact | ({""} if fewest == 0 else set()), []
        return None, self._sequence(items) if fewest else []

    def _branches(self, branches: Sequence[Any]) -> tuple[set[str] | None, list[Pieces]]:
        exact = [self._exact(branch) for branch in branches]
        together = set[str]().union(*(one for one in exact if one is not None))
        if None not in exact and len(together) <= MOST_EXACT:
            return together, []
        each = [[*_long(one or {""}), *self._sequence(branch)] for one, branch in zip(exact, branches, strict=True)]
        return None, _long(frozenset().union(*(min(sets, key=self._rate) for sets in each))) if all(each) else []


def _long(strings: Collection[str]) -> list[Pieces]:
    """The strings as a set of pieces, without those that hold another; none where one is too short."""
    if any(len(one) < SHORTEST for one in strings):
        return []
    return [frozenset(one for one in strings if not any(other != one and other in one for other in strings))]


def made() -> dict[str, list[str]]:
    """The pieces of every pattern that has some."""
    ordinary: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    for line in (CASES / "safety_ordinary.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        ordinary[row["language"]].append(plainly(row["text"], row["language"]))
    found: dict[str, list[str]] = {}
    for name in (*LANGUAGES, "machine"):
        finder = Finder(ordinary.get(name, ordinary["en"]))
        entries = yaml.safe_load((OUT.parent / f"{name}.yaml").read_text(encoding="utf-8"))
        for entry in (entry for several in entries.values() for entry in several):
            if pieces := finder.pieces(entry["find"]):
                found[key(entry["find"])] = sorted(pieces)
    return found


if __name__ == "__main__":
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(pieces, ensure_ascii=False)}" for name, pieces in sorted(made().items()))
    OUT.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(f"{OUT.name}: {OUT.stat().st_size} bytes")
