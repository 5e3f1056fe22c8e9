"""Writes the example answer of the documentation from a real one. Run it with `make example`."""

import asyncio
import json
import tempfile
from pathlib import Path

import msgspec

import coach.web
from coach.bootstrap import assemble
from coach.reflect import reflect
from coach.settings import Settings
from coach.web.examples import REQUEST
from coach.web.schema import Folder, ReflectionRequest


async def answer(folder: Path) -> dict[str, object]:
    """The whole answer to the example request, with a plain id and no time in it."""
    coach = assemble(Settings(data_dir=folder), lambda _done, _total: None)
    told = Folder()
    async for event in reflect(msgspec.convert(REQUEST, ReflectionRequest).to_challenge(), coach.needs):
        told.add(event)
    found = msgspec.to_builtins(told.answer())
    return {**found, "id": "r_example", "usage": {**found["usage"], "milliseconds": 70}}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        text = json.dumps(asyncio.run(answer(Path(name))), indent=2, ensure_ascii=False)
    (Path(coach.web.__file__).parent / "example_answer.json").write_text(text + "\n", encoding="utf-8")
