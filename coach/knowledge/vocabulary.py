"""The words of one language, from knowledge/quoting/ to what the core cuts quotations with."""

from collections.abc import Mapping
from typing import Any

from coach.quoting import Lexicon

_LISTS = (
    "connectives",
    "prepositions",
    "never_last",
    "never_first",
    "first_person",
    "business",
    "insults",
    "abbreviations",
    "function_words",
    "joining",
    "clinging",
    "speakers",
    "others",
)
OPTIONAL = frozenset({"only_before", "subjects", "hollow", "trailing"})
FIELDS = {*_LISTS, "language", "weights"}


def lexicon(data: Mapping[str, Any]) -> Lexicon:
    """A lexicon from the fields of one file. An entry of several words counts as a phrase where phrases are looked for."""
    return Lexicon(
        language=data["language"],
        weights={name: (float(entry["weight"]), _words(entry["words"]), _phrases(entry["words"])) for name, entry in data["weights"].items()},
        insulting_phrases=tuple(phrase.strip() for phrase in _phrases(data["insults"])),
        trailing=tuple(f" {phrase}" for phrase in data.get("trailing", ())),
        hollow=frozenset(map(str, data.get("hollow", ()))),
        **{key: _words(data.get(key, ())) for key in (*_LISTS, *OPTIONAL - {"hollow", "trailing"})},
    )


def _words(entries: list[Any]) -> frozenset[str]:
    return frozenset(word for word in map(str, entries) if " " not in word)


def _phrases(entries: list[Any]) -> tuple[str, ...]:
    return tuple(f" {phrase} " for phrase in map(str, entries) if " " in phrase)
