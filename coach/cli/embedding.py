"""`coach widget snippet`."""

import click

from coach.settings import Settings
from coach.web import widget


@click.group("widget")
def command() -> None:
    """The widget for a page."""


@command.command("snippet")
@click.option("--address", help="Where this service is reached, such as https://coach.example; its own if left out.")
@click.pass_obj
def snippet(settings: Settings, address: str | None) -> None:
    """The two tags that put the widget on a page, with the hash that a browser compares."""
    click.echo(widget.snippet(address or f"http://{settings.host}:{settings.port}"))
