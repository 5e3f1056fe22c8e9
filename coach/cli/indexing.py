"""`coach index`."""

import click

from coach.bootstrap import embedder
from coach.cli.progress import Bar
from coach.knowledge.files import load
from coach.knowledge.index import build
from coach.knowledge.where import data_folder
from coach.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Bring the index up to date: only what changed is embedded again."""
    knowledge = load(data_folder("knowledge"))
    built = build(settings.data_dir, knowledge, embedder(settings), Bar("Embedding"))
    if not built.switched:
        click.echo(f"The index is up to date: {built.passages} passages.")
    else:
        click.echo(f"The index holds {built.passages} passages; {built.embedded} texts were embedded, {built.kept} vectors kept.")
