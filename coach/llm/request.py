"""What is sent to the model: the same words first every time, then the material between lines that nobody can guess, within a budget."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coach import tokens
from coach.converse import places
from coach.llm.failure import ModelFailed, Trouble
from coach.model import About, Challenge, Form, Found, Notice, Perspective, Skill, Stage
from coach.privacy import Masked
from coach.prompts import Prompt

SPARE = 2  # drafts more than questions wanted
PASSAGE_TOKENS = 150  # of each passage its first sentences
FEWEST_WRITEUP_TOKENS = 60  # of a write-up that is cut; less is not worth a question
CUT = Notice("write-up-cut", "Your text is longer than the model may be sent, so it saw the beginning.")

_STRING = {"type": "string"}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["acknowledgement", "drafts"],
    "properties": {
        "acknowledgement": _STRING,
        "drafts": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["text", "skill", "about", "perspective", "form", "quote", "guidance_id"],
                "properties": {
                    "text": _STRING,
                    "skill": {"type": "string", "enum": [str(value) for value in Skill]},
                    "about": {"type": "string", "enum": [str(value) for value in About]},
                    "perspective": {"type": "string", "enum": [str(value) for value in Perspective]},
                    "form": {"type": "string", "enum": [str(value) for value in Form]},
                    "quote": _STRING,
                    "guidance_id": {"type": "string", "enum": ["", *(str(number) for number in range(1, 7))]},
                },
            },
        },
    },
}  # the same for every request: a provider compiles a schema once


@dataclass(frozen=True)
class Prices:
    """Money for a million tokens, in the operator's currency."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0

    def of(self, given: int, cached: int, written: int) -> float:
        """What a call cost."""
        return round(((given - cached) * self.input + cached * self.cached + written * self.output) / 1e6, 6)


@dataclass(frozen=True)
class Budget:
    """What one request may hold at most: tokens of the model's window, and money (0: no cap)."""

    window: int
    output: int
    prices: Prices = Prices()
    cap: float = 0.0

    @property
    def input(self) -> int:
        """Tokens that may be sent."""
        room = self.window - self.output
        if self.cap and self.prices.input:
            room = min(room, int((self.cap * 1e6 - self.output * self.prices.output) / self.prices.input))
        return room


@dataclass(frozen=True)
class Request:
    """A request ready to go, and what it is made of."""

    messages: list[dict[str, str]]
    passages: tuple[Found, ...]
    boundary: str
    tokens: int
    notices: tuple[Notice, ...] = ()

    def passage(self, name: str) -> str | None:
        """The id of the passage that a draft names, by the number that was sent or by its own id; None if none of that name was sent."""
        numbered = {str(place): found.passage.id for place, found in enumerate(self.passages, 1)}
        own = {found.passage.id: found.passage.id for found in self.passages}
        return (numbered | own).get(name.strip().strip("[]#"), own.get(name.strip()))


class Composer:
    """Makes requests from the prompts."""

    def __init__(self, prompts: Mapping[str, Prompt], budget: Budget) -> None:
        """`prompts` hold questions, challenge, turn and repair."""
        self._questions, self._challenge, self._turn, self._repair = (prompts[name] for name in ("questions", "challenge", "turn", "repair"))
        self._budget = budget
        self.system = self._questions.render({})

    @property
    def version(self) -> str:
        """Which prompts are used."""
        return "+".join(f"{prompt.name}@{prompt.version}" for prompt in (self._questions, self._challenge, self._turn, self._repair))

    def first(self, challenge: Challenge, materials: Sequence[str], found: Sequence[Found]) -> Request:
        """The request for a write-up or for a turn, of which `materials` may leave the process, the fullest form first.

        Where room is short: with fewer passages, then with a briefer form, then with less of the text.
        Errors: ModelFailed(NO_ROOM).
        """
        boundary = secrets.token_hex(6)
        passages = tuple(found)
        text, *briefer = materials
        whole = {*materials}
        while True:
            messages = self._messages(challenge, passages, text, boundary)
            total = tokens.in_messages(*(message["content"] for message in messages))
            over = total - self._budget.input
            if over <= 0:
                return Request(messages, passages, boundary, total, (CUT,) if text not in whole else ())
            if passages:
                passages = passages[:-1]  # they come best first
                continue
            if briefer:
                text, *briefer = briefer
                continue
            left = tokens.count(text) - over
            shorter = tokens.cut(text, left)
            if left < FEWEST_WRITEUP_TOKENS or len(shorter) >= len(text) or not shorter:
                raise ModelFailed(Trouble.NO_ROOM)
            text = shorter

    def again(self, request: Request, refused: Sequence[tuple[str, str]], count: int) -> Request:
        """The second and last request: which drafts did not pass, and why. Raises ModelFailed(NO_ROOM)."""
        listed = "\n".join(f"- {text[:300]} ({reason})" for text, reason in refused) or "- none came"
        told = self._repair.render({"boundary": request.boundary, "count": str(count), "refused": listed})
        messages = [*request.messages, {"role": "user", "content": told}]
        total = tokens.in_messages(*(message["content"] for message in messages))
        if total > self._budget.input:
            raise ModelFailed(Trouble.NO_ROOM)
        return Request(messages, request.passages, request.boundary, total)

    def _messages(self, challenge: Challenge, passages: Sequence[Found], text: str, boundary: str) -> list[dict[str, str]]:
        values = {
            "boundary": boundary,
            "count": str(challenge.count + SPARE),
            "lean": _lean(challenge),
            "passages": "\n".join(_passage(place, found) for place, found in enumerate(passages, 1)) or "none",
        }
        turn = challenge.turn
        told = (
            self._turn.render({**values, "conversation": text, "next": _OTHER_SIDE if turn.other else _NEXT[turn.stage]})
            if turn
            else self._challenge.render({**values, "writeup": text})
        )
        return [{"role": "system", "content": self.system}, {"role": "user", "content": told}]


