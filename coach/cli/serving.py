"""`coach serve`."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

import click
import uvicorn

from coach.bootstrap import Coach, assemble, keyring, remembering
from coach.cli.listening import bound, see_that_it_is_free, unheard
from coach.cli.progress import Bar
from coach.cli.workers import drained_by_signals, serve_together
from coach.errors import JournalBusy, JournalFault, JournalUnavailable
from coach.knowledge.shelf import Progress
from coach.logs import KEYLESS, configure
from coach.settings import LOOPBACK, Settings
from coach.web.app import create_app
from coach.web.door import Door

SWITCH = 0.0005  # seconds that a thread keeps the interpreter when others want it: the loop, which sends questions, does not wait for readers
GRACE = 5  # seconds more than answers get, so that those that are cut can say so

log = logging.getLogger("coach")


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes answer.")
@click.pass_obj
def command(settings: Settings, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API."""
    configure(settings.log)
    settings = replace(
        settings, host=host or settings.host, port=settings.port if port is None else port, workers=settings.workers if workers is None else workers
    )
    asyncio.run(_see_that_the_key_fits(settings))
    settings = asyncio.run(_for_this_machine_without_keys(settings))
    see_that_it_is_free(settings.host, settings.port)
    coach = assemble(settings, _progress(settings))
    if settings.workers > 1:
        del coach  # it has built the index and found the settings to be right; each worker has its own
        serve_together(settings, _options(settings), _welcome)
    else:
        _serve(settings, coach)
    log.info("stopped")


def _progress(settings: Settings) -> Progress:
    return Bar("Reading the library") if settings.log == "text" else lambda _done, _total: None


def _options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told in either case."""
    return {
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "proxy_headers": bool(settings.proxies),
        "forwarded_allow_ips": settings.proxies,
        "timeout_graceful_shutdown": round(settings.shutdown) + GRACE,
    }


def _serve(settings: Settings, coach: Coach) -> None:
    sys.setswitchinterval(SWITCH)
    gc.freeze()  # what was loaded stays: the collector need not look through half a million objects again and again
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn sends it once more at the end, to whom it was for before; we have stopped, and leave with 0
    app = create_app(coach)
    configure(settings.log)  # again, over what libraries have set up for themselves meanwhile
    _Server(uvicorn.Config(app, **_options(settings)), app.state.door).run(bound(settings.host, settings.port))


async def _see_that_the_key_fits(settings: Settings) -> None:
    """A wrong key is an operator's mistake, said at the start. A database that does not answer is not: it may come back."""
    if memory := remembering(settings):
        try:
            await memory.journal.open()
        except (JournalUnavailable, JournalBusy) as error:
            log.warning("nothing can be kept for now: %s", error)
        finally:
            await memory.journal.close()


async def _for_this_machine_without_keys(settings: Settings) -> Settings:
    """Where nobody holds a key, only this machine is answered, whatever the settings say."""
    if settings.host in LOOPBACK:
        return settings
    held = keyring(settings)
    try:
        open_to_all = await held.empty()
    except JournalFault:
        return settings  # the gate answers nobody until it can look up keys
    finally:
        await held.close()
    if not open_to_all:
        return settings
    log.warning(KEYLESS)
    return replace(settings, host="127.0.0.1")


class _Server(uvicorn.Server):
    """Says where it listens once it does: with port 0 nobody knows before. Told to stop, it lets answers come to their end."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except OSError as error:  # another took the port while the library was read
            raise unheard(self.config.host, self.config.port, error) from None
        if self.started:
            drained_by_signals(self._door)
            _welcome(self.servers[0].sockets[0])


def _welcome(listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    log.info("serving")
    click.echo(_WELCOME.format(url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"))


_WELCOME = """Coach is ready.

  Open   {url}/schema            the documentation
  Send   curl {url}/v1/reflections -H 'content-type: application/json' \\
           -d '{{"challenge": "I snapped at a colleague in the storm last week. Nobody has mentioned it since."}}'
  Stop   Ctrl-C
"""
