"""Which of many drafts to ask, together: the rules that a set of questions keeps, whoever drafted them.

The rules: the first is humble (Schein); three or more cover self, situation and outcome (ICF PCC 7.2 to 7.4); one looks from the other
side where there is one; at least half carry the manager's words (ICF PCC 6.2); no two begin alike or say the same; five or more end on
the manager's own learning (ICF PCC 8). Searched with a beam, best score first, ties by position: the same input, the same set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from coach.model import About, Form, Perspective, Stage

WIDTH = 8
_ABOUT = {About.SELF: 1, About.SITUATION: 2, About.OUTCOME: 4}
_ALL = 7
_EARLY_OUTCOME = 0.06  # an outcome asked for before the situation was looked at


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the rules look at in a draft, how well it fits (higher is better), and a bit set of the candidates it cannot stand beside."""

    about: About
    perspective: Perspective
    form: Form
    stage: Stage
    quoted: bool
    score: float
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class SetRules:
    """What a set must hold."""

    count: int
    quotes: int
    other: bool
    cover: bool
    humble: bool
    close: bool

    @classmethod
    def of(cls, count: int, *, other: bool, quotable: bool = True) -> "SetRules":
        """The rules for a set of `count`."""
        return cls(count, -(-count // 2) if quotable else 0, other, count >= 3, humble=True, close=count >= 5)

    def relaxed(self, asked: int = 0) -> Iterator["SetRules"]:
        """These rules, then weaker and weaker ones: an answer that misses a rule is better than none. `asked` questions stand already."""
        yield self
        for quotes in range(self.quotes - 1, -1, -1):
            yield replace(self, quotes=quotes)
        bare = replace(self, quotes=0, other=False)
        yield bare
        yield replace(bare, close=False, cover=False)
        loose = replace(bare, close=False, cover=False, humble=False)
        for count in range(self.count, asked, -1):
            yield replace(loose, count=count)


@dataclass(frozen=True, slots=True)
class _Line:
    """A set in the making."""

    score: float
    chosen: tuple[int, ...] = ()
    barred: int = 0
    about: int = 0
    other: bool = False
    quotes: int = 0


class Seating:
    """The same rules for drafts that come one by one: which of them may be asked now, with the places that are left for what is still missing."""

    def __init__(self, rules: SetRules) -> None:
        """Nothing was asked yet."""
        self._rules = rules
        self._line = _Line(0.0)
        self.asked: list[Candidate] = []

    @property
    def left(self) -> int:
        """Places that are free."""
        return self._rules.count - len(self.asked)

    def take(self, candidate: Candidate) -> bool:
        """Give it the next place, if the rules can still be kept after it."""
        place = len(self.asked)
        if not self.left or not _fits(candidate, place, self._rules):
            return False
        grown = _grow(self._line, place, candidate, place, self._rules)
        if grown is None:
            return False
        self._line = grown
        self.asked.append(candidate)
        return True


def choose(candidates: Sequence[Candidate], rules: SetRules, asked: Sequence[Candidate] = ()) -> tuple[int, ...]:
    """Indices of the best set in the order in which to ask it; fewer than asked for only if there are not enough candidates.

    With `asked`, of what is to follow these, so that all together keep the rules.
    """
    for weaker in rules.relaxed(len(asked)):
        if found := _search(candidates, weaker, asked):
            return found
    return ()


def _search(candidates: Sequence[Candidate], rules: SetRules, asked: Sequence[Candidate]) -> tuple[int, ...]:
    lines = [_begun(asked)]
    for place in range(len(asked), rules.count):
        fitting = [index for index, candidate in enumerate(candidates) if _fits(candidate, place, rules)]
        grown = [line for old in lines for index in fitting if (line := _grow(old, index, candidates[index], place, rules))]
        grown.sort(key=lambda line: (-line.score, line.chosen))
        lines = _kept(grown)
    return lines[0].chosen if lines else ()


def _begun(asked: Sequence[Candidate]) -> _Line:
    about = 0
    for candidate in asked:
        about |= _ABOUT[candidate.about]
    other = any(candidate.perspective is Perspective.OTHER for candidate in asked)
    return _Line(0.0, about=about, other=other, quotes=sum(candidate.quoted for candidate in asked))


def _kept(grown: Sequence[_Line]) -> list[_Line]:
    """The best lines, and the best of each kind: one that has looked from the other side may be needed though it scores less."""
    best_of_kind: dict[tuple[int, bool, int], _Line] = {}
    for line in grown:
        best_of_kind.setdefault((line.about, line.other, line.quotes), line)
    return list(dict.fromkeys((*grown[:WIDTH], *best_of_kind.values())))


def _fits(candidate: Candidate, place: int, rules: SetRules) -> bool:
    last = place == rules.count - 1
    if place == 0 and rules.humble and (candidate.form is not Form.HUMBLE or candidate.stage not in {Stage.OPEN, Stage.EXPLORE}):
        return False
    if last and rules.close:
        return candidate.stage is Stage.CLOSE
    return candidate.stage is not Stage.CLOSE or (last and rules.count > 1)


def _grow(line: _Line, index: int, candidate: Candidate, place: int, rules: SetRules) -> _Line | None:
    if line.barred >> index & 1:
        return None
    left = rules.count - place - 1
    about = line.about | _ABOUT[candidate.about]
    other = line.other or candidate.perspective is Perspective.OTHER
    quotes = line.quotes + candidate.quoted
    if rules.cover and (_ALL & ~about).bit_count() > left:
        return None
    if (rules.other and not other and not left) or quotes + left < rules.quotes:
        return None
    early = _EARLY_OUTCOME if candidate.about is About.OUTCOME and left else 0.0
    return _Line(line.score + candidate.score - early, (*line.chosen, index), line.barred | candidate.conflicts | 1 << index, about, other, quotes)
