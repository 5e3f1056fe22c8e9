"""Writes two conversations of the documentation, held with the library: `python -m tests.talk` writes tests/receipts/conversations.md."""

import json
import tempfile
from pathlib import Path

import httpx

from tests.bench.speed import served
from tests.llm.run import talk, transcript

HERE = Path(__file__).parent
SHOWN = ("s01", "s12")
INTRODUCTION = """# Two conversations

Held with the library, without a language model. The managers are invented and were played by a language model. A test holds the service to these
questions. Made by `python -m tests.talk`."""


def main() -> None:
    """Hold both, and write them down."""
    scripts = json.loads((HERE / "cases" / "conversations.json").read_text(encoding="utf-8"))
    rows = {row["id"]: row["text"] for row in map(json.loads, (HERE / "cases" / "writeups.jsonl").open(encoding="utf-8"))}
    told = [INTRODUCTION]
    with tempfile.TemporaryDirectory() as data, served(data) as (url, _, _), httpx.Client(base_url=url, timeout=60) as client:
        for name in SHOWN:
            quoted = rows[name].strip().replace("\n", "\n> ")
            told += [transcript(name, talk(client, rows[name], scripts[name])).replace(f"## {name}", f"## {name}\n\n> {quoted}")]
    (HERE / "receipts" / "conversations.md").write_text("\n\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
