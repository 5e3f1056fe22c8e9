"""`coach webhooks`: who is told what happens in sessions."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Concatenate, ParamSpec

import click

from coach import ids
from coach.bootstrap import keyring, outgoing, remembering
from coach.courier import Courier, Target
from coach.deliver import trial
from coach.errors import AddressRefused, SettingsError
from coach.settings import Settings
from coach.store.outbox import SqlOutbox
from coach.web.gate import LOCAL
from coach.webhooks import Topic, Webhook, new_secret

Rest = ParamSpec("Rest")
Work = Callable[Concatenate[SqlOutbox, Courier, Rest], Awaitable[None]]


def with_outbox(work: Work[Rest]) -> Callable[Concatenate[Settings, Rest], None]:
    """Open what the settings name, do the work, close it again. Raises SettingsError where nothing is kept."""

    @wraps(work)
    def command(settings: Settings, /, *args: Rest.args, **kwargs: Rest.kwargs) -> None:
        async def whole() -> None:
            memory = remembering(settings)
            if memory is None:
                raise SettingsError("COACH_STORE", "is `off`: no session is kept, so there is nothing to tell")
            try:
                await work(*outgoing(settings, memory), *args, **kwargs)
            finally:
                await memory.journal.close()

        asyncio.run(whole())

    return command


@click.group("webhooks")
def command() -> None:
    """Who is told when a member of a session hands in or withdraws, and when its sheet is ready: ids and numbers, never a text."""


@command.command("add")
@click.argument("url", metavar="URL")
@click.option("--owner", default=LOCAL, show_default=True, metavar="NAME", help="Whose sessions: the name of a key, or `local`.")
@click.option("--event", "topics", multiple=True, type=click.Choice([topic.value for topic in Topic]), help="Again for more; all if left out.")
@click.pass_obj
@with_outbox
async def add(outbox: SqlOutbox, courier: Courier, url: str, owner: str, topics: tuple[str, ...]) -> None:
    """Tell URL what happens in the sessions of an owner, and show the secret that signs it, once."""
    try:
        courier.target(url)
    except AddressRefused as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    await _refuse_nobody(owner)
    chosen = tuple(Topic(topic) for topic in dict.fromkeys(topics)) or tuple(Topic)
    webhook = Webhook(ids.new("w"), owner, datetime.now(UTC), url, new_secret(), chosen)
    await outbox.add(webhook)
    click.echo(webhook.secret)
    click.echo(f"It is not shown again. `coach webhooks test {webhook.id}` sends a ping.", err=True)


async def _refuse_nobody(owner: str) -> None:
    keys = keyring(click.get_current_context().obj)
    try:
        holders = [LOCAL, *(key.name for key in await keys.all() if not key.publishable)]
    finally:
        await keys.close()
    if owner not in holders:
        raise click.BadParameter(f"nobody of that name holds a key; sessions belong to {', '.join(holders)}", param_hint="--owner")


@command.command("list")
@click.pass_obj
@with_outbox
async def show(outbox: SqlOutbox, _courier: Courier) -> None:
    """Who is told what, and how that goes. Of an address the host alone: its path may be a secret."""
    webhooks = await outbox.all()
    for one in webhooks:
        click.echo("  ".join((one.id, f"of {one.owner}", host(one), ", ".join(one.topics), state(one))))
    if not webhooks:
        click.echo("Nobody is told.", err=True)


@command.command("remove")
@click.argument("identifier", metavar="ID")
@click.pass_obj
@with_outbox
async def remove(outbox: SqlOutbox, _courier: Courier, identifier: str) -> None:
    """Tell a webhook no more, and erase its address, its secret and what was still to be told."""
    if not await outbox.drop(identifier):
        raise click.ClickException(f"There is no webhook {identifier}.")
    click.echo(f"{identifier} is told no more.")


@command.command("test")
@click.argument("identifier", metavar="ID")
@click.pass_obj
@with_outbox
async def test(outbox: SqlOutbox, courier: Courier, identifier: str) -> None:
    """Send a webhook a ping, now. One that was off and takes it is on again."""
    webhook = await outbox.find(identifier)
    if webhook is None:
        raise click.ClickException(f"There is no webhook {identifier}.")
    outcome = await trial(webhook, outbox, courier, datetime.now(UTC))
    if not outcome.delivered:
        raise click.ClickException(f"{host(webhook)} did not take it: {outcome}.")
    click.echo(f"{host(webhook)} took it: {outcome}.")


def host(webhook: Webhook) -> str:
    """Where it leads, without the path."""
    return Target.of(webhook.url, local=True).named


def state(webhook: Webhook) -> str:
    """How it goes."""
    if webhook.disabled:
        return f"OFF since {webhook.disabled:%Y-%m-%d %H:%M} UTC ({webhook.trouble})"
    return f"failing since {webhook.failing:%Y-%m-%d %H:%M} UTC ({webhook.trouble})" if webhook.failing else "on"
