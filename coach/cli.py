"""The command line: serve, index, knowledge check, reflect, check, settings."""

import asyncio
import json
import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import IO, Any

import click
import msgspec
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coach import guard
from coach.bootstrap import Coach, assemble, embedder
from coach.errors import CoachError
from coach.knowledge import check as knowledge_check
from coach.knowledge.files import load
from coach.knowledge.index import build
from coach.knowledge.where import data_folder
from coach.model import Challenge, Event
from coach.reflect import reflect
from coach.settings import Settings, explained
from coach.terminal import show
from coach.web.app import create_app
from coach.web.schema import Folder, ReflectionAnswer, encode

STDIN = "-"
FILE = click.argument("file", default=STDIN, type=click.Path(dir_okay=False, allow_dash=True))


class _Bar:
    """A progress bar on a terminal, a line every tenth elsewhere. Written to standard error, so that answers can be piped."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=self._console, transient=True
        )
        self._task: Any = None
        self._said = 0

    def __call__(self, done: int, total: int) -> None:
        """Told that `done` of `total` are done."""
        if not self._console.is_terminal:
            if done == total or done * 10 // total > self._said:
                self._said = done * 10 // total
                click.echo(f"{self._doing}: {done} of {total}", err=True)
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(self._doing, total=total)
        self._bar.update(self._task, completed=done)
        if done >= total:
            self._bar.stop()


class _Group(click.Group):
    """Says our own errors in a line and leaves with 2; a traceback is for bugs."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except CoachError as error:
            click.echo(f"coach: {error}", err=True)
            context.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reflection-coach")
@click.pass_context
def cli(context: click.Context) -> None:
    """Reflective questions for a manager's challenge, and never advice."""
    environ: Mapping[str, str] = context.obj or {}
    context.obj = Settings.from_env(environ)


@cli.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.pass_obj
def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the API."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    coach = assemble(settings, _Bar("Reading the library"))
    address, number = host or settings.host, settings.port if port is None else port
    config = uvicorn.Config(create_app(coach), host=address, port=number, log_level="warning", access_log=False)
    _Server(config).run()


class _Server(uvicorn.Server):
    """Says where it listens once it does: with port 0 nobody knows before."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            click.echo(_WELCOME.format(url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"))


_WELCOME = """Coach is ready.

  Open   {url}/schema            the documentation
  Send   curl {url}/v1/reflections -H 'content-type: application/json' \\
           -d '{{"challenge": "I snapped at a colleague in the storm last week. Nobody has mentioned it since."}}'
  Stop   Ctrl-C
"""


@cli.command()
@click.pass_obj
def index(settings: Settings) -> None:
    """Bring the index up to date: only what changed is embedded again."""
    knowledge = load(data_folder("knowledge"))
    built = build(settings.data_dir, knowledge, embedder(settings), _Bar("Embedding"))
    if not built.switched:
        click.echo(f"The index is up to date: {built.passages} passages.")
    else:
        click.echo(f"The index holds {built.passages} passages; {built.embedded} texts were embedded, {built.kept} vectors kept.")


@cli.group()
def knowledge() -> None:
    """The guidance and the questions."""


@knowledge.command("check")
@click.pass_obj
def check_knowledge(settings: Settings) -> None:
    """Validate all of knowledge/: file, field and reason of every fault."""
    found = knowledge_check.run(data_folder("knowledge"), embedder(settings))
    for fault in found.faults:
        click.echo(str(fault))
    counts = f"{found.documents} documents, {found.passages} passages, {found.questions} questions ({found.slotted} with a slot)"
    click.echo(f"{counts}: {len(found.faults)} faults")
    sys.exit(1 if found.faults else 0)


@cli.command("reflect")
@FILE
@click.option("--count", type=click.IntRange(1, 7), default=3, show_default=True, help="How many questions.")
@click.option("--json", "as_json", is_flag=True, help="The answer of the API.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write an answer of the API a line, with the same id.')
@click.pass_obj
def reflect_command(settings: Settings, file: str, count: int, as_json: bool, jsonl: bool) -> None:  # noqa: FBT001 (click passes flags so)
    """Questions for the challenge in FILE, or on standard input."""
    if file == STDIN and sys.stdin.isatty():
        click.echo("What is troubling you? Write as it comes; end with Ctrl-D.\n", err=True)
    with click.open_file(file, encoding="utf-8", errors="strict") as source:
        if jsonl:
            _reflect_lines(source, assemble(settings, _Bar("Reading the library")), count)
            return
        text = source.read()
    coach = assemble(settings, _Bar("Reading the library"))
    if as_json:
        click.echo(encode(asyncio.run(_answer(text, count, coach))))
    else:
        asyncio.run(show(_events(text, count, coach), Console()))


def _reflect_lines(source: IO[str], coach: Coach, count: int) -> None:
    for identifier, text in _rows(source):
        try:
            answer: dict[str, Any] = msgspec.to_builtins(asyncio.run(_answer(text, count, coach)))
        except CoachError as error:
            answer = {"error": {"code": error.code, "detail": str(error)}}
        click.echo(encode({**answer, "id": identifier}))


def _events(text: str, count: int, coach: Coach) -> AsyncIterator[Event]:
    return reflect(Challenge(text, count=count), coach.needs)


async def _answer(text: str, count: int, coach: Coach) -> ReflectionAnswer:
    folder = Folder()
    async for event in _events(text, count, coach):
        folder.add(event)
    return folder.answer()


@cli.command("check")
@FILE
@click.option("--json", "as_json", is_flag=True, help="All verdicts as one JSON list.")
@click.option("--jsonl", is_flag=True, help='Read {"id","text"} lines, write a verdict a line, with the same id.')
def check_command(file: str, as_json: bool, jsonl: bool) -> None:  # noqa: FBT001
    """Judge each line of FILE: is it a question that leaves the answer with the manager?"""
    with click.open_file(file, encoding="utf-8", errors="strict") as source:
        rows = list(_rows(source) if jsonl else enumerate((line.strip() for line in source if line.strip()), 1))
    verdicts = [_verdict(identifier, text) for identifier, text in rows]
    if jsonl:
        for verdict in verdicts:
            click.echo(json.dumps(verdict, ensure_ascii=False))
    elif as_json:
        click.echo(json.dumps(verdicts, ensure_ascii=False))
    else:
        for (_, text), verdict in zip(rows, verdicts, strict=True):
            _say(text, verdict)
    sys.exit(0 if jsonl or as_json or all(verdict["accept"] for verdict in verdicts) else 1)


def _verdict(identifier: object, text: str) -> dict[str, Any]:
    verdict = guard.check(text)
    return {"id": identifier, "accept": verdict.accept, "reason": verdict.reason, "span": verdict.span, "message": verdict.message}


def _say(text: str, verdict: dict[str, Any]) -> None:
    mark = click.style("passes ", fg="green") if verdict["accept"] else click.style("refused", fg="red")
    click.echo(f"{mark}  {text}")
    if verdict["span"]:
        start, end = verdict["span"]
        click.echo(f"         {verdict['reason']}: {text[start:end]!r}. {verdict['message']}")


def _rows(source: IO[str]) -> Iterator[tuple[Any, str]]:
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield row["id"], str(row["text"])
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f'line {number} is not a JSON object with "id" and "text"') from None


@cli.command("settings")
@click.pass_obj
def settings_command(settings: Settings) -> None:
    """Every setting, its value in force, and what it does."""
    for variable, value, explanation in explained(settings):
        click.echo(f"{variable} = {value}\n    {explanation}")
