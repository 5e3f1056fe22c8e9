"""A Writer without a model: it composes from curated questions and the manager's own words. Same input, same library: same answer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coach import guard
from coach.knowledge.embedders import Reading, Vectors, unit
from coach.knowledge.files import opening
from coach.knowledge.shelf import Shelf, Shelves
from coach.model import (
    About,
    AcknowledgementDraft,
    AcknowledgementTemplate,
    BankQuestion,
    Challenge,
    Draft,
    Evidence,
    Finding,
    Form,
    Notice,
    Perspective,
    Stage,
    Voice,
)
from coach.quoting import Lexicon, Quotable, quotables, reads_as, sentences
from coach.selection import Candidate, SetRules, choose

UNCLEAR = Notice("unclear", "It was hard to make out what this is about, so these are general opening questions. A few plain sentences would help.")

QUOTES = 24  # spans considered for the slots
SHORTLIST = 48  # candidates considered for the set
ALIKE = 0.72  # cosine above which two questions of one set ask the same
LEAST_COMMON_WORDS = 0.12  # below this share of common words a text is a list or noise
LEAST_THEME = 0.16  # below this similarity to every theme an English text is about something else
SURE = 0.44  # a question that presupposes its `when` is asked only where two sentences are this near to it

# How a choice is scored. A question that presupposes its `when` scores by how near the two nearest sentences are to it (0.44 and up); one that
# fits anywhere starts below that and gains by its own nearness; words of the manager's add by their weight and by how well they suit it.
GENERAL = 0.30
GENERAL_WITHOUT_QUOTE = 0.20
COMMON = 0.6  # how much of a question's nearness to everything is taken off
WEIGHT_OF_QUOTE = 0.06
FIT_OF_QUOTE = 0.20
USUAL_GAIN = 0.20  # what a quotation adds on average: a question is not better for having one
FOCUS_BONUS = 0.12
SPREAD = 0.09  # between questions that fit equally well the text itself decides, so that not every manager is asked the same


@dataclass(frozen=True)
class _Fit:
    """How well each question suits the write-up, whether its `when` holds, and how well each quotation suits each question."""

    relevance: Vectors
    holds: npt.NDArray[np.bool_]
    quotes: Vectors


@dataclass(frozen=True)
class _Choice:
    """A question of the bank with the words that would stand in its slot."""

    row: int
    question: BankQuestion
    quote: Quotable | None
    score: float

    @property
    def text(self) -> str:
        """The question as it would be asked."""
        return self.question.text.replace("{quote}", self.quote.evidence.quote) if self.quote else self.question.text


class Bank:
    """Chooses and fills; the guard and the grounding judge what comes out like any other draft."""

    engine = "bank"
    model = None

    def __init__(self, shelves: Shelves) -> None:
        """`shelves` hold the questions and their vectors."""
        self._shelves = shelves

    async def draft(self, challenge: Challenge, finding: Finding, language: str) -> AsyncIterator[AcknowledgementDraft | Draft | Notice]:
        """An acknowledgement, then the questions in the order in which to ask them."""
        for item in await asyncio.to_thread(self._compose, challenge, finding, language):
            yield item

    def _compose(self, challenge: Challenge, finding: Finding, language: str) -> list[AcknowledgementDraft | Draft | Notice]:
        knowledge = self._shelves.first.knowledge
        lexicon = knowledge.lexicons.get(language)
        quotes = quotables(challenge.text, lexicon)[:QUOTES] if lexicon else []
        told = sentences(challenge.text, lexicon) if lexicon else []
        spans = [*((quote.start, quote.end) for quote in quotes), *told]
        shelf, reading, _ = self._shelves.read(challenge.text, spans)
        clear = lexicon is not None and _is_clear(challenge.text, lexicon, shelf, reading)
        quotes = quotes if clear else []
        fit = _fit(shelf, reading, len(quotes)) if clear else _no_fit(shelf)
        chosen = self._choose(_choices(knowledge.questions, quotes, fit, challenge), shelf, challenge, quotable=bool(quotes))
        notices = [] if clear else [UNCLEAR]
        drafts = [_draft(choice, guidance) for choice, guidance in zip(chosen, _guidance(chosen, shelf, finding), strict=True)]
        return [*notices, _acknowledgement(knowledge.acknowledgements, quotes, chosen, challenge.text), *drafts]

    def _choose(self, choices: Sequence[_Choice], shelf: Shelf, challenge: Challenge, *, quotable: bool) -> list[_Choice]:
        listed = _shortlist(choices)
        rules = SetRules.of(challenge.count, other=True, quotable=quotable)
        while True:
            picked = [listed[index] for index in choose(_candidates(listed, shelf), rules)]
            refused = [choice for choice in picked if not guard.check(choice.text).accept]
            if not refused:
                return picked
            listed = [choice for choice in listed if choice not in refused]


def _is_clear(text: str, lexicon: Lexicon, shelf: Shelf, reading: Reading) -> bool:
    """Whether the text reads as somebody telling of their work. The encoder knows English: elsewhere only the common words count."""
    if reads_as(text, lexicon) < LEAST_COMMON_WORDS:
        return False
    return lexicon.language != "en" or float((shelf.themes @ reading.parts.T).max()) >= LEAST_THEME


def _fit(shelf: Shelf, reading: Reading, quotes: int) -> _Fit:
    """Nearness of each question's `when` to the two nearest sentences; for general ones, to the whole, less what is near to anything."""
    told = reading.spans[quotes:] if len(reading.spans) > quotes else reading.parts
    closest = 2 if len(told) > 3 else 1
    nearness = np.sort(shelf.whens @ told.T, axis=1)[:, -closest:].mean(axis=1)
    commonness = shelf.whens @ unit(shelf.whens.mean(axis=0))
    general = np.array([question.general for question in shelf.knowledge.questions])
    slotted = np.array([question.slot is not None for question in shelf.knowledge.questions])
    base = np.where(slotted, GENERAL, GENERAL_WITHOUT_QUOTE)
    anywhere = base + 0.25 * (shelf.whens @ reading.whole + nearness - COMMON * commonness)
    relevance = np.where(general & (nearness < SURE), anywhere, np.maximum(nearness, np.where(general, anywhere, 0)))
    return _Fit(relevance, nearness >= SURE, (0.5 * shelf.whens + 0.5 * shelf.questions) @ reading.spans[:quotes].T)


