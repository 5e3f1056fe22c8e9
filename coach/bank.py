"""A Writer without a model: it composes from curated questions and the manager's own words. Same input, same library: same answer."""

import asyncio
import hashlib
import itertools
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from coach.converse import blank, decides, last_sentence
from coach.errors import EmbedderUnavailable
from coach.knowledge.embedders import Endpoint, MiniLM, Reading, Vectors
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
    Found,
    Hearing,
    Notice,
    Perspective,
    Stage,
    Turn,
    Voice,
)
from coach.ports import Written
from coach.privacy import Hider, hider
from coach.quoting import MOST_WORDS, Lexicon, Quotable, hollow, quotables, reads_as, sentences, tells_of_others
from coach.selection import Candidate, SetRules, choose

_UNQUOTED = re.compile(r'["“”„«»<>{}\[\]|*_#`\\\n]|https?:|@')  # what cannot stand in a quotation
_ENDED = re.compile(r"[.!?…\n;]")

UNCLEAR = Notice("unclear", "It was hard to make out what this is about, so these are general opening questions. A few plain sentences would help.")

QUOTES = 24  # spans considered for the slots
LEAST_WEIGHT = 0.5  # a lighter span ("every time") only decorates ...
ENOUGH_QUOTES = 3  # ... and is quoted only where there are not this many others
SHORTLIST = 5  # questions considered for each place in the set
ALIKE = 0.80  # cosine above which two questions of one set ask the same
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
FOLLOWS_BONUS = 0.06  # for questions that were written to follow a reply
FOLLOWS_SPREAD = 0.14  # between these, which fit nearly everywhere: not every conversation is the same
SHORT_REPLY = 1.0  # the weight of a reply that is quoted whole
SPREAD = 0.09  # between questions that fit equally well the text itself decides, so that not every manager is asked the same


@dataclass(frozen=True)
class _Fit:
    """How well each question suits the write-up, whether it may be asked at all, and how well each quotation suits it."""

    relevance: Vectors
    may_be_asked: npt.NDArray[np.bool_]
    quotes: Vectors


@dataclass(frozen=True)
class _Choice:
    """A question of the bank with the words that would stand in its slot."""

    row: int
    question: BankQuestion
    quote: Quotable | None
    score: float

    @property
    def looks_own(self) -> bool:
        """Whether it leaves everybody else out, as it must where nobody else was mentioned."""
        return self.question.perspective is Perspective.OWN

    @property
    def text(self) -> str:
        """The question as it would be asked."""
        return self.question.text.replace("{quote}", self.quote.evidence.quote) if self.quote else self.question.text


class Bank:
    """Chooses and fills; the guard and the grounding judge what comes out like any other draft."""

    engine = "bank"
    model = None
    prompt = None

    def __init__(self, shelves: Shelves) -> None:
        """`shelves` hold the questions and their vectors."""
        self._shelves = shelves

    async def draft(
        self, challenge: Challenge, finding: Awaitable[Finding], language: str, asked: Sequence[Draft] = ()
    ) -> AsyncGenerator[Written, None]:
        """An acknowledgement, then the questions in the order in which to ask them; with some `asked`, those that are to follow them."""
        composed = await asyncio.to_thread(self._compose, challenge, language, asked)  # while Chroma is asked for the passages
        if not composed.clear:
            yield UNCLEAR
        yield _acknowledgement(self._shelves.first.knowledge.acknowledgements, composed, challenge)
        for choice, guidance in zip(composed.chosen, _guidance(composed, await finding), strict=True):
            yield _draft(choice, guidance)

    def heard(self, challenge: Challenge, language: str) -> AcknowledgementDraft:
        """The acknowledgement alone: 2 ms, as nothing is embedded for it."""
        knowledge = self._shelves.first.knowledge
        lexicon = knowledge.lexicons.get(language)
        heard = _hear(challenge.text, lexicon, challenge.aside)
        heard = _latest(heard, challenge, challenge.turn, lexicon) if challenge.turn else heard
        quotes = heard.quotes if heard.reads else ()
        return _acknowledgement(knowledge.acknowledgements, _Composed(self._shelves.first, (), quotes, heard.reads), challenge)

    def tells_of_others(self, challenge: Challenge, language: str) -> bool:
        """Whether somebody else is in the story."""
        lexicon = self._shelves.first.knowledge.lexicons.get(language)
        return lexicon is None or tells_of_others(challenge.text, lexicon)

    def alike(self, text: str, others: Sequence[str]) -> list[bool]:
        """Of each of the others, whether it asks nearly what this question asks, by the encoder of this process; False where it cannot tell."""
        embedder = self._shelves.first.embedder
        try:
            rows = (embedder if isinstance(embedder, MiniLM) else self._shelves.plain.embedder).embed([text, *others])
        except EmbedderUnavailable:
            return [False] * len(others)
        return [float(nearness) > ALIKE for nearness in rows[1:] @ rows[0]]

    def _compose(self, challenge: Challenge, language: str, asked: Sequence[Draft] = ()) -> "_Composed":
        knowledge = self._shelves.first.knowledge
        lexicon, turn = knowledge.lexicons.get(language), challenge.turn
        heard = _hear(challenge.text, lexicon, challenge.aside)
        heard = _latest(heard, challenge, turn, lexicon) if turn else heard
        hide = hider(challenge, language)
        shelf, reading, _ = self._shelves.read(challenge.text, heard.spans, hide)
        clear = heard.reads and (turn is not None or _is_clear(heard, shelf, reading))
        quotes = heard.quotes if clear else ()
        others = heard.others or bool(challenge.functions) or not clear
        if turn:
            fit = _following(shelf, reading, len(quotes), heard.late, clear=clear)
        else:
            fit = _fit(shelf, reading, len(quotes)) if clear else _no_fit(shelf)
        choices = [choice for choice in _choices(knowledge.questions, quotes, fit, challenge) if others or choice.looks_own]
        if turn:  # a short reply is no unclear one
            return _Composed(shelf, _next(choices, shelf, turn, hide, challenge.text), quotes, clear=True)
        chosen = _choose(choices, shelf, SetRules.of(challenge.count, other=others, quotable=bool(quotes)), asked, hide)
        return _Composed(shelf, chosen, quotes, clear)


