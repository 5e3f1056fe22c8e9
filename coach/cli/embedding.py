"""`coach widget snippet`."""

import re

import click

from coach.settings import Settings
from coach.web import widget

_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%/-]*)?")


@click.group("widget")
def command() -> None:
    """The widget for a page."""


@command.command("snippet")
@click.option("--address", help="Where this service is reached, such as https://coach.example; its own if left out.")
@click.pass_obj
def snippet(settings: Settings, address: str | None) -> None:
    """The two tags that put the widget on a page, with the hash that a browser compares."""
    if address is not None and not _ADDRESS.fullmatch(address):
        raise click.BadParameter(f"{address} is no address of a service; one looks like https://coach.example", param_hint="--address")
    click.echo(widget.snippet(address or f"http://{settings.host}:{settings.port}"))