def _no_fit(shelf: Shelf) -> _Fit:
    count = len(shelf.whens)
    return _Fit(np.zeros(count, np.float32), np.zeros(count, np.bool_), np.zeros((count, 0), np.float32))


def _choices(questions: Sequence[BankQuestion], quotes: Sequence[Quotable], fit: _Fit, challenge: Challenge) -> list[_Choice]:
    choices: list[_Choice] = []
    for row, question in enumerate(questions):
        if not question.general and not fit.holds[row]:
            continue
        score = float(fit.relevance[row]) + SPREAD * _lot(challenge.text, question) + (FOCUS_BONUS if question.skill in challenge.focus else 0.0)
        if question.slot is None:
            choices.append(_Choice(row, question, None, score))
            continue
        fitting = [
            (float(WEIGHT_OF_QUOTE * quote.weight + FIT_OF_QUOTE * fit.quotes[row, place]) - USUAL_GAIN, -place)
            for place, quote in enumerate(quotes)
            if question.slot in (Voice.ANY, quote.voice)
        ]
        choices += [_Choice(row, question, quotes[-place], score + gain) for gain, place in sorted(fitting, reverse=True)[:2]]
    return choices


def _lot(text: str, question: BankQuestion) -> float:
    """A number from 0 to 1 that depends on the text and the question and on nothing else."""
    digest = hashlib.blake2b(f"{question.id}\0{text}".encode("utf-8", "surrogatepass"), digest_size=2).digest()
    return int.from_bytes(digest, "big") / 65535


