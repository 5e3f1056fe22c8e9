"""The guard's phrases, read from data once and compiled: one pack a language."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from coach.model import Reason

PACKS = {"en": "english", "de": "german", "fr": "french", "es": "spanish"}

_LIST = re.compile(r"\{([a-z]+)\}")
_FIRST_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Phrase:
    """One rule: it is tried on a sentence that holds one of `words`, or on any where there are none."""

    name: str
    words: frozenset[str]
    find: Callable[[str], re.Match[str] | None]
    example: str


@dataclass(frozen=True)
class Pack:
    """The rules of one language, in the order in which they are tried."""

    language: str
    phrases: Mapping[Reason, Sequence[Phrase]]
    scale: re.Pattern[str]
    clean: re.Pattern[str]
    fold: bool


@lru_cache(maxsize=8)
def pack(language: str) -> Pack:
    """The rules of a language that has some: "en", "de", "fr" or "es".

    Errors: KeyError for another language; re.error, KeyError or TypeError for a faulty file, at the first use.
    """
    raw = files("coach.guard").joinpath(f"{PACKS[language]}.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(raw)
    lists: dict[str, list[str]] = data["lists"]
    phrases = {Reason(name): tuple(_phrase(entry, lists) for entry in entries) for name, entries in data["rules"].items()}
    return Pack(language, phrases, re.compile(data["scale"]), re.compile(data["clean"]), data["fold"])


@lru_cache(maxsize=1)
def common() -> Mapping[str, frozenset[str]]:
    """The commonest words of each language that has rules."""
    raw = files("coach.guard").joinpath("common.yaml").read_text(encoding="utf-8")
    return {language: frozenset(words.split()) for language, words in yaml.safe_load(raw).items()}


@lru_cache(maxsize=1)
def messages() -> Mapping[Reason, str]:
    """What each refusal says, in words that a coach would use."""
    raw = files("coach.guard").joinpath("messages.yaml").read_text(encoding="utf-8")
    return {Reason(name): text for name, text in yaml.safe_load(raw).items()}


def _phrase(entry: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> Phrase:
    pattern = re.compile(_LIST.sub(lambda match: "(?:" + "|".join(map(re.escape, lists[match[1]])) + ")", entry["find"]))
    find = pattern.match if entry["find"].startswith("^") else pattern.search  # `search` would try an anchored pattern at every place
    return Phrase(entry["name"], frozenset(_words(entry.get("words", []), lists)), find, entry["example"])


def _words(given: str | Sequence[str], lists: Mapping[str, Sequence[str]]) -> list[str]:
    """The words of a rule: a list of its own, or the first words of one that is named, as in "{aux}"."""
    if isinstance(given, str):
        named = _LIST.fullmatch(given)
        if named is None:
            raise KeyError(given)
        return [match[0] for entry in lists[named[1]] if (match := _FIRST_WORD.match(entry))]
    return list(given)
