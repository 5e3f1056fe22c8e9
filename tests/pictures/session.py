"""Draws the session of the documentation anew: `python -m tests.pictures.session`."""

import asyncio
import tempfile
from pathlib import Path

from coach.bootstrap import assemble
from coach.paper.timeline import timeline
from coach.prepare import prepare
from coach.settings import Settings
from coach.sheets import Group, Member, Sheet

NAMES = ("Ruth", "Anselm", "Noor", "Piet", "Mira", "Tom")


async def _made(folder: str) -> Sheet:
    coach = assemble(Settings(data_dir=Path(folder)), lambda _done, _total: None)
    return await prepare(Group(tuple(Member(name) for name in NAMES), 90, "peer-round", 3), coach.groups)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data:
        (Path(__file__).parent / "session.svg").write_text(timeline(asyncio.run(_made(data))), encoding="utf-8")