def _choose(choices: Sequence[_Choice], shelf: Shelf, rules: SetRules, asked: Sequence[Draft], hide: Hider) -> tuple[_Choice, ...]:
    """The best set. That the guard passes each of them is checked when the index is built, with words in the slot, and again on the way out."""
    quoted = [evidence for draft in asked for evidence in draft.evidence]
    listed = _shortlist(_unlike(choices, shelf, [draft.text for draft in asked], quoted, hide) if asked else choices, rules.count)
    return tuple(listed[index] for index in choose(_candidates(listed, shelf), rules, [_stands(draft) for draft in asked]))


def _next(choices: Sequence[_Choice], shelf: Shelf, turn: Turn, hide: Hider, text: str) -> tuple[_Choice, ...]:
    """The one question that goes on: of the stage and the side that the turn asks for, or else of any that do not end the conversation."""
    seed, empty = _seed(text), blank(text[turn.since :])
    stays = turn.asked[-1] if turn.heard is Hearing.DEEPER else ""
    fresh = _unlike(choices, shelf, turn.asked, (), hide, again=stays)
    fresh = [choice for choice in fresh if (turn.heard is Hearing.REPLY or "answer" not in choice.text) and not (empty and choice.quote)]
    wanted: tuple[Callable[[BankQuestion], bool], ...] = (
        lambda question: (
            question.closes is turn.closes and question.stage is turn.stage and (question.perspective is Perspective.OTHER) >= turn.other
        ),
        lambda question: question.closes is None and question.stage is turn.stage,
        lambda question: question.closes is None and question.stage is not Stage.CLOSE,
    )
    fresh = [choice for choice in fresh if choice.question.offers == turn.offers] or fresh
    for fits in wanted:
        if fitting := [choice for choice in fresh if fits(choice.question)]:
            bonus = {choice.row: choice.question.follows * (FOLLOWS_BONUS + FOLLOWS_SPREAD * _lot(seed, choice.question)) for choice in fitting}
            return (max(fitting, key=lambda choice: (choice.score + bonus[choice.row], -choice.row)),)
    return ()


def _stands(draft: Draft) -> Candidate:
    """A question that was asked, as the rules see it."""
    return Candidate(draft.about, draft.perspective, draft.form, Stage.EXPLORE, bool(draft.evidence), 0.0)


