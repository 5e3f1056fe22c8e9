"""`coach triage`."""

import json
from typing import Any

import click

from coach.cli.rows import FILE, json_rows, opened
from coach.knowledge import signposts
from coach.knowledge.where import data_folder
from coach.languages import Lingua
from coach.safety import Judgement, Safety
from coach.settings import Settings


@click.command("triage")
@FILE
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write one judged a line, with the same id.')
@click.option("--country", metavar="CODE", help="Where help is looked for (default: COACH_COUNTRY).")
@click.pass_obj
def command(settings: Settings, file: str, as_json: bool, jsonl: bool, country: str | None) -> None:  # noqa: FBT001
    """Is FILE something to coach at all, or is help elsewhere needed? Not a safety product."""
    safety, languages = Safety(signposts.load(data_folder("knowledge"))), Lingua()

    def row(identifier: object, text: str) -> dict[str, Any]:
        language = languages.detect(text) or "en"
        return _row(identifier, safety.judge(text, language), safety, language, country or settings.country or None)

    with opened(file) as source:
        if jsonl:
            for identifier, text in json_rows(source):
                click.echo(json.dumps(row(identifier, text), ensure_ascii=False))
            return
        found = row(None, source.read())
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(found["flag"] or "nothing speaks against coaching")
    for one in found["signposts"]:
        click.echo(f"\n{one['text']}")
        for helping in one["help"]:
            click.echo(f"  {helping['name']}: {helping['contact']} ({helping['what']}; {helping['hours']})")


def _row(identifier: object, judgement: Judgement, safety: Safety, language: str, country: str | None) -> dict[str, Any]:
    found = [safety.signpost(judgement, language, country)] if judgement.stops else []
    shown = [
        {
            "text": one.text,
            "emergency": one.emergency,
            "help": [{"name": help_.name, "contact": help_.contact, "what": help_.what, "hours": help_.hours} for help_ in one.help],
        }
        for one in found
    ]
    return {"id": identifier, "flag": judgement.flag, "signposts": shown}
