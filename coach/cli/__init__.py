"""The command line. Each command's module is imported when the command is called: `coach check` never loads a store or a web server."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from coach.errors import CoachError
from coach.settings import Settings

COMMANDS: Mapping[str, tuple[str, str]] = {  # where each is, as module or module:name, and what it does
    "serve": ("coach.cli.serving", "Serve the API."),
    "mcp": ("coach.cli.mcp", "Serve an assistant over the Model Context Protocol, on standard input and output."),
    "index": ("coach.cli.indexing", "Bring the index up to date: only what changed is embedded again."),
    "knowledge": ("coach.cli.knowledge", "The guidance and the questions."),
    "reflect": ("coach.cli.reflecting", "Questions for a challenge, from a file or standard input."),
    "prepare": ("coach.cli.preparing", "A sheet for a group's session, from files with the members' cases."),
    "check": ("coach.cli.checking", "Judge sentences: is each a question that leaves the answer with the manager?"),
    "mask": ("coach.cli.masking", "Show a text as it would leave the process: names, addresses and numbers replaced."),
    "triage": ("coach.cli.triage", "Is a text something to coach at all, or is help elsewhere needed?"),
    "receipt": ("coach.cli.receipts", "What the guard and the safety checks were measured to do, on texts nothing was tuned on."),
    "keys": ("coach.cli.keys", "Who may ask for what."),
    "webhooks": ("coach.cli.webhooks", "Who is told what happens in sessions."),
    "export": ("coach.cli.keeping:export", "Write what is kept as JSON lines."),
    "erase": ("coach.cli.keeping:erase", "Erase what is kept, to the last byte."),
    "purge": ("coach.cli.keeping:purging", "Erase what has expired."),
    "migrate": ("coach.cli.keeping:migrate", "Bring the database up to date."),
    "reseal": ("coach.cli.keeping:reseal", "Encrypt what is kept with the newest key."),
    "widget": ("coach.cli.embedding", "The tags that put the widget on a page."),
    "doctor": ("coach.cli.doctor", "Look at settings, library, index, database, model files and provider."),
    "settings": ("coach.cli.configuring", "Every setting, its value in force, and what it does."),
}


class _Lazy(click.Group):
    """Finds its commands by name, and says our own errors in a line, leaving with 2: a traceback is for bugs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name or "command")
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CoachError as error:
            click.echo(f"coach: {error}", err=True)
            ctx.exit(2)


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reflection-coach")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Reflective questions for a manager's challenge, and never advice."""
    environ: Mapping[str, str] = ctx.obj or {}
    ctx.obj = Settings.from_env(environ)
