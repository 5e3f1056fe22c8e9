"""`coach doctor`."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping

import click
import openai

from coach import guard
from coach.bootstrap import embedder, model_client, outgoing, remembering
from coach.cli.webhooks import host
from coach.errors import CoachError
from coach.knowledge.files import load
from coach.knowledge.index import current, manifest
from coach.knowledge.where import data_folder
from coach.settings import LOOPBACK, Settings
from coach.webhooks import Webhook

LEAST_SPACE = 200_000_000  # bytes
PATIENCE = 10.0  # seconds for a provider


class Ill(Exception):
    """What is wrong, and what would help."""


class Absent(Exception):
    """There is nothing to look at, and why."""


@click.command("doctor")
@click.pass_obj
def command(settings: Settings) -> None:
    """Look at settings, library, index, database, webhooks, model files and provider. Leaves with 1 if something is wrong."""
    wrong = 0
    for name, check in CHECKS.items():
        try:
            mark, says = "ok ", check(settings)
        except Absent as nothing:
            mark, says = "-- ", str(nothing)
        except (Ill, CoachError) as error:
            mark, says = "BAD", str(error)
            wrong += 1
        click.echo(f"{mark}  {name:<9}  {says}")
    click.echo(f"\n{wrong} of {len(CHECKS)} are not well." if wrong else "\nAll is well.")
    sys.exit(bool(wrong))


def _settings(settings: Settings) -> str:
    if settings.host in LOOPBACK:
        return f"listens to this machine alone, on {settings.host}"
    return f"listens on {settings.host}: others reach it, so something in front has to ask who is there"


def _folder(settings: Settings) -> str:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.data_dir) as probe:
            probe.write(b"coach")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise Ill(f"{settings.data_dir} cannot be written ({error.strerror}): name another in COACH_DATA_DIR") from None
    free = shutil.disk_usage(settings.data_dir).free
    if free < LEAST_SPACE:
        raise Ill(f"{settings.data_dir} has {free / 1e6:.0f} MB left; {LEAST_SPACE / 1e6:.0f} are wanted")
    return f"{settings.data_dir} can be written, {free / 1e9:.1f} GB are free"


def _library(_settings: Settings) -> str:
    knowledge = load(data_folder("knowledge"))
    return f"{len(knowledge.documents)} documents, {len(knowledge.questions)} questions, version {knowledge.version}"


def _models(settings: Settings) -> str:
    embedder(settings).embed(["coach"])
    if not guard.ready():
        raise Ill("the guard's weights cannot be read: install the package anew")
    return "the encoder and the guard's weights are what they should be"


def _index(settings: Settings) -> str:
    made = manifest(current(settings.data_dir))
    if made.knowledge != load(data_folder("knowledge")).version:
        raise Ill("the index is of another version of the library; `coach index` brings it up to date")
    return f"up to date, made by {made.embedder}"


def _database(settings: Settings) -> str:
    memory = remembering(settings)
    if memory is None:
        raise Absent("COACH_STORE is off: nothing is kept")
    journal = memory.journal

    async def look() -> str:
        try:
            if not await journal.exists():
                raise Absent("nothing was ever kept")
            _, step = await journal.open()
            left = await journal.unswept()
        finally:
            await journal.close()
        if left:
            raise Ill("something was erased whose traces are still in the files; `coach purge` removes them")
        sealed = "encrypted" if settings.store_key else "not encrypted: COACH_STORE_KEY is not set"
        return f"answers, tables at step {step}, {sealed}"

    return asyncio.run(look())


def _webhooks(settings: Settings) -> str:
    memory = remembering(settings)
    if memory is None:
        raise Absent("COACH_STORE is off: there is nothing to tell")

    async def look() -> list[Webhook]:
        try:
            return await outgoing(settings, memory)[0].all() if await memory.journal.exists() else []
        finally:
            await memory.journal.close()

    found = asyncio.run(look())
    if not found:
        raise Absent("nobody is told what happens in sessions")
    if off := [f"{one.id} ({host(one)}: {one.trouble})" for one in found if one.disabled]:
        raise Ill(f"off after failures: {', '.join(off)}; `coach webhooks test ID` turns one on that answers again")
    failing = sum(one.failing is not None for one in found)
    return f"{len(found)}, of which {failing} fail just now" if failing else f"{len(found)}, none of which fails"


def _provider(settings: Settings) -> str:
    if not settings.model:
        raise Absent("no language model is named: nothing leaves this machine for one")

    async def ask() -> list[str]:
        async with model_client(settings).with_options(timeout=PATIENCE) as client:
            return [model.id async for model in client.models.list()]

    try:
        listed = asyncio.run(ask())
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        raise Ill("the provider refuses the key") from None
    except openai.APIStatusError as error:
        return f"answers (with {error.status_code}, where it was asked for its models)"
    except (openai.APIConnectionError, openai.OpenAIError) as error:
        raise Ill(f"the provider cannot be reached ({type(error).__name__}): look at OPENAI_BASE_URL and the network") from None
    return f"answers, and {settings.model} is among its models" if settings.model in listed else f"answers; {settings.model} is not in its list"


CHECKS: Mapping[str, Callable[[Settings], str]] = {
    "settings": _settings,
    "folder": _folder,
    "library": _library,
    "models": _models,
    "index": _index,
    "database": _database,
    "webhooks": _webhooks,
    "provider": _provider,
}
