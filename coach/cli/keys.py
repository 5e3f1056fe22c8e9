"""`coach keys`: who owns what they keep."""

import re
import secrets

import click

from coach.cli.keeping import with_memory
from coach.errors import JournalConflict
from coach.memory import Memory

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@click.group("keys")
def command() -> None:
    """Who owns what they keep: the holder of a key lists, exports and erases what was kept with it."""


@command.command("create")
@click.argument("name")
@click.pass_obj
@with_memory
async def create(memory: Memory, name: str) -> None:
    """Make a key for NAME and show it, once: only a hash of it is kept."""
    if not _NAME.fullmatch(name):
        raise click.BadParameter("wants 1 to 64 letters, digits, dots, dashes or underscores", param_hint="NAME")
    key = f"ck_{secrets.token_urlsafe(32)}"
    try:
        await memory.journal.add_key(name, key)
    except JournalConflict:
        raise click.ClickException(f"There is a key for {name} already; `coach keys revoke {name}` takes it back.") from None
    click.echo(key)
    click.echo("It is not shown again. Send it as `Authorization: Bearer`.", err=True)


@command.command("list")
@click.pass_obj
@with_memory
async def show(memory: Memory) -> None:
    """Who holds a key, and since when."""
    names = await memory.journal.key_names()
    for name, since in names:
        click.echo(f"{name}  since {since.date().isoformat()}")
    if not names:
        click.echo("Nobody holds a key: while the service listens to this machine alone, whoever uses it owns what is kept.", err=True)


@command.command("revoke")
@click.argument("name")
@click.pass_obj
@with_memory
async def revoke(memory: Memory, name: str) -> None:
    """Take back the key of NAME. What was kept with it stays, until it expires or `coach erase --owner NAME`."""
    if not await memory.journal.drop_key(name):
        raise click.ClickException(f"There is no key for {name}.")
    click.echo(f"The key of {name} opens nothing any more.")
