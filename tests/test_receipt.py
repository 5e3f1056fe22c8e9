import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from coach.cli import cli
from coach.receipt import measure, render, sets
from coach.receipt.sets import Advice, Labelled, Row

ROWS = (
    Row("a-1", "What matters to you here?", None),
    Row("a-2", "Have you tried yoga?", "directive"),
    Row("b-1", "Is it raining?", "closed"),
    Row("b-2", "What a brave step.", "not_a_question"),
)


@pytest.fixture(scope="module")
def measured():
    return measure.labelled(Labelled("four sentences", ROWS))


def test_shares_are_of_what_they_say(measured):
    """Four plain sentences, all judged rightly."""
    assert (measured.accuracy, measured.kept, measured.directive_through, measured.right_reason) == (1, 1, 0, 1)
    assert measured.matrix["directive"]["directive"] == 1
    assert measured.of("closed") == (1, 1, 1)
    assert measured.of("blaming") == (None, None, None)


def test_a_failure_is_named_with_its_text():
    """Let through and refused without need, each with what was said."""
    wrong = measure.labelled(Labelled("mislabelled", (Row("a-1", "What matters to you here?", "directive"), Row("a-2", "Is it raining?", None))))
    assert [one.row.id for one in wrong.through()] == ["a-1"]
    assert [one.row.id for one in wrong.refused()] == ["a-2"]
    told = render.markdown([wrong], [], "")
    assert "- What matters to you here? *(directive; said accept)*" in told
    assert "- Is it raining? *(accept; said closed)*" in told


def test_texts_of_others_are_counted_and_not_printed():
    """What stands under ../shared/data/external stays there."""
    theirs = measure.labelled(Labelled("theirs", (Row("7", "What matters to you here?", "directive"),), ours=False))
    for told in (render.markdown([theirs], [], ""), render.as_json([theirs], [], "")):
        assert "What matters" not in told
        assert "7" in told


def test_the_picture_holds_every_count(measured):
    """As an image that any browser draws."""
    drawn = ET.fromstring(render.picture(measured))
    told = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert told.count("1") == 4
    assert "not_a_question" in told


def test_recall_is_taken_at_the_bound_that_raises_as_many_false_alarms():
    """Three of ten others lie above it."""
    others = [(False, place / 10) for place in range(10)]
    truth, likely = zip(*others, (True, 0.95), (True, 0.65), (True, 0.1), strict=True)
    assert measure.recall_at(truth, likely, 0.3) == pytest.approx(2 / 3)
    assert measure.recall_at([True], [1.0], 0.3) is None


def test_forum_sentences_are_measured_for_advice_alone():
    """All of them, and those that ask."""
    found = measure.advice(
        Advice("forum", ["You should see a doctor.", "Have you tried milk?", "How old is he?", "It rained."], [True, True, False, False])
    )
    assert (found.sentences, found.questions, found.recall, found.question_recall, found.question_false_alarms) == (4, 2, 1, 1, 0)


def test_no_family_is_split_between_parts():
    """What was written side by side is learned from or tested on, not both."""
    part = {}
    for row in sets.read(Path(__file__).parent / "cases" / "guard.jsonl"):
        assert part.setdefault(row.family, row.part) == row.part


def test_the_command_writes_a_receipt(tmp_path):
    """Markdown for people, JSON for programs, a picture; sets that are not there are left out."""
    cases = tmp_path / "cases"
    cases.mkdir()
    lines = [json.dumps({"id": row.id, "text": row.text, "reason": row.reason}) for row in ROWS]
    for name in ("guard.jsonl", "guard_unseen.jsonl"):
        (cases / name).write_text("\n".join(lines).replace('"a-', '"w-'), encoding="utf-8")
    done = CliRunner().invoke(cli, ["receipt", "guard", "--cases", str(cases), "--external", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out" / "receipt.json").read_text(encoding="utf-8"))["sets"][0]["accuracy"] == 1
    assert (tmp_path / "out" / "receipt.md").read_text(encoding="utf-8").startswith("# Receipt of the guard")
    assert (tmp_path / "out" / "confusion.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_set_that_cannot_be_read_is_named(tmp_path):
    """An error, not a traceback."""
    done = CliRunner().invoke(cli, ["receipt", "guard", "--cases", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "a set cannot be read: FileNotFoundError" in done.output
