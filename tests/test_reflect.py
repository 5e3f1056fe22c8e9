import pytest

from coach.errors import ChallengeTooLong, ChallengeTooThin
from coach.knowledge import signposts
from coach.knowledge.where import data_folder
from coach.model import Acknowledged, AcknowledgementDraft, Asked, Challenge, Closed, Evidence, Finding, Found, Notice, Noticed, Opened
from coach.reflect import MOST_CHARACTERS, Answering, Needs, accept, reflect
from coach.safety import Safety
from tests.fakes import PASSAGE, TEXT, FakeDetector, FakeLibrary, FakeWriter, draft, evidence

QUOTE = evidence("I never asked him")
SAFETY = Safety(signposts.load(data_folder("knowledge")))
NEEDS = Needs(FakeLibrary(), Answering(FakeWriter(()), ""), FakeDetector(), SAFETY)
HEARD = AcknowledgementDraft('You write "I never asked him".', (QUOTE,))


async def answer(*drafts, text=TEXT, count=3, language="en", asked_for=None, library=None):
    needs = Needs(library or FakeLibrary(), Answering(FakeWriter(drafts), "A program, not a person."), FakeDetector(language), SAFETY)
    return [event async for event in reflect(Challenge(text, count=count, language=asked_for), needs)]


def asked(events):
    return [event.question.draft.text for event in events if isinstance(event, Asked)]


def notices(events):
    return [event.notice.code for event in events if isinstance(event, Noticed)]


async def test_it_opens_acknowledges_asks_and_closes_in_that_order():
    """Who is answering comes before anything else."""
    events = await answer(HEARD, draft("What did you notice?"), count=1)
    assert [type(event) for event in events] == [Opened, Acknowledged, Asked, Closed]
    assert "not a person" in events[0].disclosure


@pytest.mark.parametrize("text", ["Have you tried yoga?", "Why didn't you ask him?", "Talk to him.", "What if you rang him?"])
async def test_a_directive_draft_never_comes_out(text):
    """Whoever wrote it."""
    events = await answer(HEARD, draft(text), draft("What did you notice?"), count=1)
    assert asked(events) == ["What did you notice?"]
    assert events[-1].usage["drafts_refused"] == 1


async def test_an_invented_quotation_never_comes_out():
    """Neither with false evidence, nor with none."""
    invented = Evidence("I asked him twice", 3, 20)
    events = await answer(HEARD, draft('What is in "I asked him twice"?', invented), draft('What is in "I asked him twice"?'), count=2)
    assert asked(events) == []
    assert notices(events) == ["fewer-questions"]


async def test_an_invented_citation_never_comes_out():
    """Only what was retrieved is cited."""
    events = await answer(HEARD, draft("What did you notice?", guidance=("made#up",)), count=1)
    assert asked(events) == []


async def test_an_acknowledgement_that_advises_is_left_out():
    """The questions come all the same."""
    events = await answer(AcknowledgementDraft("You should talk to him.", ()), draft("What did you notice?"), count=1)
    assert [type(event) for event in events] == [Opened, Asked, Closed]


async def test_no_more_questions_come_than_were_asked_for():
    """The rest of the drafts is for replacing refused ones."""
    events = await answer(HEARD, *(draft(f"What did you notice on day {n}?") for n in "abcde"), count=2)
    assert len(asked(events)) == 2


async def test_another_language_is_answered_in_english_and_says_so():
    """Whether detected or asked for."""
    for language, wanted in (("de", None), ("en", "fr"), (None, "de")):
        assert "answered-in-english" in notices(await answer(HEARD, language=language, asked_for=wanted))
    for language, wanted in ((None, None), ("en", "en-GB"), ("de", "EN")):
        assert "answered-in-english" not in notices(await answer(HEARD, language=language, asked_for=wanted))


async def test_what_the_library_has_to_say_about_itself_is_passed_on():
    """A store that did not answer is no secret."""
    library = FakeLibrary(Finding((Found(PASSAGE, 0.5),), (Notice("store-unavailable", "From memory."),)))
    assert "store-unavailable" in notices(await answer(HEARD, library=library))


async def test_the_same_passage_is_listed_once():
    """However many questions stand beside it."""
    events = await answer(HEARD, draft("What did you notice?"), draft("Where does it begin for you?"), count=2)
    assert [found.passage.id for found in events[-1].guidance] == [PASSAGE.id]


@pytest.mark.parametrize("text", ["", "   \n", "help me please now", "😀 😀 😀 😀 😀 😀", "1 2 3 4 5 6 7"])
def test_too_little_is_refused_with_a_word_on_what_would_help(text):
    """Fewer than five words."""
    with pytest.raises(ChallengeTooThin, match="what happened"):
        accept(Challenge(text), NEEDS)


def test_too_much_is_refused_with_the_limit():
    """12,000 code points."""
    accept(Challenge("word " * (MOST_CHARACTERS // 5)), NEEDS)
    with pytest.raises(ChallengeTooLong, match="12,000"):
        accept(Challenge("word " * (MOST_CHARACTERS // 5) + "x"), NEEDS)
