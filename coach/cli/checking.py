"""`coach check`."""

import json
import sys
from typing import Any

import click

from coach import guard
from coach.cli.rows import FILE, json_rows, opened
from coach.guard import Verdict

SCOPES = {
    "full": "structure, phrases, reading",
    "phrases": "structure and phrases; nothing here reads this language, or the encoder cannot be loaded",
    "structure": "marks and length only; there are no phrases for this language",
}


@click.command("check")
@FILE
@click.option("--json", "as_json", is_flag=True, help="All verdicts as one JSON list.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write a verdict a line, with the same id.')
@click.option("--explain", is_flag=True, help="Say all that speaks against each line, and how likely each reason is.")
@click.option("--language", metavar="TAG", help="The language of the lines (default: made out from their words).")
@click.option(
    "--challenge",
    "about",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="The write-up that they are about: judge names, numbers and quotations too.",
)
def command(file: str, as_json: bool, jsonl: bool, explain: bool, language: str | None, about: str | None) -> None:  # noqa: FBT001, PLR0913, PLR0917
    """Judge each line of FILE: is it a question that leaves the answer with the manager?"""
    with opened(file) as source:
        rows = list(json_rows(source) if jsonl else enumerate((line.strip() for line in source if line.strip()), 1))
    context = guard.Context(_read(about)) if about else None
    verdicts = guard.check_all([text for _, text in rows], language=language, context=context)
    if jsonl:
        for (identifier, _), verdict in zip(rows, verdicts, strict=True):
            click.echo(json.dumps(_row(identifier, verdict), ensure_ascii=False))
    elif as_json:
        click.echo(json.dumps([_row(identifier, verdict) for (identifier, _), verdict in zip(rows, verdicts, strict=True)], ensure_ascii=False))
    else:
        for (_, text), verdict in zip(rows, verdicts, strict=True):
            _say(text, verdict)
            if explain:
                _explain(text, verdict)
    sys.exit(0 if jsonl or as_json or all(verdict.accept for verdict in verdicts) else 1)


def _read(file: str) -> str:
    with opened(file) as source:
        return source.read()


def _row(identifier: object, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": identifier,
        "accept": verdict.accept,
        "reason": verdict.reason,
        "span": verdict.span,
        "message": verdict.message,
        "rule": verdict.rule,
        "also": [str(finding.reason) for finding in verdict.findings[1:]],
        "language": verdict.language,
        "scope": verdict.scope,
        "likely": verdict.likely,
    }


def _say(text: str, verdict: Verdict) -> None:
    mark = click.style("passes ", fg="green") if verdict.accept else click.style("refused", fg="red")
    click.echo(f"{mark}  {text}")
    if verdict.span:
        start, end = verdict.span
        click.echo(f"         {verdict.reason}: {text[start:end]!r}. {verdict.message}")


def _explain(text: str, verdict: Verdict) -> None:
    for finding in verdict.findings:
        start, end = finding.span
        click.echo(click.style(f"         - {finding.reason} by {finding.rule}, {start}-{end}: {text[start:end]!r}", dim=True))
    if verdict.likely:
        ranked = sorted(verdict.likely.items(), key=lambda item: -item[1])
        click.echo(click.style("         " + ", ".join(f"{name} {share:.2f}" for name, share in ranked if share >= 0.01), dim=True))
    click.echo(click.style(f"         judged as {verdict.language}: {SCOPES[verdict.scope]}", dim=True))
