"""Patterns: named regular expressions, and a sieve that says which of them are worth trying on a text."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

GRAM = 3


@dataclass(frozen=True)
class Pattern:
    """A named regular expression, for a text that was prepared by `coach.safety.plainly`. Any match holds one of `words`, if there are any."""

    name: str
    source: str
    example: str
    never: str = ""
    words: tuple[str, ...] = ()

    @cached_property
    def find(self) -> re.Pattern[str]:
        """Compiled at the first use: nobody waits for Spanish in a house that writes German."""
        return re.compile(self.source)


class Sieve:
    """Patterns, filed by three letters of each of their words (as in Cox, "Regular Expression Matching with a Trigram Index", 2012)."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        """Each word has three letters or more."""
        self.patterns = patterns
        self._always = frozenset(place for place, pattern in enumerate(patterns) if not pattern.words)
        self._filed: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for place, pattern in enumerate(patterns):
            for word in pattern.words:
                self._filed[word[-GRAM:]].append((word, place))

    def found(self, plain: str) -> Iterator[Pattern]:
        """The patterns that are somewhere in a text, in order."""
        return (pattern for pattern in self._worth(plain) if pattern.find.search(plain))

    def cut(self, plain: str) -> str:
        """A text without them."""
        for pattern in self._worth(plain):
            plain = pattern.find.sub(" ", plain)
        return plain

    def _worth(self, plain: str) -> list[Pattern]:
        grams = {plain[low : low + GRAM] for low in range(len(plain) - GRAM + 1)}
        places = set(self._always)
        for gram in grams & self._filed.keys():
            places.update(place for word, place in self._filed[gram] if place not in places and word in plain)
        return [self.patterns[place] for place in sorted(places)]
