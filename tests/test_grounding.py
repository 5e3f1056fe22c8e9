import pytest

from coach import grounding
from coach.model import Evidence, Found
from tests.fakes import PASSAGE, TEXT, evidence


def test_a_quotation_counts_only_where_it_stands():
    """To the character, at just that place."""
    good = evidence("I never asked him")
    assert grounding.verbatim(TEXT, [good])
    assert not grounding.verbatim(TEXT, [Evidence(good.quote, good.start + 1, good.end + 1)])
    assert not grounding.verbatim(TEXT, [Evidence("i never asked him", good.start, good.end)])
    assert not grounding.verbatim(TEXT, [Evidence("", 3, 3)])
    assert not grounding.verbatim(TEXT, [Evidence(TEXT[-4:], -4, len(TEXT))])


@pytest.mark.parametrize("marks", ['""', "“”"])
def test_words_in_quotation_marks_must_be_among_the_evidence(marks):
    """A sentence cannot quote what it has no evidence for."""
    quoted = f"What is in {marks[0]}I never asked him{marks[1]}?"
    assert grounding.quoted_words_are_theirs(quoted, [evidence("I never asked him")])
    assert not grounding.quoted_words_are_theirs(quoted, [])
    assert not grounding.quoted_words_are_theirs(quoted.replace("never", "always"), [evidence("I never asked him")])


def test_a_citation_is_a_passage_that_was_retrieved():
    """A foreign id spoils the whole citation."""
    found = Found(PASSAGE, 0.5)
    assert grounding.cited([PASSAGE.id], [found]) == (found,)
    assert grounding.cited([], [found]) == ()
    assert grounding.cited([PASSAGE.id, "made#up"], [found]) is None