def _shortlist(choices: Sequence[_Choice]) -> list[_Choice]:
    """The best of all, and enough of each kind that every rule can be kept."""
    ranked = sorted(choices, key=lambda choice: (-choice.score, choice.question.id, choice.text))
    kept = ranked[:SHORTLIST]
    for kind in _KINDS:
        kept += [choice for choice in ranked if kind(choice)][:8]
    return list({(choice.row, choice.quote.start if choice.quote else -1): choice for choice in kept}.values())


_KINDS: tuple[Callable[[_Choice], bool], ...] = (
    lambda choice: choice.quote is None,
    lambda choice: choice.question.about is About.SELF,
    lambda choice: choice.question.about is About.SITUATION,
    lambda choice: choice.question.about is About.OUTCOME,
    lambda choice: choice.question.form is Form.HUMBLE and choice.question.stage in {Stage.OPEN, Stage.EXPLORE},
    lambda choice: choice.question.stage is Stage.CLOSE,
    lambda choice: choice.question.perspective is Perspective.OTHER,
)


def _candidates(listed: Sequence[_Choice], shelf: Shelf) -> list[Candidate]:
    rows = shelf.questions[[choice.row for choice in listed]]
    alike = rows @ rows.T > ALIKE
    openings = [opening(choice.text) for choice in listed]
    return [
        Candidate(_draft(choice, ()), choice.score, choice.question.stage, sum(1 << there for there in _bars(here, listed, alike, openings)))
        for here, choice in enumerate(listed)
    ]


def _bars(here: int, listed: Sequence[_Choice], alike: npt.NDArray[np.bool_], openings: Sequence[str]) -> Iterator[int]:
    quote = listed[here].quote
    for there, other in enumerate(listed):
        overlapping = quote is not None and other.quote is not None and quote.overlaps(other.quote)
        if alike[here, there] or openings[here] == openings[there] or overlapping:
            yield there


def _draft(choice: _Choice, guidance: tuple[str, ...]) -> Draft:
    question = choice.question
    evidence = (choice.quote.evidence,) if choice.quote else ()
    return Draft(choice.text, question.skill, question.about, question.perspective, question.form, "bank", evidence, guidance, question.id)


def _guidance(chosen: Sequence[_Choice], shelf: Shelf, finding: Finding) -> Iterator[tuple[str, ...]]:
    """For each question the retrieved passage that is nearest to what it is for; another one each time, as long as there is one."""
    rows = {passage.id: row for row, passage in enumerate(shelf.knowledge.passages)}
    left = list(finding.passages)
    for choice in chosen:
        purpose = shelf.whens[choice.row] + shelf.questions[choice.row]
        left = left or list(finding.passages)
        if not left:
            yield ()
            continue
        best = max(left, key=lambda found: (float(shelf.passages[rows[found.passage.id]] @ purpose) + found.score, found.passage.id))
        left.remove(best)
        yield (best.passage.id,)


def _acknowledgement(
    templates: Sequence[AcknowledgementTemplate], quotes: Sequence[Quotable], chosen: Sequence[_Choice], text: str
) -> AcknowledgementDraft:
    """One sentence around the two heaviest spans that no question uses (the heaviest of all if every one is used)."""
    used = [choice.quote for choice in chosen if choice.quote]
    free = [quote for quote in quotes if not any(quote.overlaps(other) for other in used)] or list(quotes[:1])
    for count in (2, 1, 0):
        fitting = [template for template in templates if template.quotes == count]
        if len(free) >= count and fitting:
            spoken = [quote.evidence for quote in sorted(free[:count], key=lambda quote: quote.start)]
            template = fitting[hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] % len(fitting)]
            return AcknowledgementDraft(_fill(template.text, spoken), tuple(spoken))
    message = "knowledge/acknowledgements.yaml has no template without a quotation"
    raise LookupError(message)


def _fill(template: str, spoken: Sequence[Evidence]) -> str:
    for slot, evidence in zip(("{first}", "{second}"), spoken, strict=False):
        template = template.replace(slot, evidence.quote)
    return template
