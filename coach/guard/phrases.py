"""The guard's phrases, read from data once and compiled."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from coach.model import Reason

Finder = Callable[[str], re.Match[str] | None]


@dataclass(frozen=True)
class Phrases:
    """Compiled patterns for each reason, and what each refusal says."""

    patterns: Mapping[Reason, tuple[Finder, ...]]
    messages: Mapping[Reason, str]
    version: str


@lru_cache(maxsize=4)
def phrases(language: str = "english") -> Phrases:
    """The phrases of one language.

    Errors: FileNotFoundError for a language without a file, re.error or KeyError for a faulty one: both at the first use.
    """
    raw = files("coach.guard").joinpath(f"{language}.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(raw)
    lists = {name: "(?:" + "|".join(map(re.escape, words)) + ")" for name, words in data["lists"].items()}
    patterns = {Reason(name): tuple(_compile(entry, lists) for entry in entries) for name, entries in data["rules"].items()}
    messages = {Reason(name): text for name, text in data["messages"].items()}
    return Phrases(patterns, messages, data.get("version", "1"))


def _compile(entry: str, lists: Mapping[str, str]) -> Finder:
    pattern = re.compile(re.sub(r"\{([a-z]+)\}", lambda match: lists[match[1]], entry))
    return pattern.match if entry.startswith("^") else pattern.search  # `search` would try an anchored pattern at every place
