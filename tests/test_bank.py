import asyncio
import itertools

import pytest

from coach import grounding, guard
from coach.bank import ALIKE, UNCLEAR, Bank
from coach.knowledge.files import opening
from coach.model import About, AcknowledgementDraft, Challenge, Draft, Finding, Form, Perspective, Skill, Stage
from tests.conftest import ORDINARY, WRITEUPS

COUNTS = range(1, 8)


@pytest.fixture(scope="module")
def compose(coach):
    """What the bank drafts for a text, all of it, with the guidance that was really found."""

    def run(text, count=3, language="en", focus=(), functions=()):
        async def drafts():
            challenge = Challenge(text, count=count, focus=focus, functions=functions)
            finding = asyncio.ensure_future(coach.needs.library.find(text, 6))
            return [item async for item in coach.needs.bank.writer.draft(challenge, finding, language)]

        return asyncio.run(drafts())

    return run


@pytest.fixture(scope="module")
def sets(compose):
    """For every write-up and every count, its questions."""
    return {
        (row["id"], count): [item for item in compose(row["text"], count, row["language"]) if isinstance(item, Draft)]
        for row in WRITEUPS
        for count in (COUNTS if row["flag"] is None else (3,))
    }


def of(sets, *counts):
    return [(name, questions) for (name, count), questions in sets.items() if count in counts]


def test_it_drafts_as_many_as_asked_for(sets):
    """One to seven."""
    assert all(len(questions) == count for (_, count), questions in sets.items())


def test_the_first_question_is_humble(sets):
    """And it opens or explores."""
    assert {questions[0].form for _, questions in of(sets, *COUNTS)} == {Form.HUMBLE}


def test_three_or_more_cover_self_situation_and_outcome(sets):
    """Who, what, where to."""
    for name, questions in of(sets, *range(3, 8)):
        assert {question.about for question in questions} == set(About), name


def test_one_looks_from_the_other_side(sets):
    """Every one of these write-ups has another side."""
    for name, questions in of(sets, *range(2, 8)):
        assert any(question.perspective is Perspective.OTHER for question in questions), name


def test_nobody_elses_view_is_asked_for_where_nobody_else_was_mentioned(compose):
    """A write-up about oneself alone; with a function named beside it there is another side again."""
    text = "I doubt every decision I make since my promotion. I lie awake and I never know if I was right. I keep going over it at night."
    alone = [item for item in compose(text) if isinstance(item, Draft)]
    assert {item.perspective for item in alone} == {Perspective.OWN}
    beside = [item for item in compose(text, functions=("finance",)) if isinstance(item, Draft)]
    assert Perspective.OTHER in {item.perspective for item in beside}


def test_at_least_half_quote_the_manager_to_the_letter(sets):
    """And nothing stands in quotation marks that is not theirs."""
    texts = {row["id"]: row["text"] for row in WRITEUPS}
    for (name, count), questions in sets.items():
        assert sum(bool(question.evidence) for question in questions) >= count / 2 or name == "s23", name
        for question in questions:
            assert grounding.verbatim(texts[name], question.evidence)
            assert grounding.quoted_words_are_theirs(question.text, question.evidence)
            assert all(2 <= len(item.quote.split()) <= 10 for item in question.evidence)


def test_no_two_begin_alike_quote_the_same_or_say_the_same(sets, shelves, knowledge):
    """Within one answer."""
    row = {question.id: place for place, question in enumerate(knowledge.questions)}
    for name, questions in of(sets, *COUNTS):
        openings = [opening(question.text) for question in questions]
        assert len(openings) == len(set(openings)), name
        for one, other in itertools.combinations(questions, 2):
            assert shelves.first.questions[row[one.origin]] @ shelves.first.questions[row[other.origin]] <= ALIKE + 1e-6
            for first, second in itertools.product(one.evidence, other.evidence):
                assert first.end <= second.start or second.end <= first.start, name


def test_five_or_more_end_on_ones_own_learning(sets, knowledge):
    """The last one is a closing question; no other is."""
    stage = {question.id: question.stage for question in knowledge.questions}
    for name, questions in of(sets, 5, 6, 7):
        assert [stage[question.origin] is Stage.CLOSE for question in questions] == [False] * (len(questions) - 1) + [True], name


