"""`coach serve`."""

import asyncio
import gc
import logging
import socket
import sys
from dataclasses import replace

import click
import uvicorn

from coach.bootstrap import assemble, keyring, remembering
from coach.cli.progress import Bar
from coach.errors import JournalBusy, JournalFault, JournalUnavailable
from coach.settings import LOOPBACK, Settings
from coach.web.app import create_app

SWITCH = 0.0005  # seconds that a thread keeps the interpreter when others want it: the loop, which sends questions, does not wait for readers

log = logging.getLogger("coach")


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.pass_obj
def command(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the API."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    for talkative in ("httpx", "httpx2", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    asyncio.run(_see_that_the_key_fits(settings))
    settings = asyncio.run(_for_this_machine_without_keys(settings))
    coach = assemble(settings, Bar("Reading the library"))
    sys.setswitchinterval(SWITCH)
    gc.freeze()  # what was loaded stays: the collector need not look through half a million objects again and again
    config = uvicorn.Config(
        create_app(coach),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
    )
    _Server(config).run()


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
    log.warning("nobody holds a key, so this machine alone is answered: `coach keys create NAME`, then start again to listen on %s", settings.host)
    return replace(settings, host="127.0.0.1")


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