_NEXT: Mapping[Stage, str] = {
    Stage.EXPLORE: "It goes on from the last reply: what is there, what happened, what it was like.",
    Stage.DEEPEN: "It stays with the last reply and goes deeper: what matters in it, and what is taken for granted.",
}
_OTHER_SIDE = "It looks through the eyes of somebody else in the story."


def _lean(challenge: Challenge) -> str:
    """What the caller asked for beside the write-up. Skills are words of ours; the rest is the caller's and stands in the material."""
    return f" Lean towards {', '.join(challenge.focus)}." if challenge.focus else ""


def _passage(place: int, found: Found) -> str:
    return f"[{place}] {found.passage.title}: {tokens.cut(found.passage.text, PASSAGE_TOKENS)}"


def material(challenge: Challenge) -> str:
    """The write-up, after what the caller says of its writer, or the conversation. It is not masked yet."""
    return _about(challenge) + ("".join(text for _, text in _lines(challenge)) if challenge.turn else challenge.text)


def briefer(challenge: Challenge, masked: Masked) -> list[str]:
    """What may be sent of the material, fullest first.

    Of a conversation also without the coach's earlier questions, each older text of the manager's cut to its first and last sentences: they stay the
    manager's own, and nothing is summed up.
    """
    if not challenge.turn:
        return [masked.text]
    lines = _lines(challenge)
    older = len(lines) - 2 * KEPT_WHOLE
    place, brief = len(_about(challenge)), masked.part(0, len(_about(challenge)))
    for number, (speaker, text) in enumerate(lines):
        whole = number >= older
        if whole or speaker == _MANAGER:
            spans = [(0, len(text))] if whole else _ends(text)
            brief += " ".join(masked.part(place + start, place + end).lstrip() for start, end in spans) + ("" if whole else "\n")
        place += len(text)
    return [masked.text, brief]


KEPT_WHOLE = 2  # exchanges that are always sent as they are
_MANAGER, _COACH = "Manager", "Coach"
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def _about(challenge: Challenge) -> str:
    told = [f"Role: {challenge.role}"] if challenge.role else []
    told += [f"Functions involved: {', '.join(challenge.functions)}"] if challenge.functions else []
    return "".join(f"{line}\n" for line in told)


def _lines(challenge: Challenge) -> list[tuple[str, str]]:
    """A conversation: who speaks, and the line as it is sent."""
    writeup = places(challenge)[0]
    lines = [(_MANAGER, challenge.text[writeup.start : writeup.end])]
    for exchange in (*challenge.also, *challenge.exchanges):
        lines += [(_COACH, exchange.question), (_MANAGER, exchange.reply or "(left unanswered)")]
    return [(speaker, f"{speaker}: {text}\n") for speaker, text in lines]


def _ends(text: str) -> list[tuple[int, int]]:
    """The first and the last sentence of a line."""
    spans = [match.span() for match in _SENTENCE.finditer(text)]
    return list(dict.fromkeys((spans[0], spans[-1]))) if spans else []
