"""The way to the MCP server within the service: who may come in, and that it is made when somebody first does."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from litestar import Litestar, asgi
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from coach.bootstrap import Coach
from coach.errors import ForeignOrigin
from coach.web.door import Door
from coach.web.protection import listed

SERVER = "coach.mcp_server"  # an outer ring, and FastMCP is an extra that need not be installed: it is looked up by name, and only when wanted
_NOT_READ = frozenset({404, 405, 413})

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def mcp(coach: Coach, door: Door, most_bytes: int) -> tuple[list[ASGIRouteHandler], list[Lifespan]]:
    """The address /mcp and what has to live as long as the service; neither where FastMCP is not installed."""
    if find_spec("fastmcp") is None:
        return [], []
    made, allowed = _Made(coach, door, most_bytes), frozenset(listed(coach.settings.origins))

    @asgi("/mcp", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        _refuse_foreign(scope, allowed)
        await _with_our_problems(await made.application(), scope, receive, send)

    return [mounted], [made.lifespan]


async def _with_our_problems(application: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """What the server refuses before it reads a message is plain text there. Raises HTTPException in its place, which becomes a problem document."""
    refused = 0

    async def sending(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] in _NOT_READ:
            refused = message["status"]
        if not refused:
            await send(message)

    await application(scope, receive, sending)
    if refused:
        raise HTTPException(status_code=refused, headers={"allow": "POST"})  # DELETE, which it names too, would end what it never begins


def _refuse_foreign(scope: Scope, allowed: frozenset[str]) -> None:
    """The rule against DNS rebinding: a page may call that is of this service, of a named origin, or of its key's. Raises ForeignOrigin."""
    headers = dict(scope.get("headers", ()))
    origin = headers.get(b"origin", b"").decode("latin-1")
    own = f"{scope.get('scheme', 'http')}://{headers.get(b'host', b'').decode('latin-1')}"
    key = scope["state"]["caller"].key
    if origin and origin != own and origin not in allowed and (key is None or origin not in key.origins):
        raise ForeignOrigin


class _Made:
    """The server, once somebody came: FastMCP takes most of a second to import and 26 MB, which whoever speaks no MCP need not pay."""

    def __init__(self, coach: Coach, door: Door, most_bytes: int) -> None:
        self._of = (coach, door, most_bytes)
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncGenerator[None, None]:
        """Keeps a task in which the server lives: what it opens has to be closed by the task that opened it, and no request lives that long."""
        self._wanted, self._over = asyncio.Event(), asyncio.Event()
        self._ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live())
        try:
            yield
        finally:
            self._over.set()
            self._wanted.set()
            await asyncio.wait({self._task})

    async def _live(self) -> None:
        await self._wanted.wait()
        if self._over.is_set():
            return
        module = await asyncio.to_thread(import_module, SERVER)
        application = module.application(*self._of)
        async with application.lifespan(application):
            self._ready.set_result(application)
            await self._over.wait()

    async def application(self) -> Any:
        """The server as an ASGI application. Errors: those of making it, for everybody who comes."""
        if self._task is None:
            raise RuntimeError("the application was not started")
        self._wanted.set()
        await asyncio.wait({self._task, self._ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        return self._ready.result()
