"""`coach receipt`."""

from pathlib import Path
from typing import TypeVar

import click

from coach import guard
from coach.receipt import measure, render, sets

Set = TypeVar("Set", sets.Labelled, sets.Advice)
MADE = "Made by `coach receipt guard`."


@click.group("receipt")
def command() -> None:
    """What a release was measured to do."""


@command.command("guard")
@click.option("--cases", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("tests/cases"), help="Our labelled sentences.")
@click.option(
    "--external",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("../shared/data/external"),
    help="Public sets; left out if not there.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("tests/receipts"), help="Where to write it.")
def on_guard(cases: Path, external: Path, out: Path) -> None:
    """Judge every held-out set and write receipt.md, receipt.json and confusion.svg."""
    if not guard.ready():
        raise click.ClickException("the encoder cannot be loaded, and without it half of the guard would be measured; `make setup` installs it")
    try:
        own, forums = sets.own(cases), sets.forums(external)
        asked = sets.one_on_one(external, cases)
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"a set cannot be read: {type(error).__name__}: {error}") from None
    measured = [measure.labelled(_announced(one)) for one in (*own, *asked)]
    advice = [measure.advice(_announced(one)) for one in forums]
    out.mkdir(parents=True, exist_ok=True)
    told = render.markdown(measured, advice, MADE)
    (out / "receipt.md").write_text(told + "\n", encoding="utf-8")
    (out / "receipt.json").write_text(render.as_json(measured, advice, MADE), encoding="utf-8")
    (out / "confusion.svg").write_text(render.picture(measured[0]), encoding="utf-8")
    click.echo(told.split("\n## ")[0])
    click.echo(f"written to {out}", err=True)


def _announced(one: Set) -> Set:
    click.echo(f"judging {one.name} ...", err=True)
    return one