def _unlike(  # noqa: PLR0913, PLR0917 (what is compared, with what, and how)
    choices: Sequence[_Choice], shelf: Shelf, texts: Sequence[str], quoted: Sequence[Evidence], hide: Hider, again: str = ""
) -> list[_Choice]:
    """The choices that can stand beside what was asked: unlike in meaning, in opening, and in the words quoted, unless those of `again`."""
    try:
        embedder = shelf.embedder
        rows = np.stack([embedder.read(text, (), hide).whole for text in texts]) if isinstance(embedder, Endpoint) else embedder.embed(texts)
        near = (shelf.questions @ rows.T).max(axis=1) > ALIKE
    except EmbedderUnavailable:
        near = np.zeros(len(shelf.questions), np.bool_)
    openings = {opening(text) for text in texts}
    return [
        choice
        for choice in choices
        if not near[choice.row]
        and opening(choice.text) not in openings
        and not any(choice.quote and choice.quote.start < item.end and item.start < choice.quote.end for item in quoted)
        and not any(choice.quote and choice.quote.evidence.quote in text for text in texts if text != again)
    ]


@dataclass(frozen=True)
class _Heard:
    """What a write-up gives without the library: words to say back, its sentences, and whether it reads as its language at all."""

    quotes: tuple[Quotable, ...] = ()
    told: tuple[tuple[int, int], ...] = ()
    reads: bool = False
    english: bool = False
    others: bool = True
    lighter: tuple[Quotable, ...] = ()  # all that could be quoted, however little it weighs
    late: int = 0  # how many of the sentences are of the last reply

    @property
    def spans(self) -> list[tuple[int, int]]:
        """What is to be read within the text: the quotations, then the sentences."""
        return [*((quote.start, quote.end) for quote in self.quotes), *self.told]


def _hear(text: str, lexicon: Lexicon | None, aside: Sequence[tuple[int, int]] = ()) -> _Heard:
    if lexicon is None:
        return _Heard()
    reads = reads_as(text, lexicon) >= LEAST_COMMON_WORDS
    found = [quote for quote in quotables(text, lexicon) if not any(quote.start < end and start < quote.end for start, end in aside)]
    telling = [quote for quote in found if quote.weight >= LEAST_WEIGHT]
    quotes = tuple((telling if len(telling) >= ENOUGH_QUOTES else found)[:QUOTES])
    return _Heard(quotes, tuple(sentences(text, lexicon)), reads, lexicon.language == "en", tells_of_others(text, lexicon), tuple(found))


def _latest(heard: _Heard, challenge: Challenge, turn: Turn, lexicon: Lexicon | None) -> _Heard:
    """What the last reply gives; a reply of a few words is quoted whole; where it gives nothing to quote, what was told before does.

    For who wants to stay with a question: the words in it, and no others.
    """
    if turn.heard is Hearing.DEEPER:
        return replace(heard, quotes=tuple(quote for quote in heard.lighter if quote.evidence.quote in turn.asked[-1]))
    quotes = tuple(quote for quote in heard.lighter if quote.start >= turn.since)[:QUOTES]
    late = sum(span[1] > turn.since for span in heard.told)
    aside = any(end > turn.since for _, end in challenge.aside)
    if not quotes and not aside and lexicon and (whole := _whole(challenge.text, turn.since, lexicon)):
        quotes = (whole,)
    before = len(challenge.text) - len(challenge.exchanges[-1].reply)  # "I don't get the question" is nothing to come back to
    return replace(heard, quotes=quotes or tuple(quote for quote in heard.quotes if quote.end <= before), late=late)


def _whole(text: str, since: int, lexicon: Lexicon) -> Quotable | None:
    """A short reply as a quotation: one line, no marks that would break one, nobody insulted."""
    reply = text[since:].strip().rstrip(".!…,; ")
    start = text.find(reply, since)
    bare = re.findall(r"[^\W\d_]+", reply.lower())
    if not bare or len(reply.split()) > MOST_WORDS or _UNQUOTED.search(reply) or not lexicon.insults.isdisjoint(bare):
        return None
    if hollow([word.replace("’", "'") for word in reply.lower().split()], lexicon):
        return None
    return Quotable(Evidence(reply, start, start + len(reply)), Voice.OWN if lexicon.speakers & {bare[0]} else Voice.ANY, SHORT_REPLY)


def _is_clear(heard: _Heard, shelf: Shelf, reading: Reading) -> bool:
    """Whether the text is about work. The encoder knows English: in other languages the common words have to do."""
    return not heard.english or float((shelf.themes @ reading.parts.T).max()) >= LEAST_THEME


