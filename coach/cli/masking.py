"""`coach mask`."""

import json
import sys
from typing import Any

import click

from coach import privacy
from coach.cli.rows import FILE, json_rows, opened
from coach.languages import Lingua
from coach.privacy import Masked


@click.command("mask")
@FILE
@click.option("--json", "as_json", is_flag=True, help="The masked text and each replacement, as JSON.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write one masked a line, with the same id.')
@click.option("--language", metavar="TAG", help="The language of the text (default: made out from its words).")
@click.option("--also", multiple=True, metavar="WORDS", help="More words to mask; can be given several times.")
@click.option("--keep", multiple=True, metavar="WORDS", help="Words to leave; can be given several times.")
def command(file: str, as_json: bool, jsonl: bool, language: str | None, also: tuple[str, ...], keep: tuple[str, ...]) -> None:  # noqa: FBT001, PLR0913, PLR0917
    """Show FILE as it would leave the process: people, companies, products, places, addresses and numbers replaced."""
    languages = Lingua()

    def masked(text: str) -> Masked:
        spoken = (language or languages.detect(text) or "en").lower().split("-")[0]
        return privacy.mask(text, language=spoken, also=also, keep=keep)

    with opened(file) as source:
        if jsonl:
            for identifier, text in json_rows(source):
                click.echo(json.dumps(_row(identifier, masked(text)), ensure_ascii=False))
            return
        text = source.read()
    found = masked(text)
    if as_json:
        click.echo(json.dumps(_row(None, found), ensure_ascii=False))
        return
    click.echo(found.text, nl=not found.text.endswith("\n"))
    click.echo(", ".join(f"{count} {kind}" for kind, count in sorted(found.counts.items())) or "nothing masked", err=True)
    sys.exit(0)


def _row(identifier: object, masked: Masked) -> dict[str, Any]:
    replacements = [{"start": item.start, "end": item.end, "kind": str(item.kind), "placeholder": item.placeholder} for item in masked.replacements]
    return {"id": identifier, "text": masked.text, "replacements": replacements}
