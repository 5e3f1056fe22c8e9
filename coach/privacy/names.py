"""Finds what names somebody or something: people, companies, products, places. Masking too much costs little, since it is undone.

Where a language keeps capitals for names, a capital inside a sentence is one unless a list says otherwise; at the start of a sentence, in
German and in a text typed in lower case it takes more: a word that the language does not know, a given name, a title, a verb of saying.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from coach.privacy import tokens
from coach.privacy.spans import Kind, Span
from coach.privacy.tokens import Token
from coach.privacy.words import Lists, is_family, is_given, is_ordinary, is_town, lists, vocabulary

SHORTEST = 2
LOWER_TYPED = 0.4  # share of sentences that begin small, from which a text is read as typed in lower case
_STREETS = ("gasse", "straße", "strasse", "allee")
LONGEST_STREET = 7  # letters of the longest of these: a name is longer
_CALLED = frozenset({"heißt", "hieß", "heißen", "namens"})
_DUTCH = frozenset({"van", "ten", "ter"})
_PARTICLES = _DUTCH | {"der", "den", "de", "le", "la", "les", "du", "des", "von", "el", "da", "di"}
_JOINTS = re.compile(r"[ \u00a0]|[ ]?&[ ]?|-|\. |[’']|[’']s ")
_INITIAL = re.compile(r"(?<!\w)[A-Z]\.(?=[ ]+[a-z])")


def find(text: str, language: str) -> list[Span]:
    """Every name, in order, none overlapping another."""
    words = tokens.read(text, language)
    names = _Names(words, language).found()
    spans = list(_joined(text, words, names, lists(language)))
    spans += [Span(*match.span(), Kind.PERSON) for match in _INITIAL.finditer(text)]
    return spans


class _Names:
    """Decides for each word of a text whether it is a name."""

    def __init__(self, words: Sequence[Token], language: str) -> None:
        self._words = words
        self._language = language if language in {"en", "de", "fr", "es"} else "en"
        self._lists = lists(language)
        starts = [word for word in words if word.first and word.text[0].isalpha()]
        self._small = bool(starts) and sum(not word.capital for word in starts) >= LOWER_TYPED * len(starts)

    def found(self) -> set[int]:
        """The places of the words that are names."""
        names = {place for place in range(len(self._words)) if self._is_name(place)}
        names |= {place for place in range(2, len(self._words)) if self._in_pair(place, names)}
        if self._small:
            named = {self._words[place].low for place in names}
            names |= {place for place, word in enumerate(self._words) if word.low in named}
        surely = {self._words[place].text for place in names if not self._words[place].first}
        again = {place for place, word in enumerate(self._words) if word.text in surely and word.capital and not self._listed(word)}
        lower = {word.low for place, word in enumerate(self._words) if place in names}
        small = {
            place for place, word in enumerate(self._words) if not word.capital and word.low in lower and not is_ordinary(word.low, self._language)
        }
        return names | again | small

    def _is_name(self, place: int) -> bool:
        word = self._words[place]
        if not word.text[0].isalpha() or (len(word.text) < SHORTEST and not self._titled(place)):
            return False
        if self._titled(place):
            return True
        if self._listed(word):
            return is_given(word.low) and word.low not in self._lists.plain and self._named_though_listed(place)
        if not word.capital:
            return word.mixed or self._small_name(place)
        if word.mixed and not word.upper:
            return True
        if word.upper:
            return self._capitals_name(word)
        if self._language == "de":
            return self._german_name(place)
        return self._first_name(place) if word.first else True

    def _in_pair(self, place: int, names: set[int]) -> bool:
        """Whether it stands with a name: "tuyet and graham", "brindle & fenn"."""
        word, joint = self._words[place], self._words[place - 1]
        if word.first or joint.first or word.low in self._lists.plain or word.low in self._lists.articles:
            return False
        beyond = self._words[place + 1] if place + 1 < len(self._words) else None
        if (word.gap == " & " and (self._small or (word.capital and joint.capital))) or (
            beyond is not None and beyond.gap == " & " and (self._small or (word.capital and beyond.capital))
        ):
            return not self._listed(word)
        return place - 2 in names and joint.low in {"and", "und", "et", "y"} and word.gap == " " and is_given(word.low)

    def _named_though_listed(self, place: int) -> bool:
        """A month or a day that somebody is called: "my wife June", "Sunday Akpan"."""
        word, before, after = self._words[place], self._before(place), self._after(place)
        if not word.capital:
            return self._small and self._speaks(place, before, after)
        beside = after is not None and after.gap == " " and after.capital and not self._listed(after) and not self._ordinary(after)
        return beside or (before is not None and before.low in self._lists.roles)

    def _listed(self, word: Token) -> bool:
        return word.low in self._lists.capitals or word.low in self._lists.titles

    def _ordinary(self, word: Token) -> bool:
        return is_ordinary(word.low, self._language)

    def _before(self, place: int) -> Token | None:
        """The word before in the same sentence."""
        return self._words[place - 1] if place and not self._words[place].first else None

    def _after(self, place: int) -> Token | None:
        following = self._words[place + 1] if place + 1 < len(self._words) else None
        return following if following and not set(following.gap) & set(".!?;:\n") else None

    def _titled(self, place: int) -> bool:
        beyond = place
        while beyond and self._words[beyond].gap == " " and self._words[beyond - 1].low in _PARTICLES:
            beyond -= 1
        before = self._words[beyond - 1] if beyond else None
        if before is None or before.low.rstrip(".") not in self._lists.titles or "\n" in self._words[place].gap:
            return False
        strong = before.low.rstrip(".") in self._lists.strong
        listed = self._words[place].low in self._lists.titles
        return not listed and self._words[place].gap in {" ", ". ", "\u00a0"} and (self._words[place].capital or (strong and self._small))

    def _capitals_name(self, word: Token) -> bool:
        """A word in capitals: somebody's initials, or what a firm calls something."""
        if word.shouted:
            return is_given(word.low) and not self._ordinary(word)
        if "." in word.text:
            return True
        return not self._ordinary(word) or (len(word.text) == SHORTEST and word.low not in self._lists.plain)

    def _first_name(self, place: int) -> bool:
        """A capital that every sentence has."""
        word = self._words[place]
        if not self._ordinary(word):
            return True
        following = self._after(place)
        if word.low not in self._lists.plain:
            return is_given(word.low) or is_town(word.low)
        if not is_given(word.low):
            return False
        return following is not None and (
            following.low in self._lists.saying or (following.gap == " " and following.capital and not self._listed(following))
        )

    def _german_name(self, place: int) -> bool:
        """Nouns have capitals too."""
        word, before, after = self._words[place], self._before(place), self._after(place)
        if not self._ordinary(word) or (self._coined(word) and (before is None or before.low not in self._lists.articles)):
            return True
        given = all(map(is_given, word.low.split("-"))) and word.low not in self._lists.plain
        if self._beside(before, word) or (after is not None and after.gap == " " and self._beside(word, after) and self._coined(word)):
            return True
        if self._genitive(word, after) or self._from_a_town(word, after) or (word.low.endswith(_STREETS) and len(word.low) > LONGEST_STREET):
            return True
        if word.first or before is None:
            listed = after is not None and (after.gap == ", " or (after.gap == " " and after.capital and not self._listed(after)))
            return given and (after is None or after.low in self._lists.saying | self._lists.before or listed)
        if before.low in _CALLED:
            return True
        if before.low in self._lists.articles or (before.capital and not before.first and word.gap == " ") or before.text[0].isdigit():
            return before.low in self._lists.articles and after is not None and after.capital and is_family(word.low) and given
        if before.low in self._lists.places:
            return True
        return given or (before.low in self._lists.before and (is_family(word.low) or is_town(word.low)))

    def _beside(self, first: Token | None, second: Token) -> bool:
        """Two nouns side by side: the second names the first ("Klinikum Hohenwarte", "Oberarzt Winter"), unless it is measured or dated."""
        if first is None or second.gap != " " or not (first.capital and second.capital) or self._listed(second) or first.low in self._lists.capitals:
            return False
        return not first.text[0].isdigit() and first.low not in self._lists.plain | self._lists.measures

    def _genitive(self, word: Token, after: Token | None) -> bool:
        """Somebody's: "Petras Einwand"."""
        owner = word.low[:-1]
        named = word.low.endswith("s") and len(owner) > SHORTEST and is_given(owner) and owner not in self._lists.plain
        return named and after is not None and after.gap == " " and after.capital

    def _from_a_town(self, word: Token, after: Token | None) -> bool:
        """Called after a town: "das Mannheimer Werk"."""
        town = word.low.endswith("er") and (is_town(word.low[:-2]) or is_town(word.low[:-1]))
        return town and after is not None and after.gap == " " and after.capital and not is_ordinary(word.low.removesuffix("er"), "de")

    def _coined(self, word: Token) -> bool:
        """Whether the vocabulary has it only as made of others."""
        return word.low not in vocabulary("de") and not word.low.endswith(tuple(self._lists.endings))

    def _small_name(self, place: int) -> bool:
        """A name without its capital."""
        word = self._words[place]
        if not word.text.replace("-", "").isalpha() or len(word.text) < SHORTEST:
            return False
        if self._small and len(word.text) == SHORTEST:
            return self._language == "en" and word.low not in self._lists.plain | self._lists.before | self._lists.places
        before, after = self._before(place), self._after(place)
        ordinary = self._ordinary(word)
        if not self._small:
            return is_given(word.low) and not ordinary and len(word.text) > SHORTEST
        if not ordinary:
            return True
        if before is not None and before.low in self._lists.takers:
            return not {word.low} & (self._lists.plain | self._lists.articles | self._lists.roles | self._lists.nobody | self._lists.before)
        if is_town(word.low) and before is not None and before.low in self._lists.places:
            return True
        if not is_given(word.low) or word.low in self._lists.saying or word.low in self._lists.before:
            return False
        return self._speaks(place, before, after) or (word.low not in self._lists.plain and self._goes_on(after))

    def _goes_on(self, after: Token | None) -> bool:
        """Whether what follows a given name in small letters is a family name, or another given one."""
        if after is None or after.gap != " " or after.capital or len(after.text) <= SHORTEST:
            return False
        return not self._ordinary(after) or (is_given(after.low) and after.low not in self._lists.plain | self._lists.saying)

    def _speaks(self, place: int, before: Token | None, after: Token | None) -> bool:
        """Whether somebody is named here: after "my deputy" or "told", before "said"; or something is said to be theirs."""
        word = self._words[place]
        if word.low not in self._lists.plain and (after is not None and after.gap.startswith(("'s", "’s"))):
            return True
        begins = before is None or bool(word.gap.strip()) or before.low in {"and", "und", "et", "y", "but", "so"}
        introduced = before is not None and (before.low in self._lists.roles or before.low in self._lists.before)
        if not begins and not introduced:
            return False
        if after is None or bool(after.gap.strip()):
            return word.low not in self._lists.plain
        spoken = after.low in self._lists.saying or (after.low.endswith("s") and not after.low.endswith("ss") and word.low not in self._lists.plain)
        return spoken and after.low not in {"and", "or"}


