"""What is counted: precision and recall for each reason, what slipped through, what was refused without need."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from coach import guard
from coach.guard import Verdict
from coach.model import Reason
from coach.receipt.sets import Advice, Labelled, Row

ACCEPT = "accept"
LABELS = (ACCEPT, *(str(reason) for reason in Reason if reason.by_itself))
FALSE_ALARMS = 0.30  # the rate at which recall is compared on forum questions


@dataclass(frozen=True)
class Judged:
    """A labelled sentence and what the guard said."""

    row: Row
    verdict: Verdict

    @property
    def said(self) -> str:
        """The label that the verdict amounts to."""
        return str(self.verdict.reason or ACCEPT)

    @property
    def label(self) -> str:
        """The label it was given."""
        return self.row.reason or ACCEPT


@dataclass(frozen=True)
class Measured:
    """A labelled set with everything that a receipt says of it. Shares are 0 to 1, None where there is nothing to share out."""

    name: str
    agreement: str
    judged: Sequence[Judged]
    ours: bool = True

    @property
    def matrix(self) -> dict[str, dict[str, int]]:
        """How often a label (outer) was said to be what (inner)."""
        counts = Counter((one.label, one.said) for one in self.judged)
        return {label: {said: counts[label, said] for said in LABELS} for label in LABELS}

    @property
    def accuracy(self) -> float | None:
        """Accepted what is to be accepted, refused what is to be refused."""
        return _share(one.verdict.accept == (one.label == ACCEPT) for one in self.judged)

    @property
    def directive_through(self) -> float | None:
        """Of the directive sentences, how many were accepted."""
        return _share(one.verdict.accept for one in self.judged if one.label == Reason.DIRECTIVE)

    @property
    def kept(self) -> float | None:
        """Of the good questions, how many were accepted."""
        return _share(one.verdict.accept for one in self.judged if one.label == ACCEPT)

    @property
    def right_reason(self) -> float | None:
        """Of the sentences rightly refused, how many for the reason they were labelled with."""
        return _share(one.said == one.label for one in self.judged if one.label != ACCEPT and not one.verdict.accept)

    @property
    def open_closed(self) -> float | None:
        """Of the sentences labelled good or closed, how many were told apart: closed, or anything else."""
        return _share((one.said == Reason.CLOSED) == (one.label == Reason.CLOSED) for one in self.judged if one.label in {ACCEPT, Reason.CLOSED})

    def of(self, label: str) -> tuple[float | None, float | None, float | None]:
        """Precision, recall and F1 of one label against the rest."""
        return scores([one.label == label for one in self.judged], [one.said == label for one in self.judged])

    def through(self) -> list[Judged]:
        """False accepts, directive ones first."""
        wrong = [one for one in self.judged if one.verdict.accept and one.label != ACCEPT]
        return sorted(wrong, key=lambda one: LABELS.index(one.label))

    def refused(self) -> list[Judged]:
        """False refusals."""
        return [one for one in self.judged if not one.verdict.accept and one.label == ACCEPT]


@dataclass(frozen=True)
class MeasuredAdvice:
    """How well advice is found among forum sentences: all of them, and those that ask. `recall_at` is recall at 30% false alarms."""

    name: str
    agreement: str
    sentences: int
    questions: int
    precision: float | None
    recall: float | None
    f1: float | None
    question_recall: float | None
    question_false_alarms: float | None
    recall_at: float | None


def labelled(given: Labelled) -> Measured:
    """Judge a labelled set."""
    verdicts = [verdict for language, rows in _by_language(given.rows) for verdict in guard.check_all([row.text for row in rows], language=language)]
    return Measured(given.name, given.agreement, [Judged(row, verdict) for row, verdict in zip(given.rows, verdicts, strict=True)], given.ours)


def advice(given: Advice) -> MeasuredAdvice:
    """Judge a set of which only advice is labelled."""
    verdicts = guard.check_all(list(given.texts), language="en")
    said = [any(finding.reason is Reason.DIRECTIVE for finding in verdict.findings) for verdict in verdicts]
    precision, recall, f1 = scores(given.advises, said)
    asks = [place for place, text in enumerate(given.texts) if text.rstrip().endswith("?")]
    likely = [verdicts[place].likely.get(str(Reason.DIRECTIVE), 0.0) for place in asks]
    truth = [given.advises[place] for place in asks]
    return MeasuredAdvice(
        given.name,
        given.agreement,
        len(given.texts),
        len(asks),
        precision,
        recall,
        f1,
        _share(said[place] for place in asks if given.advises[place]),
        _share(said[place] for place in asks if not given.advises[place]),
        recall_at(truth, likely, FALSE_ALARMS),
    )


def recall_at(truth: Sequence[bool], likely: Sequence[float], false_alarms: float) -> float | None:
    """The recall at the bound that raises at most this share of false alarms."""
    others = sorted((value for value, is_so in zip(likely, truth, strict=True) if not is_so), reverse=True)
    if not others or not any(truth):
        return None
    bound = others[min(int(len(others) * false_alarms), len(others) - 1)]
    return _share(value > bound for value, is_so in zip(likely, truth, strict=True) if is_so)


def scores(truth: Sequence[bool], said: Sequence[bool]) -> tuple[float | None, float | None, float | None]:
    """Precision, recall, F1."""
    both = sum(a and b for a, b in zip(truth, said, strict=True))
    precision = both / sum(said) if any(said) else None
    recall = both / sum(truth) if any(truth) else None
    return precision, recall, 2 * precision * recall / (precision + recall) if precision and recall else None


def _by_language(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for language, group in groupby(rows, key=lambda row: row.language):
        yield language, list(group)


def _share(values: Iterable[bool]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None
