import ast
import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coach
from coach import guard
from coach.errors import WeightsTampered
from coach.guard import Context
from coach.guard.head import head
from coach.guard.phrases import PACKS, pack
from coach.guard.sentence import read
from coach.model import Acknowledgement, AcknowledgementDraft, Question, Reason
from coach.receipt import measure, sets
from tests.conftest import rows
from tests.fakes import TEXT, draft, evidence
from tests.head.data import digest

CASES = Path(__file__).parent / "cases"
HELD_OUT = {one.name.split(",")[0]: one for one in sets.own(CASES)}
UNSEEN = HELD_OUT["coach questions by an author who saw neither rules nor data"]


@pytest.fixture(scope="module")
def unseen():
    return measure.labelled(UNSEEN)


def test_it_is_right_about_sentences_by_authors_who_never_saw_it(unseen):
    """The promise of the guard, on 400 sentences that nobody looked at while it was made; the receipt has the exact figures."""
    assert unseen.accuracy >= 0.90
    assert unseen.right_reason >= 0.80


def test_it_lets_few_directive_sentences_through(unseen):
    """Nothing directive should reach a manager; what does is named in the receipt."""
    assert unseen.directive_through <= 0.05


def test_it_keeps_most_good_questions(unseen):
    """A guard that refuses everything guards nothing."""
    assert unseen.kept >= 0.85


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.by_itself])
def test_every_reason_is_found_among_unseen_sentences(unseen, reason):
    """No reason is there for show."""
    _, recall, _ = unseen.of(reason)
    assert recall >= 0.5


def test_the_committed_receipt_is_that_of_this_guard():
    """Same guard, same weights, same sentences: same figures."""
    kept = json.loads((CASES.parent / "receipts" / "receipt.json").read_text(encoding="utf-8"))
    (told,) = [one for one in kept["sets"] if one["name"] == UNSEEN.name]
    measured = measure.labelled(UNSEEN)
    assert kept["guard"] == guard.VERSION
    assert told["sentences"] == len(UNSEEN.rows)
    assert told["accuracy"] == pytest.approx(measured.accuracy, abs=0.005)  # another processor rounds otherwise
    assert told["directive_let_through"] == pytest.approx(measured.directive_through, abs=0.02)


def test_the_head_was_trained_on_the_sentences_that_are_here():
    """A changed label wants `make head`."""
    learned_from = [row for row in sets.read(CASES / "guard.jsonl") if row.language == "en" and row.part != "test"]
    assert head().facts["data"] == digest(learned_from)


