"""`coach settings`."""

import click

from coach.settings import Settings, explained


@click.command("settings")
@click.pass_obj
def command(settings: Settings) -> None:
    """Every setting, its value in force, and what it does."""
    for variable, value, explanation in explained(settings):
        click.echo(f"{variable} = {value}\n    {explanation}")
