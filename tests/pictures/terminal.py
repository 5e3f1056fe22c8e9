"""Draws tests/pictures/terminal.svg: what `coach reflect` shows for the README's request. Run it with `make picture`."""

import asyncio
import io
import json
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from coach.bootstrap import assemble
from coach.model import Challenge
from coach.reflect import reflect
from coach.settings import Settings
from coach.terminal import show

HERE = Path(__file__).parent
PAPER = TerminalTheme((250, 248, 244), (44, 42, 40), [(44, 42, 40)] * 8, [(110, 104, 98)] * 8)


def main() -> None:
    """Ask, record, draw; without the web font that rich would fetch."""
    readme = (HERE.parent.parent / "README.md").read_text(encoding="utf-8")
    request = json.loads(re.findall(r"-d '(\{.*?\})'", readme, re.DOTALL)[0])
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        coach = assemble(Settings(data_dir=Path(folder)), lambda _done, _total: None)
        asyncio.run(show(reflect(Challenge(request["challenge"]), coach.needs), console))
    drawn = console.export_svg(title="coach reflect", theme=PAPER, unique_id="coach")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL).replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    (HERE / "terminal.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
