"""`coach reflect`."""

import asyncio
import sys
from typing import IO, Any

import click
import msgspec
from rich.console import Console

from coach.bootstrap import Coach, assemble
from coach.cli.progress import Bar
from coach.cli.rows import FILE, STDIN, json_rows, opened
from coach.errors import CoachError
from coach.model import Challenge, Engine
from coach.reflect import reflect
from coach.settings import Settings
from coach.terminal import show
from coach.web.schema import Folder, encode
from coach.wire.reflections import ReflectionAnswer


@click.command("reflect")
@FILE
@click.option("--count", type=click.IntRange(1, 7), default=3, show_default=True, help="How many questions.")
@click.option("--engine", type=click.Choice([str(engine) for engine in Engine]), default=str(Engine.AUTO), show_default=True, help="Who drafts.")
@click.option("--json", "as_json", is_flag=True, help="The answer of the API.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write an answer of the API a line, with the same id.')
@click.pass_obj
def command(settings: Settings, file: str, count: int, engine: str, as_json: bool, jsonl: bool) -> None:  # noqa: FBT001, PLR0913, PLR0917 (click passes them so)
    """Questions for the challenge in FILE, or on standard input."""
    if file == STDIN and sys.stdin.isatty():
        click.echo("What is troubling you? Write as it comes; end with Ctrl-D.\n", err=True)
    with opened(file) as source:
        if jsonl:
            asyncio.run(_reflect_lines(source, assemble(settings, Bar("Reading the library")), count, Engine(engine)))
            return
        text = source.read()
    coach = assemble(settings, Bar("Reading the library"))
    challenge = Challenge(text, count=count, engine=Engine(engine))
    if as_json:
        click.echo(encode(asyncio.run(_answer(challenge, coach))))
    else:
        asyncio.run(show(reflect(challenge, coach.needs), Console()))


async def _reflect_lines(source: IO[str], coach: Coach, count: int, engine: Engine) -> None:
    """In one event loop: the model's connections belong to it."""
    for identifier, text in json_rows(source):
        try:
            answer: dict[str, Any] = msgspec.to_builtins(await _answer(Challenge(text, count=count, engine=engine), coach))
        except CoachError as error:
            answer = {"error": {"code": error.code, "detail": str(error)}}
        click.echo(encode({**answer, "id": identifier}))


async def _answer(challenge: Challenge, coach: Coach) -> ReflectionAnswer:
    folder = Folder()
    async for event in reflect(challenge, coach.needs):
        folder.add(event)
    return folder.answer()
