import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coach.model import About, Form, Perspective, Stage
from coach.selection import Candidate, SetRules, choose


def candidate(score, about=About.SELF, *, form=Form.HUMBLE, stage=Stage.OPEN, other=False, quoted=False, conflicts=0):
    """A candidate that differs from others only in what the test is about."""
    return Candidate(about, Perspective.OTHER if other else Perspective.OWN, form, stage, quoted, score, conflicts)


def test_the_best_scores_win_where_no_rule_speaks():
    """One question: the best of the humble ones."""
    assert choose([candidate(0.1), candidate(0.9), candidate(0.5)], SetRules.of(1, other=False, quotable=False)) == (1,)


def test_the_first_is_humble_though_another_scores_higher():
    """Schein: begin with what one truly does not know."""
    candidates = [candidate(0.9, form=Form.SCALING), candidate(0.1)]
    assert choose(candidates, SetRules.of(2, other=False, quotable=False)) == (1, 0)


def test_three_cover_self_situation_and_outcome_and_look_from_the_other_side():
    """Even where a set without them would score higher."""
    candidates = [
        *(candidate(0.9) for _ in range(4)),
        candidate(0.2, About.SITUATION, other=True),
        candidate(0.3, About.SITUATION),
        candidate(0.1, About.OUTCOME),
    ]
    chosen = [candidates[index] for index in choose(candidates, SetRules.of(3, other=True, quotable=False))]
    assert {item.about for item in chosen} == set(About)
    assert any(item.perspective is Perspective.OTHER for item in chosen)


def test_at_least_half_carry_the_managers_words():
    """Rounded up."""
    candidates = [*(candidate(0.9, about) for about in About), *(candidate(0.1, about, quoted=True) for about in About)]
    chosen = choose(candidates, SetRules.of(3, other=False))
    assert sum(candidates[index].quoted for index in chosen) == 2


def test_two_that_stand_in_each_others_way_are_not_chosen_together():
    """Whatever the reason was: same opening, same meaning, same words quoted."""
    candidates = [candidate(0.9, conflicts=0b10), candidate(0.8, conflicts=0b01), candidate(0.1)]
    assert choose(candidates, SetRules.of(2, other=False, quotable=False)) == (0, 2)


def test_five_end_on_ones_own_learning_and_only_there():
    """A closing question stands last or not at all."""
    candidates = [*(candidate(0.5, about) for about in [*About, *About]), candidate(0.9, stage=Stage.CLOSE), candidate(0.8, stage=Stage.CLOSE)]
    chosen = choose(candidates, SetRules.of(5, other=False, quotable=False))
    assert [candidates[index].stage is Stage.CLOSE for index in chosen] == [False] * 4 + [True]


def test_rules_give_way_before_an_answer_is_missing():
    """No humble one, no quotation, no other side: there is an answer all the same."""
    candidates = [candidate(0.5, form=Form.SCALING, stage=Stage.DEEPEN) for _ in range(3)]
    assert len(choose(candidates, SetRules.of(3, other=True))) == 3
    assert len(choose(candidates[:1], SetRules.of(3, other=True))) == 1
    assert choose([], SetRules.of(3, other=True)) == ()


CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.floats(0, 1, allow_nan=False),
        st.sampled_from(About),
        form=st.sampled_from(Form),
        stage=st.sampled_from(Stage),
        other=st.booleans(),
        quoted=st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(candidates=CANDIDATES, count=st.integers(1, 7), other=st.booleans())
def test_whatever_there_is_nothing_is_chosen_twice_and_the_choice_is_the_same_again(candidates, count, other):
    """Deterministic, distinct, never more than asked for."""
    rules = SetRules.of(count, other=other)
    chosen = choose(candidates, rules)
    assert len(chosen) == len(set(chosen)) <= count
    assert chosen == choose(candidates, rules)


@pytest.mark.parametrize("count", range(1, 8))
def test_where_enough_is_there_the_set_is_full(count):
    """As many as asked for, with every rule kept."""
    candidates = [candidate(0.1 * n, about, stage=stage, quoted=True, other=True) for n in range(3) for about in About for stage in Stage]
    assert len(choose(candidates, SetRules.of(count, other=True))) == count
