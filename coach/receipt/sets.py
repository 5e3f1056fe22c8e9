"""The labelled sets a receipt is made from: our own held-out sentences, and public ones where they are at hand."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OUR_AGREEMENT = "one author's labels, not relabelled by a second; on like tasks people agree with kappa 0.74 (open or closed) and 0.51 (advice)"
FORUM_AGREEMENT = "kappa of people about 0.5; majority of crowd labels"


@dataclass(frozen=True)
class Row:
    """One labelled sentence. `kind` says what speech it is (coach, counselling, forum), `hard` that it was written to fool the guard of its day."""

    id: str
    text: str
    reason: str | None
    language: str = "en"
    kind: str = "coach"
    hard: bool = False

    @property
    def family(self) -> str:
        """What comes before the last hyphen of the id: sentences that were written beside each other."""
        return self.id.rpartition("-")[0] or self.id

    @property
    def part(self) -> str:
        """`train`, `dev` or `test`, by a hash of the family, so that no family is split: 70, 15 and 15 in 100."""
        place = int(hashlib.sha256(self.family.encode()).hexdigest(), 16) % 20
        return "train" if place < 14 else "dev" if place < 17 else "test"


@dataclass(frozen=True)
class Labelled:
    """Sentences with all seven reasons. `ours` says that their texts may be printed: those of others stay where they are."""

    name: str
    rows: Sequence[Row]
    agreement: str = OUR_AGREEMENT
    ours: bool = True


@dataclass(frozen=True)
class Advice:
    """Sentences of which is known only whether they advise."""

    name: str
    texts: Sequence[str]
    advises: Sequence[bool]
    agreement: str = FORUM_AGREEMENT


def read(path: Path) -> list[Row]:
    """The rows of a file of ours. Raises OSError, ValueError or KeyError."""
    with path.open(encoding="utf-8") as lines:
        return [_row(json.loads(line)) for line in lines]


def _row(row: dict[str, str | None]) -> Row:
    kind, language = row.get("kind") or "coach", row.get("language") or "en"
    return Row(str(row["id"]), str(row["text"]), row["reason"], language, kind, bool(row.get("hard")))


_AUTHORS = {
    "w": "coach questions by an author who saw neither rules nor data",
    "v": "coach questions by a second such author (failures of an earlier guard were looked at)",
    "u": "coach questions by a third such author (failures were looked at, and led to training data)",
}


def own(cases: Path) -> list[Labelled]:
    """Our held-out sentences: the part `test`, by the speech and the language they are in, and those of authors who saw nothing of the guard."""
    test = [row for row in read(cases / "guard.jsonl") if row.part == "test"]
    english = [row for row in test if row.language == "en"]
    unseen = read(cases / "guard_unseen.jsonl")
    coach = [row for row in english if row.kind == "coach"]
    sets = [
        *(Labelled(name, [row for row in unseen if row.id.startswith(letter)]) for letter, name in _AUTHORS.items()),
        Labelled("coach questions, test part", [row for row in coach if not row.hard]),
        Labelled("coach questions written to fool an earlier guard, test part", [row for row in coach if row.hard]),
        Labelled("counselling, test part", [row for row in english if row.kind == "counselling"]),
        Labelled("forums and reviews, test part", [row for row in english if row.kind == "forum"]),
    ]
    names = {"de": "German", "fr": "French", "es": "Spanish"}
    return sets + [Labelled(f"{name}, test part", [row for row in test if row.language == language]) for language, name in names.items()]


def one_on_one(external: Path, cases: Path) -> list[Labelled]:
    """One-to-one questions that were labelled here (the labels are ours; the questions stay where they are)."""
    source, labels = external / "oneonone_questions" / "questions.json", cases / "oneonone_labels.json"
    if not source.exists() or not labels.exists():
        return []
    texts = {str(row["id"]): row["question"]["en"] for row in json.loads(source.read_text(encoding="utf-8"))["questions"]}
    given: dict[str, str] = json.loads(labels.read_text(encoding="utf-8"))["labels"]
    rows = [Row(name, texts[name], None if label == "accept" else label) for name, label in given.items()]
    return [Labelled("one-to-one questions (1on1-questions), a sample of 100 labelled here", rows, ours=False)]


def forums(external: Path) -> list[Advice]:
    """Forum sentences labelled as advice or not (Govindarajan et al., EMNLP 2020)."""
    found: list[Advice] = []
    for name in ("askparents", "needadvice"):
        path = external / "advice_emnlp2020" / f"{name}_train.tsv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as lines:
                rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
            texts, advises = [row["Sentence"] for row in rows], [row["Majority_label"] == "1" for row in rows]
            found.append(Advice(f"forum advice, {name}", texts, advises))
    return found
