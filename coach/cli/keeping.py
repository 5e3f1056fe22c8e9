"""`coach export`, `coach erase`, `coach purge`, `coach migrate`, `coach reseal`: what an operator does with what is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import click

from coach.bootstrap import closings, keyring, remembering
from coach.errors import SettingsError
from coach.knowledge.files import load
from coach.knowledge.where import data_folder
from coach.memory import Memory, erase_all, purge
from coach.ports import Keyring
from coach.settings import Settings
from coach.web.keeping import lines

Rest = ParamSpec("Rest")
OWNER = click.option("--owner", metavar="NAME", help="Of this owner alone: the name of a key, or `local`.")

SWEPT = "No trace of anything erased is left in the database's files."
UNSWEPT = "What was erased can no longer be read, but traces may be left in the database's files: another was using them. `coach purge` tries again."


def with_memory(work: Callable[Concatenate[Memory, Rest], Awaitable[None]]) -> Callable[Concatenate[Settings, Rest], None]:
    """Open what the settings name, do the work, close it again. Raises SettingsError where nothing is kept."""

    @wraps(work)
    def command(settings: Settings, /, *args: Rest.args, **kwargs: Rest.kwargs) -> None:
        async def whole() -> None:
            memory = remembering(settings)
            if memory is None:
                raise SettingsError("COACH_STORE", "is `off`: nothing is kept here")
            try:
                await work(memory, *args, **kwargs)
            finally:
                await memory.journal.close()

        asyncio.run(whole())

    return command


def with_keyring(work: Callable[Concatenate[Keyring, Rest], Awaitable[None]]) -> Callable[Concatenate[Settings, Rest], None]:
    """The same with the keys, which are there also where nothing is kept."""

    @wraps(work)
    def command(settings: Settings, /, *args: Rest.args, **kwargs: Rest.kwargs) -> None:
        async def whole() -> None:
            held = keyring(settings)
            try:
                await work(held, *args, **kwargs)
            finally:
                await held.close()

        asyncio.run(whole())

    return command


@click.command("export")
@OWNER
@click.option("--out", type=click.File("wb"), default="-", help="Where to; standard output if left out.")
@click.pass_obj
@with_memory
async def export(memory: Memory, owner: str | None, out: Any) -> None:
    """Write what is kept as JSON lines, whole: the same as `GET /v1/me/export`."""
    async for line in lines(closings(load(data_folder("knowledge"))), memory, owner):
        out.write(line)


@click.command("erase")
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@OWNER
@click.option("--all", "everything", is_flag=True, help="Of every owner.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@with_memory
async def erase(memory: Memory, identifiers: tuple[str, ...], owner: str | None, everything: bool, yes: bool) -> None:  # noqa: FBT001
    """Erase reflections by their ids, or all of an owner, or all there are; to the last byte."""
    if (bool(identifiers) + bool(owner) + everything) != 1:
        raise click.UsageError("Say which: ids, --owner NAME, or --all.")
    if not identifiers and not yes:
        click.confirm(f"Erase all that {owner or 'anybody'} keeps here?", abort=True)
    if identifiers:
        count = await memory.journal.erase(identifiers)
        swept = await memory.journal.sweep()
    else:
        count, swept = await erase_all(owner, memory)
    _say(count, "erased", swept=swept)


@click.command("purge")
@click.pass_obj
@with_memory
async def purging(memory: Memory) -> None:
    """Erase what has expired; a running service does this every hour by itself."""
    count, swept = await purge(memory)
    _say(count, "had expired", swept=swept)


@click.command("migrate")
@click.pass_obj
@with_memory
async def migrate(memory: Memory) -> None:
    """Bring the database's tables up to date; a starting service does this by itself."""
    before, after = await memory.journal.open()
    click.echo(f"The tables are up to date (step {after})." if before == after else f"The tables went from step {before or 'none'} to {after}.")


@click.command("reseal")
@click.pass_obj
@with_memory
async def reseal(memory: Memory) -> None:
    """Encrypt everything with the first key of COACH_STORE_KEY; after that the older keys can be taken away."""
    count = await memory.journal.reseal()
    click.echo(f"{count} texts were sealed anew." if count else "Everything was sealed with the newest key already.")


def _say(count: int, what: str, *, swept: bool) -> None:
    some = f"{count} {'reflection' if count == 1 else 'reflections'}" if count else "Nothing"
    click.echo(f"{some} {what}. {SWEPT if swept else UNSWEPT}")
