"""What only the write-up can tell of a question: names or numbers from nowhere, answers already given, questions already asked.

Conservative throughout: each rule speaks where a reader would agree at once, and is silent elsewhere.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from coach.guard.rules import Hit
from coach.guard.sentence import MOST_CHARACTERS, Sentence, read
from coach.model import Reason

ALIKE = 0.75  # share of content words that two questions have in common

_QUOTED = re.compile(r'"([^"]{1,400})"|“([^”]{1,400})”|„([^“”]{1,400})[“”]|«([^»]{1,400})»')
_NAME = re.compile(r"(?<![.!?:\"“„«]\s)(?<=\s)[^\W\d_a-zß-öø-ÿ][^\W\d_]+(?:[ -][^\W\d_a-zß-öø-ÿ][^\W\d_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_CLAIM = re.compile(
    r"\b(?:you (?:said|say|wrote|write|mentioned|mention|told us|described|describe)|(?:said|wrote|described) by you) (?:that )?(.{8,}?)(?=[:?,]|$)"
)
_SCALE = re.compile(r"\b(?:scale|0|1|10|100|zero|one|ten)\b")
_FACT = re.compile(r"^(?:and |so )?(?:what|who|when|where|which|how) (?:exactly )?(?:is|are|was|were|did|does|do|has|have|had)\b")
_REFLECTIVE = re.compile(
    r"\b(?:you (?:make|feel|felt|think|thought|see|saw|want|need|notice|noticed|hope|wish|hear|heard|learn|know|like)|mean|means|meant|"
    r"matter|matters|like|feel|feels|would|could|might|important|different|better|best|most|least|else|hard|easy)\b"
)
_CONTENT = re.compile(r"[^\W\d_]{3,}")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")


@dataclass(frozen=True)
class Context:
    """What stands around a question: the write-up, the guidance that it cites, and what was asked before."""

    challenge: str = ""
    passages: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def _words() -> Mapping[str, frozenset[str]]:
    raw = files("coach.guard").joinpath("context.yaml").read_text(encoding="utf-8")
    return {name: frozenset(words.split()) for name, words in yaml.safe_load(raw).items()}


def broken(sentence: Sentence, context: Context) -> Iterator[Hit]:
    """The rules of context that a sentence breaks, the first of each."""
    if context.challenge:
        for rule in (_strange_quotation, _strange_number, _strange_name, _strange_claim):
            if found := rule(sentence, context):
                yield found
                break
        if found := _answered(sentence, context):
            yield found
    if found := _asked_before(sentence, context.asked):
        yield found


def _around(context: Context) -> str:
    return "\n".join((context.challenge, *context.passages))


def _hit(reason: Reason, rule: str, sentence: Sentence, start: int, end: int) -> Hit:
    """A hit whose offsets count the text as given, put into those of the sentence as read."""
    inside = [place for place, origin in enumerate(sentence.at) if start <= origin < end]
    return Hit(reason, rule, (inside[0], inside[-1] + 1) if inside else (0, len(sentence.plain)))


def _strange_quotation(sentence: Sentence, context: Context) -> Hit | None:
    quoted = list(_QUOTED.finditer(sentence.text[:MOST_CHARACTERS]))
    around = _around(context) if quoted else ""
    for match in quoted:
        group = next(number for number in range(1, 5) if match[number] is not None)
        if match[group].strip() not in around:
            return _hit(Reason.UNGROUNDED, "strange-quotation", sentence, *match.span(group))
    return None


def _strange_number(sentence: Sentence, context: Context) -> Hit | None:
    numbers = list(_NUMBER.finditer(sentence.text[:MOST_CHARACTERS]))
    if not numbers or _SCALE.search(sentence.plain):
        return None
    known = set(_NUMBER.findall(_around(context)))
    strange = next((match for match in numbers if match[0] not in known), None)
    return _hit(Reason.UNGROUNDED, "strange-number", sentence, *strange.span()) if strange else None


def _strange_name(sentence: Sentence, context: Context) -> Hit | None:
    names = list(_NAME.finditer(sentence.text[:MOST_CHARACTERS]))
    if not names:
        return None
    around = _around(context).casefold()
    common = _words()["names"]
    for match in names:
        for word in re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*", match[0]):
            name = re.sub(r"['’]s?$", "", word[0].casefold())
            if name not in common and not re.search(rf"\b{re.escape(name)}", around):
                return _hit(Reason.UNGROUNDED, "strange-name", sentence, match.start() + word.start(), match.start() + word.end())
    return None


def _strange_claim(sentence: Sentence, context: Context) -> Hit | None:
    """Words put into the writer's mouth, fewer than half of which stand in the write-up."""
    match = _CLAIM.search(sentence.plain)
    if match is None or '"' in match[1]:
        return None
    claimed = _stems(match[1])
    if len(claimed) >= 2 and len(claimed & _stems(_around(context))) < len(claimed) / 2:
        return Hit(Reason.UNGROUNDED, "strange-claim", match.span(1))
    return None


def _answered(sentence: Sentence, context: Context) -> Hit | None:
    """A question of bare fact, all of whose content stands in one sentence of the write-up."""
    if not _FACT.search(sentence.plain) or _REFLECTIVE.search(sentence.plain) or '"' in sentence.plain:
        return None
    asked = _stems(sentence.plain)
    if len(asked) >= 3 and any(asked <= _stems(told[0]) for told in _SENTENCE.finditer(context.challenge)):
        return Hit(Reason.REDUNDANT, "answered-already", (0, len(sentence.plain)))
    return None


def _asked_before(sentence: Sentence, asked: Iterable[str]) -> Hit | None:
    mine = _stems(sentence.whole) or {sentence.whole}
    for earlier in asked:
        before = read(earlier)
        theirs = _stems(before.whole) or {before.whole}
        if len(mine & theirs) / len(mine | theirs) >= ALIKE:
            return Hit(Reason.REPEATED, "asked-before", (0, len(sentence.plain)))
    return None


def _stems(text: str) -> set[str]:
    """Content words by their first six letters: "negotiating" and "negotiations" are one."""
    empty = _words()["empty"]
    return {word[:6] for word in map(str.lower, _CONTENT.findall(text)) if word not in empty}