def test_the_heads_weights_are_plain_numbers_and_small():
    """No pickle, at most a megabyte."""
    weights = Path(guard.__file__).parent / "head.npz"
    assert weights.stat().st_size <= 1_000_000
    with np.load(weights, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fU" for name in arrays.files)


@pytest.mark.parametrize("row", sets.read(CASES / "guard.jsonl")[::40], ids=lambda row: row.id)
def test_the_same_sentence_has_the_same_verdict_alone_and_among_others(row):
    """Nothing depends on the neighbours."""
    alone = guard.check(row.text, language=row.language)
    among = guard.check_all(["What now?", row.text, "x" * 300], language=row.language)[1]
    assert alone == among


def test_the_labelled_sentences_are_many_and_each_stands_once():
    """At least 3,000, each label argued; 150 and more in each other language; no sentence twice, in no second part."""
    raw = [*rows("guard.jsonl"), *rows("guard_unseen.jsonl")]
    texts = [re.sub(r"\W+", " ", row["text"].lower()).strip() for row in raw]
    assert len(raw) >= 3000
    assert len(set(texts)) == len(texts)
    assert len({row["id"] for row in raw}) == len(raw)
    assert all(row["note"].strip() and row["accept"] == (row["reason"] is None) for row in raw)
    spoken = Counter(row.get("language", "en") for row in raw)
    assert min(spoken[language] for language in ("de", "fr", "es")) >= 150


@pytest.mark.parametrize(
    ("language", "entry"), [(language, entry) for language in PACKS for entries in pack(language).phrases.values() for entry in entries]
)
def test_every_rule_finds_its_example(language, entry):
    """And says where."""
    sentence = read(entry.example, fold=language == "en")
    assert not entry.words or not entry.words.isdisjoint(sentence.words)
    assert entry.find(sentence.plain)


@pytest.mark.parametrize("row", [row for row in sets.read(CASES / "guard.jsonl") if row.part == "train"][::3], ids=lambda row: row.id)
def test_no_rule_is_missed_for_want_of_its_words(row):
    """The words a rule names are words without which it cannot find anything: leaving it out costs nothing."""
    rules = pack(row.language)
    sentence = read(row.text, fold=rules.fold)
    for entry in (entry for entries in rules.phrases.values() for entry in entries):
        if entry.find(sentence.plain):
            assert not entry.words or not entry.words.isdisjoint(sentence.words), entry.name


def test_without_the_encoder_the_rules_go_on_and_say_so(monkeypatch, coach):
    """A failing disk makes the guard narrower, not absent."""

    def gone():
        raise WeightsTampered("MiniLM", "it is missing")

    monkeypatch.setattr(guard, "head", gone)
    verdict = guard.check("Have you tried yoga?")
    assert (verdict.reason, verdict.scope, verdict.likely) == ("directive", "phrases", {})
    assert guard.check("What matters to you?").scope == "phrases"
    assert not guard.ready()
    assert asyncio.run(coach.health())["guard"] == "judging by its phrases alone"


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
        "What would Bernd make of the audit?",
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


@pytest.mark.parametrize(
    "sentence",
    ["You ѕhоuld tell him.", "You ｓｈｏｕｌｄ tell him.", "You 𝐬𝐡𝐨𝐮𝐥𝐝 tell him.", "You s\u200bh\u00adould tell him.", "You ѕһоυӏԁ tell him."],
)
def test_letters_that_look_like_others_are_read_as_those(sentence):
    """Cyrillic, full-width, mathematical, with nothing between."""
    verdict = guard.check(sentence)
    assert verdict.reason == "directive"
    start, end = verdict.span
    assert sentence[start:end].startswith("You") or "tell" in sentence[start:end]


@pytest.mark.parametrize(
    "text",
    [
        '"' * 50_000 + '"',
        "and " * 25_000,
        "((((" * 25_000,
        "?" * 100_000,
        "what if you " * 8_000,
        "\u202e" * 100_000,
        "é\u0301" * 50_000,
        "«" * 100_000,
        "“" * 100_000,
        "Ana " * 25_000,
        "1." * 50_000,
    ],
    ids=["quotes", "and", "brackets", "question marks", "what if", "right to left", "accents", "guillemets", "curly", "names", "numbers"],
)
@pytest.mark.parametrize("context", [None, Context("Ana said nothing. " * 600)], ids=["alone", "with a write-up"])
def test_a_hundred_kilobytes_of_malice_cost_less_than_50_milliseconds(text, context):
    """Nothing here grows faster than its input, and what is longer than a page is refused by its beginning."""
    guard.check("What now?")
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        verdict = guard.check(text, context=context)
        taken.append(time.perf_counter() - started)
    assert not verdict.accept
    assert min(taken) < 0.05


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_whatever_is_typed_gets_a_verdict_with_a_span_inside(text):
    """Mixed scripts, controls, surrogates: a verdict, never an exception."""
    verdict = guard.check(text)
    for finding in verdict.findings:
        assert 0 <= finding.span[0] <= finding.span[1] <= len(text)


@pytest.mark.parametrize(
    ("sentence", "language", "accept", "reason"),
    [
        ("Was ist Ihnen daran wichtig?", "de", True, None),
        ("Haben Sie schon überlegt, mit ihm zu reden?", "de", False, "directive"),
        ("Sind Sie zufrieden?", "de", False, "closed"),
        ("Qu'est-ce qui compte pour vous ?", "fr", True, None),
        ("Et si vous lui parliez ?", "fr", False, "directive"),
        ("Avez-vous dormi ?", "fr", False, "closed"),
        ("¿Qué te importa de esto?", "es", True, None),
        ("¿Y si hablas con ella?", "es", False, "directive"),
        ("¿No crees que exageras?", "es", False, "leading"),
    ],
)
def test_it_judges_german_french_and_spanish_by_their_phrases(sentence, language, accept, reason):
    """The language is made out, and the verdict says that no head read it."""
    verdict = guard.check(sentence)
    assert (verdict.language, verdict.accept, verdict.reason, verdict.scope) == (language, accept, reason, "phrases")


@pytest.mark.parametrize(
    "sentence", ["Cosa ti impedisce di dirglielo, secondo il gruppo?", "あなたにとって大切なことは何ですか？", "ما الذي يهمك هنا؟"]
)
def test_another_language_is_judged_by_its_structure_and_the_verdict_says_so(sentence):
    """One question of at most 30 words: more cannot be known."""
    verdict = guard.check(sentence)
    assert (verdict.accept, verdict.scope) == (True, "structure")
    assert guard.check(f"{sentence} {sentence}").reason == "stacked"


STORY = "Ana from logistics told me on Monday that 14 pallets were missing. I said nothing. Since then she only writes e-mails."


@pytest.mark.parametrize(
    ("sentence", "reason", "rule"),
    [
        ("What would Bernd in logistics say about it?", "ungrounded", "strange-name"),
        ("What did the 40 pallets mean to you?", "ungrounded", "strange-number"),
        ('What is "never again" like for you?', "ungrounded", "strange-quotation"),
        ("You said you shouted at the driver: what was that like?", "ungrounded", "strange-claim"),
        ("What did Ana from logistics say about missing pallets?", None, None),
        ("What did Ana write in e-mails since?", None, None),
        ("What would Ana say about those 14 pallets?", None, None),
        ('What is "I said nothing" like for you?', None, None),
        ("On a scale from 0 to 10, how clear is this to you?", None, None),
    ],
)
def test_a_question_names_nothing_that_was_not_said(sentence, reason, rule):
    """A name, a number, a quotation or a claim from nowhere is refused."""
    verdict = guard.check(sentence, context=Context(STORY))
    ungrounded = next((finding for finding in verdict.findings if finding.reason == "ungrounded"), None)
    assert (ungrounded and ungrounded.reason, ungrounded and ungrounded.rule) == (reason, rule)


def test_what_the_guidance_says_is_not_from_nowhere():
    """A name may come from the passage that is cited."""
    assert guard.check("What would Schein ask here?", context=Context(STORY, ("Schein asks humbly.",))).accept


def test_a_question_that_the_write_up_answers_is_redundant():
    """Only where every content word of a plain question of fact stands in one sentence of it."""
    asked = "What did Ana from logistics say on Monday about missing pallets?"
    told = "Ana from logistics did say on Monday that pallets were missing."
    assert "redundant" in {finding.reason for finding in guard.check(asked, context=Context(told)).findings}
    assert guard.check("What did Ana leave out, as you see it?", context=Context(told)).accept


def test_a_question_is_not_asked_twice():
    """In nearly the same words."""
    asked = ("What would Ana say about the missing pallets?",)
    again = guard.check("And what would Ana say about the missing pallets?", context=Context(STORY, asked=asked))
    assert again.reason == "repeated"
    assert guard.check("What do you hope for?", context=Context(STORY, asked=asked)).accept


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
