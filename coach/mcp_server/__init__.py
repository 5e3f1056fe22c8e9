"""The coach as a server of the Model Context Protocol: what an assistant may use, over HTTP within the service or over stdio."""

import logging

import fastmcp
from fastmcp import FastMCP
from fastmcp.server.http import StarletteWithLifespan
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.middleware import Middleware

from coach import __version__, prompts
from coach.bootstrap import Coach
from coach.knowledge.where import data_folder
from coach.mcp_server.reading import guidance, ways_to_ask
from coach.mcp_server.tools import Desk, tools
from coach.web.door import Door
from coach.web.limits import Limits


def server(coach: Coach, door: Door) -> FastMCP:
    """The server. `door` counts its answers with those of the other doors. Raises PromptError."""
    _hush()
    found = prompts.load(data_folder("prompts"))
    says = (coach.needs.model or coach.needs.bank).disclosure
    made = FastMCP(
        "coach",
        instructions=found["mcp_instructions"].render({"disclosure": says}),
        version=__version__,
        mask_error_details=True,
        on_duplicate="error",
        tools=tools(Desk(coach, door)),
    )
    for prompt in ways_to_ask(found):
        made.add_prompt(prompt)
    for document in guidance(coach.library.shelves.first.knowledge):
        made.add_resource(document)
    return made


def application(coach: Coach, door: Door, most_bytes: int) -> StarletteWithLifespan:
    """The server as an ASGI application: a request is a message, its answer is JSON, and nothing is remembered between them."""
    limit = Middleware(RequestBodyLimitMiddleware, max_body_size=most_bytes)
    made = server(coach, door).http_app(path="/", stateless_http=True, json_response=True, host_origin_protection=False, middleware=[limit])
    made.debug = False  # whatever FASTMCP_DEBUG says: a traceback may carry a person's words
    return made


async def stdio(coach: Coach) -> None:
    """Serve one assistant until its end of the pipe is closed."""
    await server(coach, Door(coach, Limits(coach.settings))).run_stdio_async(show_banner=False)


def _hush() -> None:
    """These libraries log arguments and errors, and put errors into traces, with the person's text in them. Ours say what happened without it."""
    for talkative in ("fastmcp", "mcp"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    fastmcp.settings.telemetry_mode = "off"
