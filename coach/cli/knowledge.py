"""`coach knowledge check`."""

import sys

import click

from coach.bootstrap import embedder
from coach.knowledge import check
from coach.knowledge.where import data_folder
from coach.settings import Settings


@click.group()
def command() -> None:
    """The guidance and the questions."""


@command.command("check")
@click.pass_obj
def check_knowledge(settings: Settings) -> None:
    """Validate all of knowledge/: file, field and reason of every fault."""
    found = check.run(data_folder("knowledge"), embedder(settings))
    for fault in found.faults:
        click.echo(str(fault))
    counts = f"{found.documents} documents, {found.passages} passages, {found.questions} questions ({found.slotted} with a slot)"
    counts += f", {found.protocols} protocols"
    click.echo(f"{counts}: {len(found.faults)} faults")
    sys.exit(1 if found.faults else 0)