def _joined(text: str, words: Sequence[Token], names: set[int], known: Lists) -> Iterator[Span]:
    """Names that stand together are one: with titles before them, particles between, and what a company is called after."""
    place = 0
    while place < len(words):
        if place not in names:
            place += 1
            continue
        last = place
        while (following := _next(words, last, names, known)) is not None:
            last = following
        first = _reach(words, place, known)
        while first and words[first - 1].low.rstrip(".") in known.titles and words[first].gap in {" ", ". ", "\u00a0"} and first - 1 not in names:
            first -= 1
        end = words[last].end + (2 if words[first].low.startswith("st") and text[words[last].end :][:2] in {"'s", "’s"} else 0)  # St Aldwen's
        if first and words[first].gap == " " and words[first - 1].capital and words[first - 1].low in known.company | known.roles:
            first -= 1
        yield Span(words[first].start, end, _kind(words, first, last, known))
        place = last + 1


def _reach(words: Sequence[Token], first: int, known: Lists) -> int:
    """Where a name begins that has particles before it: "van der Zwaag", "La Haute-Brosse", "M. de Kerangal"."""
    place = first
    while place and words[place].gap == " " and words[place - 1].low in _PARTICLES:
        word, before = words[place - 1], words[place - 2] if place > 1 else None
        titled = before is not None and before.low.rstrip(".") in known.titles and word.gap in {" ", ". "}
        if not (titled or word.low in _DUTCH or (before is not None and before.low in _DUTCH) or (word.capital and not word.first)):
            break
        place -= 1
    return place


