"""`coach receipt`."""

from pathlib import Path
from typing import TypeVar

import click

from coach import guard
from coach.knowledge import signposts
from coach.knowledge.where import data_folder
from coach.receipt import confide, measure, render, sets
from coach.safety import Safety

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


@command.command("safety")
@click.option("--cases", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("tests/cases"), help="Our labelled texts.")
@click.option(
    "--external",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("../shared/data/external"),
    help="Public sets; left out if not there.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("tests/receipts"), help="Where to write it.")
def on_safety(cases: Path, external: Path, out: Path) -> None:
    """Judge and mask every set and write safety.md and safety.json."""
    made = "Made by `coach receipt safety`."
    try:
        parts = confide.measure(cases, external, Safety(signposts.load(data_folder("knowledge"))), lambda name: click.echo(f"{name} ...", err=True))
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"a set cannot be read: {type(error).__name__}: {error}") from None
    out.mkdir(parents=True, exist_ok=True)
    told = confide.markdown(parts, made)
    (out / "safety.md").write_text(told, encoding="utf-8")
    (out / "safety.json").write_text(confide.as_json(parts, made), encoding="utf-8")
    click.echo("\n".join(line for line in told.splitlines() if line.startswith(("#", "|"))))
    click.echo(f"written to {out}", err=True)
