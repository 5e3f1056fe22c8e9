"""`coach mcp`."""

import asyncio
from importlib import import_module
from importlib.util import find_spec

import click

from coach.bootstrap import assemble
from coach.cli.progress import Bar
from coach.errors import ExtraMissing
from coach.settings import Settings


@click.command("mcp")
@click.pass_obj
def command(settings: Settings) -> None:
    """Serve an assistant over the Model Context Protocol, on standard input and output. `coach serve` has the same at /mcp."""
    if find_spec("fastmcp") is None:
        raise ExtraMissing("mcp")
    server = import_module("coach.mcp_server")  # by name, after it is known that what it imports is there
    asyncio.run(server.stdio(assemble(settings, Bar("Reading the library"))))
