"""Reads knowledge/safety: the patterns, what to say, and where help is."""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from coach.errors import Fault, KnowledgeError
from coach.model import About, Draft, Flag, Form, Help, Perspective, Skill
from coach.safety import ANYWHERE, Signposts, plainly
from coach.safety.patterns import Pattern, Sieve

LANGUAGES = ("en", "de", "fr", "es")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C where it is there: half a second less at the start
FILES = (*LANGUAGES, "machine", "signposts", "resources")


def load(root: Path) -> Signposts:
    """Everything in knowledge/safety. Patterns are compiled when they are first tried; see `faults`.

    Errors: KnowledgeError for a file that is missing or malformed.
    """
    folder = root / "safety"
    try:
        raw = {
            name: yaml.load((folder / f"{name}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 (both are safe)
            for name in FILES
        }
        raw["words"] = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        return _signposts(raw)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, re.error) as error:
        raise KnowledgeError((Fault("safety", "all", f"{type(error).__name__}: {error}"),)) from None


def _signposts(raw: Mapping[str, Any]) -> Signposts:
    said, machine = raw["signposts"], raw["machine"]
    return Signposts(
        patterns={language: {Flag(flag): _patterns(raw[language][flag], raw["words"]) for flag in ("crisis", "hr_legal")} for language in LANGUAGES},
        anywhere={Flag(flag): _patterns(machine[flag], raw["words"]) for flag in ("injection", "off_topic")},
        figures=_patterns(machine["figures"], raw["words"]),
        concrete=tuple(re.compile(entry) for entry in said["concrete"]),
        says={Flag(flag): said[flag] for flag in ("crisis", "hr_legal", "too_thin", "off_topic")},
        helps={country: _helps(found, country or None) for country, found in _countries(raw["resources"])},
        emergency={country: found["emergency"] for country, found in _countries(raw["resources"])},
        support=_question(said["support"], "safety-support"),
        greetings=re.compile(rf"\b(?:{'|'.join(said['greetings'])})\b", re.IGNORECASE),
        welcome=said["welcome"],
        opening=_question(said["opening"], "opening"),
    )


def _countries(resources: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from resources["countries"].items()
    yield ANYWHERE, resources["general"]


def _helps(found: Mapping[str, Any], country: str | None) -> dict[Flag, Sequence[Help]]:
    def of(name: str) -> tuple[Help, ...]:
        fields = ("name", "contact", "what", "hours", "free", "source", "checked")
        return tuple(Help(country=country, **{field: entry[field] for field in fields}) for entry in found.get(name, ()))

    return {Flag.CRISIS: of("crisis"), Flag.HR_LEGAL: of("work")}


def _question(entry: Mapping[str, str], origin: str) -> Draft:
    kinds = Skill(entry["skill"]), About(entry["about"]), Perspective(entry["perspective"]), Form(entry["form"])
    return Draft(entry["text"], *kinds, "bank", origin=origin)


def key(pattern: str) -> str:
    """What the pieces of a pattern are filed under in words.json: they are of this very pattern, or not used."""
    return f"{zlib.crc32(pattern.encode()):08x}"


def _patterns(entries: Sequence[Mapping[str, str]], words: Mapping[str, Sequence[str]]) -> Sieve:
    return Sieve(
        [Pattern(entry["name"], entry["find"], entry["example"], entry.get("not", ""), tuple(words.get(key(entry["find"]), ()))) for entry in entries]
    )


def faults(signposts: Signposts) -> Iterator[Fault]:
    """Patterns that are no regular expressions, do not find their own example, or find what they must not."""
    spoken = [
        (language, language, pattern) for language, kinds in signposts.patterns.items() for sieve in kinds.values() for pattern in sieve.patterns
    ]
    machine = [("machine", "en", pattern) for sieve in (*signposts.anywhere.values(), signposts.figures) for pattern in sieve.patterns]
    for file, language, pattern in (*spoken, *machine):
        try:
            if not pattern.find.search(plainly(pattern.example, language)):
                yield Fault(f"safety/{file}.yaml", pattern.name, "does not find its own example")
            if pattern.never and pattern.find.search(plainly(pattern.never, language)):
                yield Fault(f"safety/{file}.yaml", pattern.name, "finds what it must not")
        except re.error as error:
            yield Fault(f"safety/{file}.yaml", pattern.name, f"is no regular expression: {error}")
