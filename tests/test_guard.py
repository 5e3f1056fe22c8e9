import ast
from pathlib import Path

import pytest

import coach
from coach import guard
from coach.model import Acknowledgement, AcknowledgementDraft, Question, Reason
from tests.conftest import rows
from tests.fakes import TEXT, draft, evidence

LABELLED = rows("guard.jsonl")


def test_it_judges_at_least_85_in_100_labelled_sentences_rightly():
    """Accept or refuse, as a person labelled it."""
    right = sum(guard.check(row["text"]).accept == row["accept"] for row in LABELLED)
    assert right / len(LABELLED) >= 0.85


def test_it_lets_none_of_the_labelled_directive_sentences_through():
    """What is labelled directive is refused, for whatever reason."""
    assert [row["text"] for row in LABELLED if row["reason"] == "directive" and guard.check(row["text"]).accept] == []


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_labelled_sentences_that_it_refuses(reason):
    """No rule is there for show."""
    given = [guard.check(row["text"]).reason for row in LABELLED if row["reason"] == reason]
    assert given.count(reason) >= 0.8 * len(given) > 0


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Have you tried asking her?", "directive"),
        ("What stops you from simply telling finance?", "directive"),
        ("How might a weekly sync help?", "directive"),
        ("You should talk to him.", "directive"),
        ("What would happen if you got all three in one room?", "directive"),
        ("Isn't this really about control?", "leading"),
        ("Why didn't you speak up?", "blaming"),
        ("Did you sleep?", "closed"),
        ("How many people report to you?", "closed"),
        ("What happened, and how did you feel?", "stacked"),
        ("What happened? How was it?", "stacked"),
        ("I was listening to you. What matters to you?", "wordy"),
        ("Tell me more.", "not_a_question"),
        ("What a brave step.", "not_a_question"),
    ],
)
def test_it_names_the_most_serious_reason(sentence, reason):
    """Directive before leading before blaming before closed before stacked before wordy before no question at all."""
    assert guard.check(sentence).reason == reason


@pytest.mark.parametrize(
    "sentence",
    [
        "What have you already tried?",
        "What do your peers in finance need you to understand?",
        "Is there anything else about that silence?",
        "On a scale from 0 to 10, how clear is this to you today?",
        'You write "which is probably why nobody asked me": what is it like to see that on the page?',
        "What do you hear when he reads every step back “in this flat voice”?",
        "What would Brent say he was protecting in those three weeks of silence?",
    ],
)
def test_it_passes_what_a_good_coach_asks(sentence):
    """The near misses of the other side."""
    assert guard.check(sentence).accept


@pytest.mark.parametrize("mark", ['"{}"', "“{}”", "„{}“", "«{}»"])
def test_quoted_words_are_the_managers_and_are_not_judged(mark):
    """Whatever they quote: should, and why, and questions."""
    quoted = mark.format("should I talk to him? and why did he")
    assert guard.check(f"What do you hear in {quoted}?").accept


def test_a_refusal_points_at_the_words_that_decided():
    """The span counts code points of the sentence as given, whatever stood before it."""
    sentence = "\u200b😀 Have you considered   a mediator?"
    verdict = guard.check(sentence)
    assert verdict.reason == "directive"
    assert verdict.span is not None
    start, end = verdict.span
    assert sentence[start:end].strip() in sentence
    assert "considered" in sentence[start:end]


def test_letters_that_cannot_be_seen_hide_nothing():
    """Zero-width characters inside words, capitals and curly marks change no verdict."""
    assert guard.check("HAVE YOU TRI\u200bED asking her?").reason == "directive"
    assert guard.check("Why don’t you ask her?").reason == "directive"


@pytest.mark.parametrize("text", ["", " ", "?", "😀😀", "…?!", "\x00", "\ud800", "ß" * 50_000, "¿" + "?" * 1000, '"' * 999])
def test_any_text_gets_a_verdict(text):
    """Never an exception, and a span that lies in the text."""
    verdict = guard.check(text)
    assert not verdict.accept
    assert verdict.span is not None
    assert 0 <= verdict.span[0] <= verdict.span[1] <= len(text)


def test_it_admits_a_good_draft_and_refuses_a_directive_one():
    """A Question or a Refusal, and a Refusal holds no other wording."""
    question = guard.admit(draft("What did you notice?"), "q1")
    assert isinstance(question, Question)
    assert question.draft.text == "What did you notice?"
    refusal = guard.admit(draft("Have you tried yoga?"), "q2")
    assert isinstance(refusal, guard.Refusal)
    assert refusal.verdict.reason == "directive"


def test_nothing_but_the_guard_makes_a_question():
    """Without the seal there is no Question and no Acknowledgement."""
    with pytest.raises(TypeError, match="only coach.guard"):
        Question("q1", draft("What did you notice?"))
    with pytest.raises(TypeError, match="only coach.guard"):
        Acknowledgement("You write.", ())


def test_no_other_module_of_ours_reaches_for_the_seal():
    """Read off the source: `Question(`, `Acknowledgement(` and SEAL stand in the guard and in the model, nowhere else."""
    package = Path(coach.__file__).parent
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] in {"guard", "model.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            named = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
            assert called not in {"Question", "Acknowledgement"}, path
            assert named != "SEAL", path


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ('You write "I never asked him".', True),
        ("You should talk to him.", False),
        ("You are afraid of him, aren't you?", False),
        ("What happened there?", False),
        ("Word " * 31, False),
    ],
)
def test_an_acknowledgement_hears_and_does_no_more(text, accepted):
    """At most 30 words, nothing advised, nothing asked."""
    quotes = (evidence("I never asked him"),) if "never asked" in text else ()
    assert isinstance(guard.acknowledge(AcknowledgementDraft(text, quotes)), Acknowledgement) is accepted


def test_a_draft_never_shows_a_persons_words_in_its_repr():
    """So that no log line or traceback can."""
    assert TEXT[:10] not in repr(draft(TEXT, evidence("I said it")))
