"""Is this a moment to coach at all? Conservative: when unsure, a person is shown where help is. Deterministic; nothing is asked of any other host.

Three things look at a text: patterns (knowledge/safety, with figures of speech cut out first), a trained reader of each sentence (reader.py), and,
for short texts, whether anything in them is concrete. What they do is measured by `coach receipt safety`. It is not a safety product.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from coach.model import Draft, Flag, Help, Signpost
from coach.safety.patterns import Sieve
from coach.safety.reader import ENGLISH, Reader, reader

VERSION = "2"
ANYWHERE = ""  # the country of whom nothing is known
SHORT = 45  # words: only a text as short as this can be too thin
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*[\"”»]?")
_MARKS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " ", "œ": "oe"})


@dataclass(frozen=True)
class Signposts:
    """What knowledge/safety holds: patterns by language and flag, what to say, where help is by country, and the one question that may follow.

    `greetings` is how people say hello, `welcome` what is said to who said no more, by language, and `opening` the question after it.
    """

    patterns: Mapping[str, Mapping[Flag, Sieve]]
    anywhere: Mapping[Flag, Sieve]
    figures: Sieve
    concrete: Sequence[re.Pattern[str]]
    says: Mapping[Flag, Mapping[str, str]]
    helps: Mapping[str, Mapping[Flag, Sequence[Help]]]
    emergency: Mapping[str, str]
    support: Draft
    greetings: re.Pattern[str]
    welcome: Mapping[str, str]
    opening: Draft


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a text is. `aside` holds the parts that speak to the machine, as offsets into the text."""

    flag: Flag | None = None
    by: tuple[str, ...] = ()
    aside: tuple[tuple[int, int], ...] = field(default=(), repr=False)

    @property
    def stops(self) -> bool:
        """Whether there is no ordinary answer."""
        return self.flag not in {None, Flag.INJECTION}


def plainly(text: str, language: str) -> str:
    """Lower case, straight marks; without accents, but in German, where they tell words apart."""
    plain = text.translate(_MARKS).lower()
    if language == "de" or plain.isascii():
        return plain
    return "".join(letter for letter in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(letter))


def sentences(text: str) -> list[str]:
    """The sentences of a text that hold a word, roughly."""
    found = (match[0].strip() for match in _SENTENCE.finditer(text))
    return [one for one in found if any(map(str.isalnum, one))]


class Safety:
    """Judges write-ups."""

    def __init__(self, signposts: Signposts, learned: Reader | None = None) -> None:
        """`learned` is the reader to use; else the one that is shipped.

        Errors: OSError or ValueError for broken weights.
        """
        self.signposts = signposts
        self._reader = learned or reader()

    def judge(self, text: str, language: str) -> Judgement:
        """The most serious thing that a text is; `language` is an ISO 639-1 code."""
        aside = tuple(self._aside(text))
        if grave := self._grave(_without(text, aside), language):
            return replace(grave, aside=aside)
        if aside:
            return Judgement(Flag.INJECTION, ("injection",), aside)
        plain = plainly(text, ENGLISH)
        if by := tuple(pattern.name for pattern in self.signposts.anywhere[Flag.OFF_TOPIC].found(plain)):
            return Judgement(Flag.OFF_TOPIC, by)
        if self.reads(language) and len(text.split()) <= SHORT and not any(mark.search(plain) for mark in self.signposts.concrete):
            return Judgement(Flag.TOO_THIN, ("nothing-concrete",))
        return Judgement()

    def reads(self, language: str) -> bool:
        """Whether a text in this language is understood at all. Where it is not, a cry for help is not either."""
        return language in self.signposts.patterns

    def _grave(self, text: str, language: str) -> Judgement | None:
        """A crisis, or a matter for others: by patterns, which are quick, or by reading."""
        texts = {spoken: self.literal(plainly(text, spoken)) for spoken in dict.fromkeys((language, ENGLISH))}
        if by := self._found(Flag.CRISIS, texts):
            return Judgement(Flag.CRISIS, tuple(by))
        told = sentences(text)
        plain = [plainly(one, ENGLISH) for one in told]
        if texts[ENGLISH] != plainly(text, ENGLISH):  # most texts hold no figure of speech, and need not be searched again
            plain = [self.literal(one) for one in plain]
        read = self._reader.reads(told, plain, language)
        if Flag.CRISIS in read:
            return Judgement(Flag.CRISIS, ("reading",))
        found = [*self._found(Flag.HR_LEGAL, texts), *(["reading"] if Flag.HR_LEGAL in read else [])]
        return Judgement(Flag.HR_LEGAL, tuple(found)) if found else None

    def speaks_to_a_machine(self, text: str) -> bool:
        """Whether part of a text is meant for a program that reads it."""
        return bool(self._aside(text))

    def signpost(self, judgement: Judgement, language: str, country: str | None) -> Signpost:
        """What to say, in the language of the write-up if we have it, and where help is in a country, or for all where it is not known."""
        flag = judgement.flag or Flag.TOO_THIN
        says = self.signposts.says[flag]
        text = says.get(language.lower().split("-")[0], says[ENGLISH])
        if flag not in {Flag.CRISIS, Flag.HR_LEGAL}:
            return Signpost(flag, text)
        known = country if country in self.signposts.helps else ANYWHERE
        helps = tuple(self.signposts.helps[known or ANYWHERE].get(flag, ()))
        return Signpost(flag, text, self.signposts.emergency[known or ANYWHERE] if flag is Flag.CRISIS else None, helps)

    def literal(self, plain: str) -> str:
        """A text prepared by `plainly`, without figures of speech."""
        return self.signposts.figures.cut(plain)

    def _found(self, flag: Flag, texts: Mapping[str, str]) -> list[str]:
        """The patterns of the text's language, and of English, that find something."""
        patterns = self.signposts.patterns
        return [pattern.name for spoken, text in texts.items() if spoken in patterns for pattern in patterns[spoken][flag].found(text)]

    def _aside(self, text: str) -> list[tuple[int, int]]:
        """The sentences that speak to the machine."""
        sieve = self.signposts.anywhere[Flag.INJECTION]
        if not any(True for _ in sieve.found(plainly(text, ENGLISH))):
            return []
        spans = [match.span() for match in _SENTENCE.finditer(text)]
        found = [span for span in spans if any(True for _ in sieve.found(plainly(text[slice(*span)], ENGLISH)))]
        return found or [(0, len(text))]


def _without(text: str, aside: Sequence[tuple[int, int]]) -> str:
    """The text without parts of it; all of it where nothing else would be left."""
    kept, place = [], 0
    for start, end in aside:
        kept.append(text[place:start])
        place = end
    rest = " ".join((*kept, text[place:]))
    return rest if rest.strip() else text
