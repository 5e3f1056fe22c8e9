"""What the answer in the making has cost in tokens up to this moment: a budget counts an answer that was left half way, too.

A provider says what it counted with its last word. Until then, and where it never does, it is what was sent and a quarter of the characters that
came.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass

from coach.llm.failure import ModelFailed
from coach.llm.provider import Billed

CHARACTERS = 4  # of English to a token, on the average


@dataclass
class Meter:
    """Tokens of all calls of an answer."""

    tokens: int = 0

    def take(self) -> int:
        """What was not taken yet."""
        taken, self.tokens = self.tokens, 0
        return taken


_running: ContextVar[Meter | None] = ContextVar("meter", default=None)


def start() -> Meter:
    """A meter for all that is answered in this context and those that are made from it: set before the answer begins, as tasks copy their context."""
    meter = Meter()
    _running.set(meter)
    return meter


def running() -> Meter:
    """That meter; one that nobody reads where none was started."""
    return _running.get() or Meter()


async def metered(pieces: AsyncGenerator[str | Billed, None], given: int) -> AsyncGenerator[str | Billed, None]:
    """The same pieces, counted as they come. `given` is what was sent, in tokens; nothing is counted of a call that failed before its first word."""
    meter = running()
    counted, characters, billed = given, 0, 0
    meter.tokens += given
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Billed):
                    billed += piece.input + piece.output
                else:
                    characters += len(piece)
                now = billed or given + characters // CHARACTERS
                meter.tokens += now - counted
                counted = now
                yield piece
    except ModelFailed:
        if not characters and not billed:
            meter.tokens -= given
        raise
