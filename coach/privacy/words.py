"""What the masker knows of words: which are ordinary in a language, which are names, and which lists of lists.yaml they stand in."""

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import yaml
from simplemma.strategies.dictionaries import DefaultDictionaryFactory

LANGUAGES = ("en", "de", "fr", "es")
ENDINGS = frozenset(("s", "t", "d", "m", "ll", "re", "ve", "c", "l", "j", "n", "qu"))  # what an apostrophe leaves
LONGEST = 60  # letters of a word
SHORTEST_PART = 4  # letters of a part of a German compound


class Words:
    """Very many words in little room: their checksums, sorted. One other word in some ten thousand is taken for one of them."""

    def __init__(self, words: Iterable[str]) -> None:
        self._sums: npt.NDArray[np.uint32] = np.unique(np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint32))

    def __contains__(self, word: str) -> bool:
        wanted = zlib.crc32(word.encode())
        place = int(np.searchsorted(self._sums, wanted))
        return place < len(self._sums) and int(self._sums[place]) == wanted


@dataclass(frozen=True)
class Lists:
    """The lists of one language; lists.yaml says what each is."""

    streets: frozenset[str]
    after: frozenset[str]
    plain: frozenset[str]
    articles: frozenset[str]
    titles: frozenset[str]
    particles: frozenset[str]
    saying: frozenset[str]
    before: frozenset[str]
    roles: frozenset[str]
    places: frozenset[str]
    works: frozenset[str]
    company: frozenset[str]
    things: frozenset[str]
    capitals: frozenset[str]
    directed: frozenset[str]
    strong: frozenset[str]
    takers: frozenset[str]
    nobody: frozenset[str]
    measures: frozenset[str]
    endings: frozenset[str]


@lru_cache(maxsize=1)
def _all_lists() -> dict[str, Lists]:
    raw = yaml.safe_load(files("coach.privacy").joinpath("lists.yaml").read_text(encoding="utf-8"))
    return {language: Lists(**{item.name: frozenset(found.get(item.name, "").split()) for item in fields(Lists)}) for language, found in raw.items()}


def lists(language: str) -> Lists:
    """The lists of a language; of one that has none, those of English."""
    return _all_lists().get(language, _all_lists()["en"])


@lru_cache(maxsize=len(LANGUAGES))
def vocabulary(language: str) -> Words:
    """The ordinary words of a language with all their forms, lower case (simplemma); loaded at the first use, 0.2 to 1.5 s. Empty for others."""
    if language not in LANGUAGES:
        return Words(())
    return Words(word.lower() for word in DefaultDictionaryFactory(cache_max_size=1).get_dictionary(language))


@lru_cache(maxsize=1)
def _names() -> tuple[Words, Words, Words]:
    raw = gzip.decompress(files("coach.privacy").joinpath("names.txt.gz").read_bytes()).decode()
    given, family, towns = (part.split("\n") for part in raw.partition("\n")[2].rstrip("\n").split("\n---\n"))
    return Words(given), Words(family), Words(towns)


def is_given(word: str) -> bool:
    """Whether it is a given name somewhere, lower case."""
    return word in _names()[0]


def is_family(word: str) -> bool:
    """Whether it is a family name somewhere, lower case."""
    return word in _names()[1]


def is_town(word: str) -> bool:
    """Whether a town, a region or a country is called so, lower case."""
    return word in _names()[2]


@lru_cache(maxsize=4096)
def is_ordinary(word: str, language: str) -> bool:
    """Whether a word, lower case, is one of the language's own: "couldn't" and "Schichtleiterin" too, made of words that are."""
    if len(word) > LONGEST:
        return False
    known = vocabulary(language)
    if word in known or word in lists(language).plain:
        return True
    parts = [part for part in word.replace("’", "'").replace("-", "'").split("'") if part]
    if len(parts) > 1:
        return all(is_ordinary(part, language) or part in ENDINGS for part in parts)
    return language == "de" and _is_compound(word, known)


def _is_compound(word: str, known: Words) -> bool:
    for cut in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
        if word[cut:] in known or _is_compound(word[cut:], known):
            head = word[:cut]
            if head in known or (head.endswith("s") and head[:-1] in known) or (head.endswith("en") and head[:-2] in known):
                return True
    return False
