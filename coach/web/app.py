"""Builds the ASGI application around an assembled coach. Nothing happens at import."""

from dataclasses import replace
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import License
from litestar.static_files import create_static_files_router
from litestar.status_codes import HTTP_404_NOT_FOUND
from litestar.types import ASGIApp

from coach import __version__
from coach.bootstrap import Coach, keyring, outgoing, remembering
from coach.web.callers import DEPENDENCIES as CALLERS
from coach.web.clients import HANDLERS as CLIENTS
from coach.web.contract import ContractConfig
from coach.web.convening import HANDLERS as MEETING_ROUTES
from coach.web.delivering import delivering
from coach.web.documentation import HANDLERS as DOCUMENTATION
from coach.web.door import Door
from coach.web.gate import Gate, watching
from coach.web.group_pages import HANDLERS as PAGES
from coach.web.home import HANDLERS as HOME
from coach.web.idempotency import Idempotency
from coach.web.keeping import HANDLERS as KEPT_ROUTES
from coach.web.library import HANDLERS as LIBRARY_ROUTES
from coach.web.limits import Limits, pool_of, within_budget
from coach.web.mcp import mcp
from coach.web.metrics import Metrics, metrics
from coach.web.observing import Observed
from coach.web.openai_errors import with_openai_shape
from coach.web.openai_wire import HANDLERS as OPENAI_ROUTES
from coach.web.own import HANDLERS as OWN_ROUTES
from coach.web.preparing import HANDLERS as GROUP_ROUTES
from coach.web.problems import HANDLERS as PROBLEMS
from coach.web.protection import HostCheck, origins, protect
from coach.web.purging import purging
from coach.web.replays import Replays
from coach.web.routes import HANDLERS as ROUTES

MOST_BODY_BYTES = 131_072
ASSETS = "/schema/assets"
API = (*ROUTES, *KEPT_ROUTES, *GROUP_ROUTES, *MEETING_ROUTES, *LIBRARY_ROUTES, *OWN_ROUTES)
ALWAYS = (*API, *OPENAI_ROUTES, *PAGES, *HOME, *DOCUMENTATION, *CLIENTS, metrics)


def create_app(coach: Coach) -> Litestar:
    """The service. The same coach may stand behind several applications."""
    memory, pool, measured = remembering(coach.settings), pool_of(coach.settings), Metrics()
    limits, keys = Limits(coach.settings, pool), keyring(coach.settings, memory)
    tracing = import_module("coach.web.tracing").Tracing(coach.settings.traces) if coach.settings.traces else None
    coach = tracing.of(coach) if tracing else coach
    coach = replace(coach, needs=replace(coach.needs, within_budget=within_budget))
    door = Door(coach, limits, measured)
    mcp_routes, mcp_lives = mcp(coach, door, MOST_BODY_BYTES)
    app = Litestar(
        route_handlers=[*ALWAYS, *mcp_routes, *_files()],
        dependencies={
            **CALLERS,
            "coach": Provide(lambda: coach, sync_to_thread=False),
            "door": Provide(lambda: door, sync_to_thread=False),
            "measured": Provide(lambda: measured, sync_to_thread=False),
            "memory": Provide(lambda: memory, sync_to_thread=False),
        },
        on_shutdown=[*([pool.disconnect] if pool else []), *([tracing.close] if tracing else [])],
        lifespan=[
            watching(keys),
            *([purging(memory, measured.purge), delivering(*outgoing(coach.settings, memory), memory.now)] if memory else []),
            *mcp_lives,
        ],
        exception_handlers=with_openai_shape(PROBLEMS),
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=_documentation(ASSETS),
        before_send=[protect],
        middleware=[
            HostCheck.of(coach.settings),
            Gate(coach.settings, keys, limits),
            Idempotency(Replays(pool), memory.still_kept if memory else _nothing_is, MOST_BODY_BYTES),
        ],
        cors_config=origins(coach.settings, keys),
        state=State({"door": door}),
        logging_config=None,  # Litestar's would put a handler of its own in place of coach.logs, and write tracebacks with their messages
    )
    app.asgi_handler = Observed(app.asgi_handler, measured, tracing)
    return app


async def _nothing_is(_identifier: str) -> bool:
    return False


def _files() -> list[Router]:
    return [
        create_static_files_router(ASSETS, directories=[_swagger()], include_in_schema=False),
        create_static_files_router("/pages", directories=[Path(str(files("coach.web").joinpath("pages")))], include_in_schema=False),
    ]


def _documentation(assets: str) -> ContractConfig:
    return ContractConfig(
        title="Coach",
        version=__version__,
        summary="A challenge in, reflective questions out, never advice",
        license=License(name="MIT", identifier="MIT"),
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, after_request=_no_page),
        use_handler_docstrings=False,
        render_plugins=[
            SwaggerRenderPlugin(
                js_url=f"{assets}/swagger-ui-bundle.js",
                css_url=f"{assets}/swagger-ui.css",
                standalone_preset_js_url=f"{assets}/swagger-ui-standalone-preset.js",
                path="/",
                favicon=f'<link rel="icon" href="{assets}/favicon-32x32.png">',
            ),
            JsonRenderPlugin(path="/openapi.json"),
        ],
    )


def _no_page(response: ASGIApp) -> ASGIApp:
    """Raises HTTPException 404 in place of Litestar's own page that says so."""
    if getattr(response, "status_code", 200) == HTTP_404_NOT_FOUND:
        raise HTTPException(status_code=HTTP_404_NOT_FOUND)
    return response


def _swagger() -> Path:
    return Path(str(files("openapi_ui_bundles.swagger_ui").joinpath("vendor")))
