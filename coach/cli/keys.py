"""`coach keys`: who may ask for what."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import click

from coach.cli.keeping import with_keyring
from coach.errors import JournalConflict
from coach.keys import IN_A_PAGE, ORDINARY, Key, Scope, new_secret
from coach.knowledge.own import NAME as COLLECTION
from coach.ports import Keyring
from coach.web.gate import LOCAL

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DAYS = click.IntRange(1, 3650)
_MANY = click.IntRange(1, 1_000_000_000)


@click.group("keys")
def command() -> None:
    """Who may ask for what. The holder of a key owns what is kept with it: lists it, takes it along, erases it."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it is for, again for more: reflect, sessions and checks if left out.",
)
@click.option("--origin", "origins", multiple=True, help="An origin whose pages may use it, such as https://intranet.example; again for more.")
@click.option(
    "--publishable", is_flag=True, help="For a page, where everybody can read it: from its origins only, to reflect and check, owner of nothing."
)
@click.option("--days", type=_DAYS, help="After how many days it expires.")
@click.option("--per-minute", type=_MANY, help="Requests a minute, instead of COACH_RATE.")
@click.option("--tokens-a-day", type=_MANY, help="The model's tokens a day, instead of COACH_TOKENS_A_DAY.")
@click.option("--knowledge", multiple=True, help="A collection of guidance to look in beside ours; again for more.")
@click.pass_obj
@with_keyring
async def create(  # noqa: PLR0913, PLR0917 (click passes every option)
    held: Keyring,
    name: str,
    scopes: tuple[str, ...],
    origins: tuple[str, ...],
    publishable: bool,  # noqa: FBT001
    days: int | None,
    per_minute: int | None,
    tokens_a_day: int | None,
    knowledge: tuple[str, ...],
) -> None:
    """Make a key for NAME and show it, once: only a hash of it is kept."""
    _refuse(name, knowledge)
    wanted = frozenset(map(Scope, scopes)) or (IN_A_PAGE if publishable else ORDINARY)
    if publishable and (not origins or wanted - IN_A_PAGE):
        raise click.UsageError(
            "A publishable key wants an --origin at least, and can be for reflect and checks alone: everybody who sees the page can read it."
        )
    now = datetime.now(UTC)
    until = now + timedelta(days=days) if days else None
    key = Key(name, now, wanted, tuple(map(_origin, origins)), until, per_minute, tokens_a_day, knowledge, publishable)
    secret = new_secret(publishable=publishable)
    try:
        await held.add(key, secret)
    except JournalConflict:
        raise click.ClickException(f"There is a key for {name} already; `coach keys rotate {name}` gives it another secret.") from None
    click.echo(secret)
    click.echo("It is not shown again. Send it as `Authorization: Bearer`.", err=True)
    if not publishable:
        _warn_of_what_is_kept(name, *await held.kept(name))


def _refuse(name: str, knowledge: tuple[str, ...]) -> None:
    """Raises BadParameter for what no key, or no collection, can be called."""
    if not _NAME.fullmatch(name):
        raise click.BadParameter("wants 1 to 64 letters, digits, dots, dashes or underscores", param_hint="NAME")
    if name == LOCAL:
        raise click.BadParameter(f"{LOCAL} owns what was kept while nobody held a key, and this key would read it: choose another", param_hint="NAME")
    for collection in knowledge:
        if not COLLECTION.fullmatch(collection):
            raise click.BadParameter(
                f"{collection!r} can be no collection: one is named by 1 to 63 small letters, digits and dashes, such as acme-corp",
                param_hint="--knowledge",
            )


def _warn_of_what_is_kept(name: str, reflections: int, sessions: int) -> None:
    """What is kept belongs to the name of a key, and outlives a key that was revoked."""
    if reflections or sessions:
        click.echo(
            f"Under the name {name} something is kept already, from a key before: this key reads {_many(reflections, 'reflection')} and "
            f"{_many(sessions, 'session')} of it. If it is for somebody else, erase them first: `coach erase --owner {name}`.",
            err=True,
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


@command.command("list")
@click.pass_obj
@with_keyring
async def show(held: Keyring) -> None:
    """Who holds a key, what it is for, and until when."""
    keys = await held.all()
    for key in keys:
        click.echo("  ".join(_about(key)))
    if not keys:
        click.echo("Nobody holds a key: this machine alone is answered, and whoever uses it owns what is kept.", err=True)


@command.command("revoke")
@click.argument("name")
@click.pass_obj
@with_keyring
async def revoke(held: Keyring, name: str) -> None:
    """Take back the key of NAME. What was kept with it stays, until it expires or `coach erase --owner NAME`."""
    if not await held.drop(name):
        raise click.ClickException(f"There is no key for {name}.")
    click.echo(f"The key of {name} opens nothing any more.")


@command.command("rotate")
@click.argument("name")
@click.option("--grace", type=click.IntRange(0, 720), default=24, show_default=True, help="For how many hours the old secret still opens.")
@click.pass_obj
@with_keyring
async def rotate(held: Keyring, name: str, grace: int) -> None:
    """Make another secret for the key of NAME and show it, once. Everything else about the key stays."""
    known = next((key for key in await held.all() if key.name == name), None)
    secret = new_secret(publishable=known is not None and known.publishable)
    if not await held.rotate(name, secret, datetime.now(UTC) + timedelta(hours=grace)):
        raise click.ClickException(f"There is no key for {name}.")
    click.echo(secret)
    click.echo(f"It is not shown again. The one before opens for {grace} hours more.", err=True)


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.rstrip("/") or parts.query:
        raise click.BadParameter(f"{value} is no origin; one looks like https://intranet.example", param_hint="--origin")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _about(key: Key) -> list[str]:
    facts = [key.name, "for " + ", ".join(sorted(key.scopes)), f"since {key.created.date().isoformat()}"]
    facts += [f"until {key.until:%Y-%m-%d %H:%M} UTC"] if key.until else []
    facts += [f"from {', '.join(key.origins)}"] if key.origins else []
    facts += [f"{key.per_minute} a minute"] if key.per_minute else []
    facts += [f"{key.tokens_a_day} tokens a day"] if key.tokens_a_day else []
    facts += [f"with {', '.join(key.knowledge)}"] if key.knowledge else []
    return facts + (["publishable"] if key.publishable else [])