def _fit(shelf: Shelf, reading: Reading, quotes: int) -> _Fit:
    """Nearness of each question's `when` to the two nearest sentences; for general ones, to the whole, less what is near to anything."""
    told = reading.spans[quotes:] if len(reading.spans) > quotes else reading.parts
    closest = 2 if len(told) > 3 else 1
    nearness = np.partition(shelf.whens @ told.T, -closest, axis=1)[:, -closest:].mean(axis=1)
    base = np.where(shelf.slotted, GENERAL, GENERAL_WITHOUT_QUOTE)
    anywhere = base + 0.25 * (shelf.whens @ reading.whole + nearness - COMMON * shelf.commonness)
    holds = nearness >= SURE
    relevance = np.where(shelf.general, np.where(holds, np.maximum(nearness, anywhere), anywhere), nearness)
    asked = (shelf.general | holds) & ~shelf.openers & ~shelf.follows
    return _Fit(relevance, asked, (0.5 * shelf.whens + 0.5 * shelf.questions) @ reading.spans[:quotes].T)


def _following(shelf: Shelf, reading: Reading, quotes: int, late: int, *, clear: bool) -> _Fit:
    """The same for the next question of a conversation, for which those in `following.yaml` may be asked too.

    What a question presupposes must be in all that was told; how well it fits is judged by the last `late` sentences.
    """
    if not clear:
        return _Fit(np.zeros(len(shelf.whens), np.float32), shelf.follows & ~shelf.slotted, np.zeros((len(shelf.whens), 0), np.float32))
    fit = _fit(shelf, reading, quotes)
    latest = Reading(reading.parts, np.concatenate((reading.spans[:quotes], reading.spans[-late:]))) if late else reading
    return replace(_fit(shelf, latest, quotes), may_be_asked=fit.may_be_asked | shelf.follows)


def _no_fit(shelf: Shelf) -> _Fit:
    """Nothing could be made out: the openers are as good as one another."""
    count = len(shelf.whens)
    return _Fit(np.zeros(count, np.float32), shelf.openers, np.zeros((count, 0), np.float32))


def _choices(questions: Sequence[BankQuestion], quotes: Sequence[Quotable], fit: _Fit, challenge: Challenge) -> list[_Choice]:
    """Each question that may be asked, with each of the few quotations that suit its slot best."""
    rows = np.flatnonzero(fit.may_be_asked)
    gains = WEIGHT_OF_QUOTE * np.array([quote.weight for quote in quotes]) + FIT_OF_QUOTE * fit.quotes[rows] - USUAL_GAIN
    best = np.argsort(-gains, axis=1, kind="stable")
    seed = _seed(challenge.text)
    choices: list[_Choice] = []
    for place, row in enumerate(rows.tolist()):
        question = questions[row]
        focus = FOCUS_BONUS if question.skill in challenge.focus else 0.0
        score = float(fit.relevance[row]) + SPREAD * _lot(seed, question) + focus
        if question.slot is None:
            choices.append(_Choice(row, question, None, score))
            continue
        suiting = (quote for quote in best[place].tolist() if question.slot in (Voice.ANY, quotes[quote].voice))
        choices += [
            _Choice(row, question, quotes[quote], score + float(gains[place, quote])) for quote in itertools.islice(suiting, 2 + challenge.count // 2)
        ]
    return choices


def _lot(seed: bytes, question: BankQuestion) -> float:
    """A number from 0 to 1 that depends on the text and the question and on nothing else."""
    return int.from_bytes(hashlib.blake2b(question.id.encode(), key=seed, digest_size=2).digest(), "big") / 65535


def _seed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _shortlist(choices: Sequence[_Choice], count: int) -> list[_Choice]:
    """The best questions of all, and enough of each kind that every rule can be kept; each with every quotation it was given."""
    ranked = sorted(choices, key=lambda choice: (-choice.score, choice.row))
    kept = _first_rows(ranked, SHORTLIST * count)
    for kind in _KINDS:
        kept |= _first_rows(filter(kind, ranked), 1 + count)
    return [choice for choice in ranked if choice.row in kept]


def _first_rows(ranked: Iterable[_Choice], most: int) -> set[int]:
    return set(itertools.islice(dict.fromkeys(choice.row for choice in ranked), most))


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
    return [
        Candidate(asked.about, asked.perspective, asked.form, asked.stage, choice.quote is not None, choice.score, bar)
        for choice, bar in zip(listed, _bars(listed, shelf), strict=True)
        for asked in (choice.question,)
    ]


def _bars(listed: Sequence[_Choice], shelf: Shelf) -> list[int]:
    """For each choice, as a bit set, those it cannot stand beside: alike in meaning, in opening, or in the words quoted."""
    rows = shelf.questions[[choice.row for choice in listed]]
    spelled: dict[str, int] = {}
    openings = np.array([spelled.setdefault(opening(choice.text), len(spelled)) for choice in listed])
    starts = np.array([choice.quote.start if choice.quote else -1 for choice in listed])
    ends = np.array([choice.quote.end if choice.quote else -1 for choice in listed])
    overlap = (starts[:, None] < ends[None, :]) & (starts[None, :] < ends[:, None])
    barred = (rows @ rows.T > ALIKE) | (openings[:, None] == openings[None, :]) | overlap
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(barred, axis=1, bitorder="little")]


