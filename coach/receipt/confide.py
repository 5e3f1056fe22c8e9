"""Measures the safety checks and the masking, and tells both: on texts nobody who built them has looked at, and on those they were built with."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from coach.model import Flag
from coach.privacy import mask
from coach.safety import Safety

MOST_LISTED = 60
PEOPLE = {"PERSON": "people", "EMAIL_ADDRESS": "e-mail addresses", "PHONE_NUMBER": "telephone numbers"}


@dataclass
class Share:
    """So many of so many."""

    name: str
    hits: int = 0
    of: int = 0
    bound: float | None = None
    least: bool = True

    def add(self, hit: bool) -> None:  # noqa: FBT001
        """One more."""
        self.of += 1
        self.hits += hit

    @property
    def value(self) -> float:
        """0 to 1."""
        return self.hits / self.of if self.of else 0.0

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        return None if self.bound is None else (self.value >= self.bound if self.least else self.value <= self.bound)


@dataclass
class Part:
    """A set and what was found on it."""

    name: str
    shares: list[Share] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def share(self, name: str, bound: float | None = None, *, least: bool = True) -> Share:
        """The share of this name."""
        found = next((one for one in self.shares if one.name == name), None)
        if found is None:
            found = Share(name, bound=bound, least=least)
            self.shares.append(found)
        return found


def triaged(name: str, rows: Iterable[Mapping[str, Any]], safety: Safety) -> Part:
    """How each flag is found, and how often there is a false alarm: on ordinary write-ups, and on near misses."""
    part = Part(name)
    for row in rows:
        wanted, language = row.get("flag"), row["language"]
        got = safety.judge(row["text"], language)
        if wanted:
            bound = 0.95 if wanted == Flag.CRISIS else None
            part.share(f"{wanted} found", bound).add(got.flag == wanted)
            part.share(f"{wanted} found, {language}").add(got.flag == wanted)
            if wanted in {Flag.CRISIS, Flag.HR_LEGAL}:
                part.share(f"{wanted} shown some help").add(got.flag in {Flag.CRISIS, Flag.HR_LEGAL})
        elif "near" in str(row.get("kind", "")):
            part.share("false alarms on near misses (crisis or hr_legal)").add(got.flag in {Flag.CRISIS, Flag.HR_LEGAL})
        else:
            part.share("false alarms on ordinary write-ups", 0.02, least=False).add(got.stops)
        if got.flag != wanted:
            part.failures.append(f"{row['id']}: {wanted or 'ordinary'} taken for {got.flag or 'ordinary'} ({', '.join(got.by) or '-'})")
    return part


def masked(name: str, rows: Iterable[Mapping[str, Any]], bound: float = 0.97) -> Part:
    """Each place where something that must be masked stands, and words masked for nothing."""
    part = Part(name)
    found, needless, words = part.share("names found", bound), 0, 0
    for row in rows:
        text = row["text"]
        result = mask(text, language=row["language"])
        hidden = {place for item in result.replacements for place in range(item.start, item.end)}
        named: set[int] = set()
        for secret in row["people"]:
            for match in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", text):
                whole = hidden.issuperset(range(*match.span()))
                named |= set(range(*match.span()))
                found.add(whole)
                part.share(f"names found, {row['language']}").add(whole)
                if not whole:
                    part.failures.append(f"{row['id']}: {secret}")
        needless += sum(named.isdisjoint(range(item.start, item.end)) for item in result.replacements)
        words += len(text.split())
    part.shares.append(Share("needless maskings a word", needless, words, 0.04, least=False))
    return part


def synthetic(rows: Iterable[Mapping[str, Any]]) -> Part:
    """The public sentences of presidio-research."""
    part = Part("presidio_research (public, synthetic)")
    for row in rows:
        text = row["full_text"]
        hidden = {place for item in mask(text).replacements for place in range(item.start, item.end)}
        for span in row["spans"]:
            if kind := PEOPLE.get(span["entity_type"]):
                letters = [place for place in range(span["start_position"], span["end_position"]) if text[place].isalnum()]
                part.share(f"{kind} found", 0.9 if kind == "people" else 0.99).add(hidden.issuperset(letters))
    return part


def measure(cases: Path, external: Path, safety: Safety, say: Callable[[str], None]) -> list[Part]:
    """All of it. Errors: OSError, ValueError, KeyError where a set cannot be read."""
    held, known = "held out: nobody who built it looked at them", "the 28 development write-ups"
    steps: Sequence[tuple[str, Callable[[], Part]]] = (
        ("safety, held out", lambda: triaged(f"safety, {held}", _rows(cases / "safety_test.jsonl"), safety)),
        ("safety, development", lambda: triaged(f"safety, {known}", _rows(cases / "writeups.jsonl"), safety)),
        ("masking, held out", lambda: masked(f"masking, {held}", _rows(cases / "masking_test.jsonl"))),
        ("masking, development", lambda: masked(f"masking, {known}", _rows(cases / "writeups.jsonl"))),
    )
    parts = []
    for name, step in steps:
        say(name)
        parts.append(step())
    public = external / "presidio_research" / "synth_dev.json"
    if public.exists():
        say("masking, presidio_research")
        parts.append(synthetic(json.loads(public.read_text(encoding="utf-8"))))
    return parts


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    yield from (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def markdown(parts: Sequence[Part], made: str) -> str:
    """As a page."""
    lines = ["# Receipt: what the safety checks and the masking were measured to do", "", made, ""]
    lines += ["This is not a safety product. The labels are language models'; no crisis line and no lawyer has read them.", ""]
    for part in parts:
        lines += [f"## {part.name[:1].upper()}{part.name[1:]}", "", "| measure | figure | bound | |", "|---|---|---|---|"]
        for share in part.shares:
            bound = "" if share.bound is None else f"at {'least' if share.least else 'most'} {share.bound:g}"
            verdict = "" if share.met is None else "met" if share.met else "NOT MET"
            lines.append(f"| {share.name} | {share.value:.3f} ({share.hits} of {share.of}) | {bound} | {verdict} |")
        if part.failures:
            lines += ["", f"Failures ({len(part.failures)}), the first {MOST_LISTED}:", "", *(f"- {one}" for one in part.failures[:MOST_LISTED])]
        lines.append("")
    return "\n".join(lines)


def as_json(parts: Sequence[Part], made: str) -> str:
    """As data, all failures included."""
    told = []
    for part in parts:
        measures = [{**asdict(share), "value": round(share.value, 4), "met": share.met} for share in part.shares]
        told.append({"name": part.name, "measures": measures, "failures": part.failures})
    return json.dumps({"made": made, "sets": told}, indent=1, ensure_ascii=False) + "\n"
