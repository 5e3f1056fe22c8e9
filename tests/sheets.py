"""One sheet for each protocol from development write-ups, to be looked at: `python -m tests.sheets FOLDER` writes PDF, HTML and ICS of each.

Without a folder it writes the two of the documentation to tests/receipts/sheets.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from coach.bootstrap import Coach, assemble
from coach.paper.calendar import calendar
from coach.paper.markdown import markdown
from coach.paper.page import page
from coach.paper.pdf import pdf
from coach.prepare import Group, prepare
from coach.schedule import takes
from coach.settings import Settings
from coach.sheets import Member, Sheet

HERE = Path(__file__).parent
NAMES = {"g1-01": "Ruaridh", "g1-02": "Sunita", "g1-03": "Callum", "g1-04": "Marianne"}
MORE = ("Ines", "Tom", "Aigul", "Bert")
SHOWN = ("peer-round", "troika")


def members(count: int) -> tuple[Member, ...]:
    """The group of four, as many as are wanted of it, and others who have yet to write."""
    rows = [json.loads(line) for line in (HERE / "cases" / "writeups.jsonl").open(encoding="utf-8")]
    four = [Member(NAMES[row["id"]], row["functions"][0].split(" /")[0], row["text"]) for row in rows if row["id"] in NAMES]
    return (*four, *(Member(name, function) for name, function in zip(MORE, ("finance", "purchasing", "IT", "quality"), strict=True)))[:count]


async def sheet(coach: Coach, name: str) -> Sheet:
    """At its best size, as near to its ideal length as there are rounds for."""
    protocol = coach.groups.protocols[name]
    count = min(protocol.best, 8)
    rounds = min(protocol.most_rounds, count, 3)
    return await prepare(Group(members(count), takes(protocol, rounds).ideal, name, rounds), coach.groups)


def main() -> None:
    """Write them."""
    with tempfile.TemporaryDirectory() as data:
        coach = assemble(Settings(data_dir=Path(data)), lambda _done, _total: None)
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "receipts" / "sheets"
        folder.mkdir(parents=True, exist_ok=True)
        for name in coach.groups.protocols if len(sys.argv) > 1 else SHOWN:
            made = asyncio.run(sheet(coach, name))
            (folder / f"{name}.pdf").write_bytes(pdf(made))
            if len(sys.argv) > 1:
                (folder / f"{name}.html").write_text(page(made), encoding="utf-8")
                (folder / f"{name}.ics").write_bytes(calendar(made, "2026-12-12T10:00", "Europe/Berlin", alarms=True))
            else:
                (folder / f"{name}.md").write_text(markdown(made), encoding="utf-8")
            print(f"{name}: {made.minutes} minutes, {len(made.cases)} rounds, {len(made.steps)} phases")


if __name__ == "__main__":
    main()
