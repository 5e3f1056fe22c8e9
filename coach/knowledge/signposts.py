"""Reads knowledge/safety: the patterns, what to say, and where help is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from coach.errors import Fault, KnowledgeError
from coach.model import About, Draft, Flag, Form, Help, Perspective, Skill
from coach.safety import ANYWHERE, Pattern, Signposts, plainly

LANGUAGES = ("en", "de", "fr", "es")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C where it is there: half a second less at the start
FILES = (*LANGUAGES, "machine", "signposts", "resources")


def load(root: Path) -> Signposts:
    """Everything in knowledge/safety. Raises KnowledgeError, with file and entry of every fault."""
    folder, faults = root / "safety", list[Fault]()
    try:
        raw = {
            name: yaml.load((folder / f"{name}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 (both are safe)
            for name in (*LANGUAGES, "machine", "signposts", "resources")
        }
        signposts = _signposts(raw, faults)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, re.error) as error:
        raise KnowledgeError((Fault("safety", "all", f"{type(error).__name__}: {error}"), *faults)) from None
    if faults:
        raise KnowledgeError(tuple(faults))
    return signposts


def _signposts(raw: Mapping[str, Any], faults: list[Fault]) -> Signposts:
    said, machine = raw["signposts"], raw["machine"]
    return Signposts(
        patterns={
            language: {Flag(flag): tuple(_patterns(raw[language][flag], language, f"{language}.yaml", faults)) for flag in ("crisis", "hr_legal")}
            for language in LANGUAGES
        },
        anywhere={Flag(flag): tuple(_patterns(machine[flag], "en", "machine.yaml", faults)) for flag in ("injection", "off_topic")},
        figures=tuple(_patterns(machine["figures"], "en", "machine.yaml", faults)),
        concrete=tuple(re.compile(entry) for entry in said["concrete"]),
        says={Flag(flag): said[flag] for flag in ("crisis", "hr_legal", "too_thin", "off_topic")},
        helps={country: _helps(found, country or None) for country, found in _countries(raw["resources"])},
        emergency={country: found["emergency"] for country, found in _countries(raw["resources"])},
        support=_support(said["support"]),
    )


def _countries(resources: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from resources["countries"].items()
    yield ANYWHERE, resources["general"]


def _helps(found: Mapping[str, Any], country: str | None) -> dict[Flag, Sequence[Help]]:
    def of(name: str) -> tuple[Help, ...]:
        fields = ("name", "contact", "what", "hours", "free", "source", "checked")
        return tuple(Help(country=country, **{field: entry[field] for field in fields}) for entry in found.get(name, ()))

    return {Flag.CRISIS: of("crisis"), Flag.HR_LEGAL: of("work")}


def _support(entry: Mapping[str, str]) -> Draft:
    kinds = Skill(entry["skill"]), About(entry["about"]), Perspective(entry["perspective"]), Form(entry["form"])
    return Draft(entry["text"], *kinds, "bank", origin="safety-support")


def _patterns(entries: Sequence[Mapping[str, str]], language: str, file: str, faults: list[Fault]) -> Iterator[Pattern]:
    """Each compiled, finding its example and not what it must not find."""
    for entry in entries:
        pattern = Pattern(entry["name"], re.compile(entry["find"]), entry["example"], entry.get("not", ""))
        if not pattern.find.search(plainly(pattern.example, language)):
            faults.append(Fault(f"safety/{file}", pattern.name, "does not find its own example"))
        if pattern.never and pattern.find.search(plainly(pattern.never, language)):
            faults.append(Fault(f"safety/{file}", pattern.name, "finds what it must not"))
        yield pattern