@dataclass(frozen=True)
class _Composed:
    """The questions of an answer, and the words that none of them may have used."""

    shelf: Shelf
    chosen: tuple[_Choice, ...]
    quotes: tuple[Quotable, ...]
    clear: bool


def _draft(choice: _Choice, guidance: tuple[str, ...]) -> Draft:
    question = choice.question
    evidence = (choice.quote.evidence,) if choice.quote else ()
    return Draft(choice.text, question.skill, question.about, question.perspective, question.form, "bank", evidence, guidance, question.id)


def _guidance(composed: _Composed, finding: Finding) -> Iterator[tuple[str, ...]]:
    """Beside each question another of the passages that fit the write-up best: of those the one nearest to what the question is for."""
    shelf = composed.shelf
    best_fitting = finding.passages[: len(composed.chosen)]
    left = list(best_fitting)
    for choice in composed.chosen:
        purpose = shelf.whens[choice.row] + shelf.questions[choice.row]
        left = left or list(best_fitting)
        if not left:
            yield ()
            continue
        best = max(left, key=lambda found: (_nearness(found, shelf, purpose) + found.score, found.passage.id))
        left.remove(best)
        yield (best.passage.id,)


def _nearness(found: Found, shelf: Shelf, purpose: Vectors) -> float:
    """How near a passage is to what a question is for; nothing where they cannot be compared, as when words are counted meanwhile."""
    row = shelf.rows.get(found.passage.id)
    vector = np.asarray(found.vector, np.float32) if row is None else shelf.passages[row]
    return float(vector @ purpose) if len(vector) == len(purpose) else 0.0


def _acknowledgement(templates: Sequence[AcknowledgementTemplate], composed: _Composed, challenge: Challenge) -> AcknowledgementDraft:
    """One sentence around the two heaviest spans that no question uses (the heaviest of all if every one is used)."""
    turn = challenge.turn
    used = [choice.quote for choice in composed.chosen if choice.quote]
    quotes = [quote for quote in composed.quotes if turn is None or quote.start >= turn.since]
    free = [quote for quote in quotes if not any(quote.overlaps(other) for other in used)] or quotes[:1]
    of = turn.heard if turn else Hearing.WRITEUP
    if turn:
        free = _telling(free, challenge.text)
    for count in (2, 1, 0):
        fitting = [template for template in templates if template.quotes == count and template.of == of]
        chosen = _apart(free, challenge.text) if count > 1 else free[:count]
        if len(chosen) == count and fitting:
            spoken = [quote.evidence for quote in sorted(chosen, key=lambda quote: quote.start)]
            template = fitting[(len(turn.asked) if turn else _seed(challenge.text)[0]) % len(fitting)]  # no two alike in a row
            return AcknowledgementDraft(_fill(template.text, spoken), tuple(spoken))
    message = f"knowledge/acknowledgements.yaml has no template without a quotation for a {of}"
    raise LookupError(message)


def _apart(quotes: Sequence[Quotable], text: str) -> list[Quotable]:
    """The heaviest and the next that is of another sentence: two halves of one are no two things that were said."""
    for other in quotes[1:]:
        low, high = sorted((quotes[0], other), key=lambda quote: quote.start)
        if _ENDED.search(text, low.end, high.start):
            return [quotes[0], other]
    return list(quotes[:1])


def _telling(quotes: Sequence[Quotable], text: str) -> list[Quotable]:
    """Of a reply: what its last sentence says if that is a decision, else what weighs enough; at least the best there is."""
    begins = last_sentence(text)
    if decides(text[begins:]) and (last := [quote for quote in quotes if quote.start >= begins]):
        return last[:1]
    return [quote for quote in quotes if quote.weight >= LEAST_WEIGHT] or list(quotes[:1])


def _fill(template: str, spoken: Sequence[Evidence]) -> str:
    for slot, evidence in zip(("{first}", "{second}"), spoken, strict=False):
        template = template.replace(slot, evidence.quote)
    return template
