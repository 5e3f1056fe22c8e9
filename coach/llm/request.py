"""What is sent to the model: the same words first every time, then the material between lines that nobody can guess, within a budget."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coach import tokens
from coach.llm.failure import ModelFailed, Trouble
from coach.model import About, Challenge, Form, Found, Notice, Perspective, Skill
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
        """`prompts` hold questions, challenge and repair."""
        self._questions, self._challenge, self._repair = (prompts[name] for name in ("questions", "challenge", "repair"))
        self._budget = budget
        self.system = self._questions.render({})

    @property
    def version(self) -> str:
        """Which prompts are used."""
        return "+".join(f"{prompt.name}@{prompt.version}" for prompt in (self._questions, self._challenge, self._repair))

    def first(self, challenge: Challenge, material: str, found: Sequence[Found]) -> Request:
        """The request for a write-up, of which `material` may leave the process: with fewer passages where room is short, then with less of the text.

        Errors: ModelFailed(NO_ROOM).
        """
        boundary = secrets.token_hex(6)
        passages = tuple(found)
        text = material
        while True:
            messages = self._messages(challenge, passages, text, boundary)
            total = tokens.in_messages(*(message["content"] for message in messages))
            over = total - self._budget.input
            if over <= 0:
                return Request(messages, passages, boundary, total, (CUT,) if text != material else ())
            if passages:
                passages = passages[:-1]  # they come best first
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
            "writeup": text,
        }
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self._challenge.render(values)}]


def _lean(challenge: Challenge) -> str:
    """What the caller asked for beside the write-up. Skills are words of ours; the rest is the caller's and stands in the material."""
    return f" Lean towards {', '.join(challenge.focus)}." if challenge.focus else ""


def _passage(place: int, found: Found) -> str:
    return f"[{place}] {found.passage.title}: {tokens.cut(found.passage.text, PASSAGE_TOKENS)}"


def material(challenge: Challenge) -> str:
    """The write-up, after what the caller says of its writer. It is not masked yet."""
    told = [f"Role: {challenge.role}"] if challenge.role else []
    told += [f"Functions involved: {', '.join(challenge.functions)}"] if challenge.functions else []
    return "".join(f"{line}\n" for line in told) + challenge.text
