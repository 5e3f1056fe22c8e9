"""`coach index`."""

from pathlib import Path

import click

from coach.bootstrap import embedder
from coach.cli.progress import Bar
from coach.knowledge import own, signposts
from coach.knowledge.files import load
from coach.knowledge.index import build
from coach.knowledge.submitted import Rules, read_folder
from coach.knowledge.where import data_folder
from coach.safety import Safety
from coach.settings import Settings


@click.command()
@click.option("--add", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A folder of documents of your own; needs --as.")
@click.option("--as", "name", help="The collection that they go into: small letters, digits and dashes.")
@click.option("--drop", help="Erase this collection.")
@click.pass_obj
def command(settings: Settings, folder: Path | None, name: str | None, drop: str | None) -> None:
    """Bring the index up to date: only what changed is embedded again. With --add, put documents of your own beside it."""
    if (folder is None) != (name is None) or (drop and folder):
        raise click.UsageError("--add wants a folder and --as a name, together, and --drop stands alone.")
    if drop:
        _drop(settings, drop)
    elif folder and name:
        _add(settings, folder, name)
    else:
        _ours(settings)


def _ours(settings: Settings) -> None:
    knowledge = load(data_folder("knowledge"))
    built = build(settings.data_dir, knowledge, embedder(settings), Bar("Embedding"))
    if not built.switched:
        click.echo(f"The index is up to date: {built.passages} passages.")
    else:
        click.echo(f"The index holds {built.passages} passages; {built.embedded} texts were embedded, {built.kept} vectors kept.")


def _add(settings: Settings, folder: Path, name: str) -> None:
    top = _home(settings, name)
    documents = read_folder(folder, Rules.of(data_folder("knowledge"), Safety(signposts.load(data_folder("knowledge")))))
    done = own.add(top, documents, embedder(settings), Bar("Embedding documents"))
    resumed = f", {done.resumed} had been before" if done.resumed else ""
    click.echo(f"{name} holds {own.count(top)} documents; {done.embedded} were embedded{resumed}, {done.replaced} took the place of others.")


def _drop(settings: Settings, name: str) -> None:
    if not own.drop(_home(settings, name)):
        raise click.ClickException(f"There is no collection {name}; there are: {', '.join(own.names(settings.data_dir)) or 'none'}.")
    click.echo(f"{name} is erased.")


def _home(settings: Settings, name: str) -> Path:
    try:
        return own.home(settings.data_dir, name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as or --drop") from None