def _next(words: Sequence[Token], last: int, names: set[int], known: Lists) -> int | None:
    """The place of the word that goes on with the name, if one does."""
    following = last + 1
    if following >= len(words) or not _JOINTS.fullmatch(words[following].gap):
        return None
    word = words[following]
    if following in names and not (word.gap == ". " and word.first):
        return None if word.gap.endswith("s ") and is_given(word.low) else following
    if word.gap == " " and word.capital and not word.first and is_given(word.low) and words[last].capital:
        return following  # "Wei Jun": the month is a name here
    if word.low in known.company and word.capital:
        return following
    if word.text.isdigit() and word.gap == " " and len(word.text) <= 2 and not is_given(words[last].low):
        return following
    if word.gap == " " and (word.low in known.streets or word.low in known.after):
        return following
    beyond = following
    while beyond < len(words) and words[beyond].gap in {" ", ". "} and _goes_between(words[beyond], known):
        beyond += 1
    if following < beyond < len(words) and beyond in names and words[beyond].gap in {" ", ". "}:
        return beyond
    return None


def _goes_between(word: Token, known: Lists) -> bool:
    """Whether it may stand inside a name: a particle, or an initial."""
    return word.low in known.particles or word.low == "of" or (len(word.text) == 1 and word.text.isalpha() and word.text not in {"I", "a"})


def _kind(words: Sequence[Token], first: int, last: int, known: Lists) -> Kind:
    """What it most likely names. A wrong guess costs the model a little, and nobody else anything."""
    inside = words[first : last + 1]
    before = words[first - 1].low if first else ""
    after = words[last + 1].low if last + 1 < len(words) else ""
    if any(word.low in known.company for word in inside):
        return Kind.COMPANY
    if any(word.low.rstrip(".") in known.titles for word in inside) or is_given(inside[0].low):
        return Kind.PERSON
    if any(word.mixed for word in inside) or after in known.things or before in known.things:
        return Kind.PRODUCT
    if before in known.places and before not in known.works:
        return Kind.PLACE
    if before in known.works and not (first > 1 and words[first - 2].low in known.directed):
        return Kind.COMPANY
    return Kind.PERSON


def occurrences(text: str, surfaces: Iterable[str], kind: Kind) -> Iterator[Span]:
    """Where a text holds these words, whole and in any case."""
    for surface in surfaces:
        if surface.strip():
            pattern = rf"(?<!\w){re.escape(surface.strip())}(?!\w)"
            yield from (Span(*match.span(), kind) for match in re.finditer(pattern, text, re.IGNORECASE))
