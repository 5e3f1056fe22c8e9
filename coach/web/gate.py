"""Who may come in: every address has its place in one table, and stands behind a key, or open to all. Mounted doors too."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from coach.errors import Forbidden, JournalFault, Unauthorized
from coach.keys import PUBLISHABLE, SECRET, Key
from coach.keys import Scope as For
from coach.memory import Caller
from coach.ports import Keyring
from coach.settings import LOOPBACK, Settings
from coach.web.limits import Headers, Limits
from coach.web.requests import refuse_nul, whole_path

LOCAL = "local"  # who owns what is kept where the service listens to this machine alone and nobody was given a key
TOKEN, HOST, MEMBER = "ct_", "ht_", "mt_"  # how the secrets begin that open one reflection, or one session
_OURS = (SECRET, PUBLISHABLE, TOKEN, HOST, MEMBER)
EVERY = 2.0  # seconds
_SCHEME = "bearer "

OPEN = None
ADDRESSES: Mapping[str, For | None] = {
    "/": OPEN,
    "/about": OPEN,
    "/clients": OPEN,
    "/docs": OPEN,
    "/embed": OPEN,
    "/health": OPEN,
    "/host": OPEN,
    "/mcp": For.REFLECT,
    "/meet": OPEN,
    "/metrics": OPEN,  # it looks itself at who asks
    "/openai": For.REFLECT,
    "/pages": OPEN,
    "/problems": OPEN,
    "/run": OPEN,
    "/schema": OPEN,
    "/widget": OPEN,
    "/v1/about": OPEN,
    "/v1/checks": For.CHECKS,
    "/v1/guidance": For.REFLECT,
    "/v1/knowledge": For.KNOWLEDGE,
    "/v1/me": For.REFLECT,
    "/v1/protocols": OPEN,
    "/v1/questions": For.REFLECT,
    "/v1/reflections": For.REFLECT,
    "/v1/sessions": For.SESSIONS,
    "/v1/sheets": For.SESSIONS,
}
OWN_SECRETS = {
    "/v1/reflections/": (TOKEN,),
    "/v1/sessions/": (HOST, MEMBER),
}  # what stands here is opened by secrets of its own
_SEAT = re.compile("/v1/sessions/[^/]+/members/.+")


def wanted(path: str) -> For | None:
    """The scope that an address wants; None where it is open. What is in no table is for administrators: a forgotten address is a closed one."""
    parts = path.rstrip("/").split("/")
    for length in range(len(parts), 0, -1):
        prefix = "/".join(parts[:length]) or "/"
        if prefix in ADDRESSES and (prefix != "/" or path == "/"):
            return ADDRESSES[prefix]
    return For.ADMIN


def opened_by_its_path(path: str) -> bool:
    """Whether the secret that opens an address stands in it, as a member's does."""
    return bool(_SEAT.fullmatch(path))


def bearer(headers: Mapping[bytes, bytes]) -> str:
    """What was sent as `Authorization: Bearer`; empty where nothing was."""
    sent = headers.get(b"authorization", b"").decode("latin-1")
    return sent[len(_SCHEME) :].strip() if sent.lower().startswith(_SCHEME) else ""


class Gate(ASGIMiddleware):
    """Lets in who may come in, counts, and says so to whoever answers: `caller` in the state of the request."""

    def __init__(self, settings: Settings, keyring: Keyring, limits: Limits) -> None:
        """Nothing is read yet."""
        self._alone = settings.host in LOOPBACK and not settings.proxies
        self._keyring = keyring
        self._limits = limits

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let one request through.

        Errors: those of `refuse_nul`; Unauthorized, Forbidden, RateLimited; JournalFault where keys cannot be looked up and others than this machine
        are answered.
        """
        refuse_nul(scope)
        scope_wanted = wanted(whole_path(scope)) if scope["type"] == ScopeType.HTTP else None
        if scope_wanted is None:
            await next_app(scope, receive, send)
            return
        caller, standing = await self._who(scope, scope_wanted)
        scope.setdefault("state", {}).update(caller=caller, key_name=caller.key.name if caller.key else None)

        async def marked(message: Message) -> None:
            if standing and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *((name.encode(), value.encode()) for name, value in standing)]
            await send(message)

        await next_app(scope, receive, marked)

    async def _who(self, scope: Scope, scope_wanted: For) -> tuple[Caller, Headers]:
        headers: Mapping[bytes, bytes] = dict(scope.get("headers", ()))
        secret = bearer(headers)
        try:
            nobody_has_keys = await self._keyring.empty()
        except JournalFault:
            if not self._alone:
                raise
            return Caller(), ()  # this machine alone: it is answered, and owns nothing until keys can be looked up again
        if nobody_has_keys and self._alone and not secret.startswith(_OURS):
            return Caller(LOCAL), ()  # chat programs send a key whether or not there is one to send
        standing = () if nobody_has_keys and self._alone else await self._limits.arrive(_address(scope))
        if _opens_itself(whole_path(scope), secret):
            return Caller(token=secret), standing
        key = await self._keyring.find(secret) if secret else None
        if key is None:
            raise Unauthorized(sent=bool(secret))
        _fits(key, scope_wanted, headers)
        return Caller(None if key.publishable else key.name, key=key), await self._limits.admit(key)


def watching(keyring: Keyring) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """While the service runs, read the keys now and then: whether a page may ask is asked before anybody shows a key."""

    async def watch() -> None:
        while True:
            with suppress(JournalFault):  # the keyring has said so in the log
                await keyring.empty()
            await asyncio.sleep(EVERY)

    @asynccontextmanager
    async def life(_app: object) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return life


def _opens_itself(path: str, secret: str) -> bool:
    kinds = next((kinds for begin, kinds in OWN_SECRETS.items() if path.startswith(begin)), ())
    return secret.startswith(kinds) if secret else opened_by_its_path(path)


def _fits(key: Key, scope_wanted: For, headers: Mapping[bytes, bytes]) -> None:
    if key.origins and headers.get(b"origin", b"").decode("latin-1") not in key.origins:
        raise Forbidden
    if not key.allows(scope_wanted):
        raise Forbidden(scope_wanted.value)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
