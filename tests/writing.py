"""Writes to a journal until it is killed, and says what was acknowledged: `python -m tests.writing URL FOLDER`."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from coach import ids
from coach.kept import Entry, Kept, Reply, digest, new_token
from coach.model import Challenge
from coach.store import SqlJournal
from coach.store.journal import utc_now
from coach.store.sealing import Sealer

LENGTHS = (20, 300, 3000, 9000)


def text(name: str, seq: int) -> str:
    """What is written in that place, and nowhere else; whole if it is equal to this."""
    return f"{name} {seq} " * (LENGTHS[(seq + len(name)) % len(LENGTHS)] // 30) + f"end of {name} {seq}"


async def main(url: str, folder: Path) -> None:
    """A line on standard output for each thing that was acknowledged."""
    journal = SqlJournal(url, folder, Sealer(""))
    while True:
        name = ids.new("r")
        now = utc_now()
        await journal.begin(Kept(name, "me", digest(new_token()), now, now + timedelta(days=1), Challenge(text(name, -1))))
        print(name, -1, flush=True)
        for seq in range(8):
            await journal.add(name, seq, Entry(utc_now(), Reply("q1", "What?", text(name, seq))))
            print(name, seq, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
