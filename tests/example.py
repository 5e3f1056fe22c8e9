"""Writes the example answers of the documentation from real ones. Run it with `make example`."""

import asyncio
import json
import tempfile
from pathlib import Path

import msgspec

import coach.web
from coach import guard
from coach.bootstrap import assemble
from coach.reflect import reflect
from coach.settings import Settings
from coach.web.examples import REQUEST, SENTENCES
from coach.web.schema import Folder
from coach.web.verdicts import verdict_out
from coach.wire.checks import CheckAnswer
from coach.wire.reflections import ReflectionRequest


async def answer(folder: Path) -> dict[str, object]:
    """The whole answer to the example request, with a plain id and no time in it."""
    coach = assemble(Settings(data_dir=folder), lambda _done, _total: None)
    told = Folder()
    async for event in reflect(msgspec.convert(REQUEST, ReflectionRequest).to_challenge(), coach.needs):
        told.add(event)
    found = msgspec.to_builtins(told.answer())
    return {**found, "id": "r_example", "usage": {**found["usage"], "milliseconds": 70}}


def verdicts() -> dict[str, object]:
    """The verdicts on the example sentences."""
    found: dict[str, object] = msgspec.to_builtins(CheckAnswer("checks", guard.VERSION, [verdict_out(one) for one in guard.check_all(**SENTENCES)]))
    return found


def write(name: str, value: dict[str, object]) -> None:
    """As JSON beside the addresses of the service."""
    (Path(coach.web.__file__).parent / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write("example_answer.json", asyncio.run(answer(Path(folder))))
    write("example_verdicts.json", verdicts())