def test_the_guard_passes_every_question_with_the_words_in_place(sets):
    """Not the template alone."""
    for _, questions in of(sets, *COUNTS):
        for question in questions:
            assert guard.check(question.text).accept, question.text


def test_every_question_stands_beside_a_passage_and_three_beside_three(sets):
    """Another passage each time."""
    for name, questions in of(sets, 3):
        assert len({question.guidance for question in questions}) == 3, name


def test_it_shows_that_it_heard_in_at_most_30_words(compose):
    """Built around one or two quotations, admitted by the guard."""
    for row in WRITEUPS:
        (heard,) = [item for item in compose(row["text"], 3, row["language"]) if isinstance(item, AcknowledgementDraft)]
        assert 1 <= len(heard.evidence) <= 2, row["id"]
        assert len(heard.text.split()) <= 30
        assert grounding.verbatim(row["text"], heard.evidence)
        assert grounding.quoted_words_are_theirs(heard.text, heard.evidence)
        assert not isinstance(guard.acknowledge(heard), guard.Refusal), heard.text


def test_the_same_text_gets_the_same_answer(compose, shelves):
    """From another bank over the same library too."""
    text = ORDINARY[0]["text"]
    first = compose(text, 5)
    assert compose(text, 5) == first

    async def again():
        nothing = asyncio.get_running_loop().create_future()
        nothing.set_result(Finding())
        return [item.text async for item in Bank(shelves).draft(Challenge(text, count=5), nothing, "en") if isinstance(item, Draft)]

    assert asyncio.run(again()) == [item.text for item in first if isinstance(item, Draft)]


def test_different_managers_are_asked_different_things(sets):
    """No question in more than 5 of the 20 ordinary answers."""
    ordinary = {row["id"] for row in ORDINARY}
    asked = [question.origin for name, questions in of(sets, 3) if name in ordinary for question in questions]
    assert max(asked.count(origin) for origin in asked) <= 5
    assert len(set(asked)) >= 30


def test_it_picks_up_what_a_good_coach_would(sets, compose):
    """At least 14 of the 20 ordinary answers quote or overlap a phrase that a coach marked."""
    hits = 0
    for row in ORDINARY:
        evidence = [item for draft in compose(row["text"], 3, row["language"]) for item in draft.evidence]
        places = [(start, start + len(anchor)) for anchor in row["anchors"] if (start := row["text"].find(anchor)) >= 0]
        hits += any(item.start < end and start < item.end for item in evidence for start, end in places)
    assert hits >= 14


@pytest.mark.parametrize("skill", Skill)
def test_a_focus_leans_the_answer(compose, skill):
    """Of five questions more are about that skill than without it, or already most were."""
    plain, leaning = (
        sum(item.skill is skill for item in compose(ORDINARY[0]["text"], 5, focus=focus) if isinstance(item, Draft)) for focus in ((), (skill,))
    )
    assert leaning >= max(plain, 1)


@pytest.mark.parametrize(
    "text",
    [
        "qwer tzui opas dfgh jklz yxcv bnmq",
        "milk eggs bread butter cheese apples onions rice",
        "asdf " * 300,
        "lorem ipsum dolor sit amet consectetur adipiscing elit",
        "x1 y2 z3 q4 w5 e6 r7",
    ],
)
def test_noise_gets_general_opening_questions_and_a_notice(compose, text):
    """Never an error, and nothing of the noise is quoted."""
    items = compose(text)
    assert items[0] == UNCLEAR
    questions = [item for item in items if isinstance(item, Draft)]
    assert len(questions) == 3
    assert all(not item.evidence and item.origin.startswith("opening-") for item in questions)


def test_a_language_without_a_lexicon_gets_general_questions(compose):
    """Polish, Japanese: asked, not misread."""
    assert compose("Mój szef ciągle zmienia priorytety i nie wiem, co mam robić.", language="pl")[0] == UNCLEAR
    assert compose("私の上司は毎日優先順位を変えますので困っています", language="ja")[0] == UNCLEAR
