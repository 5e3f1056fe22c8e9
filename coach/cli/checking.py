"""`coach check`."""

import json
import sys
from typing import Any

import click

from coach import guard
from coach.cli.rows import FILE, json_rows


@click.command("check")
@FILE
@click.option("--json", "as_json", is_flag=True, help="All verdicts as one JSON list.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write a verdict a line, with the same id.')
def command(file: str, as_json: bool, jsonl: bool) -> None:  # noqa: FBT001
    """Judge each line of FILE: is it a question that leaves the answer with the manager?"""
    with click.open_file(file, encoding="utf-8", errors="strict") as source:
        rows = list(json_rows(source) if jsonl else enumerate((line.strip() for line in source if line.strip()), 1))
    verdicts = [_verdict(identifier, text) for identifier, text in rows]
    if jsonl:
        for verdict in verdicts:
            click.echo(json.dumps(verdict, ensure_ascii=False))
    elif as_json:
        click.echo(json.dumps(verdicts, ensure_ascii=False))
    else:
        for (_, text), verdict in zip(rows, verdicts, strict=True):
            _say(text, verdict)
    sys.exit(0 if jsonl or as_json or all(verdict["accept"] for verdict in verdicts) else 1)


def _verdict(identifier: object, text: str) -> dict[str, Any]:
    verdict = guard.check(text)
    return {"id": identifier, "accept": verdict.accept, "reason": verdict.reason, "span": verdict.span, "message": verdict.message}


def _say(text: str, verdict: dict[str, Any]) -> None:
    mark = click.style("passes ", fg="green") if verdict["accept"] else click.style("refused", fg="red")
    click.echo(f"{mark}  {text}")
    if verdict["span"]:
        start, end = verdict["span"]
        click.echo(f"         {verdict['reason']}: {text[start:end]!r}. {verdict['message']}")
