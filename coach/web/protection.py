"""What every response carries, and which hosts and origins are answered."""

from collections.abc import Iterable
from dataclasses import dataclass

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from coach.paper.page import PAPERS, style_hash
from coach.ports import Keyring
from coach.settings import LOOPBACK, Settings
from coach.web.about import STYLE_HASH
from coach.web.requests import request_id, whole_path

_NOTHING = "default-src 'none'; frame-ancestors 'none'"
_DOCUMENTATION = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)  # Swagger UI starts from a script in its page
_STYLES = " ".join(f"'{style_hash(paper)}'" for paper in PAPERS)  # the print view opens from these pages, and keeps their policy
_GROUP = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_STYLES}; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
_POLICIES = {
    **dict.fromkeys(("/host", "/meet", "/run", "/embed", "/docs", "/problems"), _GROUP),
    "/schema": _DOCUMENTATION,
    "/about": f"default-src 'none'; style-src '{STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'",
}
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


async def protect(message: Message, scope: Scope) -> None:
    """Put the request's id and what keeps a browser honest on every response (OWASP Secure Headers)."""
    if message["type"] == "http.response.start":
        asked = whole_path(scope)
        found = (policy for path, policy in _POLICIES.items() if asked.startswith(path))
        policy = _GROUP if asked == "/" else next(found, _NOTHING)
        if scope.get("method") == "OPTIONS":
            message["headers"] = _allowing(message.get("headers", []), scope)
        more = ((b"x-request-id", request_id(scope).encode()), *_HEADERS, (b"content-security-policy", policy.encode()))
        message["headers"] = [*message.get("headers", []), *more]


def _allowing(headers: Iterable[tuple[bytes, bytes]], scope: Scope) -> list[tuple[bytes, bytes]]:
    """The same headers with every method of the address in Allow: Litestar names those of the handler that was registered first."""
    found = next((one.methods for one in scope["litestar_app"].routes if one.path_format == scope.get("path_template")), ())
    allow = ", ".join(sorted(found)).encode()
    return [(name, allow if name.lower() == b"allow" and allow else value) for name, value in headers]


def listed(value: str) -> list[str]:
    """The entries of a setting, between commas."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]


_TOLD = ["x-request-id", "retry-after", "ratelimit", "ratelimit-policy", "idempotency-replayed"]
_SENT = ["authorization", "content-type", "accept", "x-request-id", "idempotency-key", "mcp-protocol-version", "mcp-method", "mcp-name"]


@dataclass
class _Named(CORSConfig):
    """Those that the operator names, and those of the keys as they are now."""

    keyring: Keyring | None = None

    def is_origin_allowed(self, origin: str) -> bool:
        return super().is_origin_allowed(origin) or (self.keyring is not None and origin in self.keyring.origins)


def origins(settings: Settings, keyring: Keyring) -> CORSConfig:
    """Pages of other origins may call only where the operator names them, in a setting or with a key. No cookie is ever looked at."""
    named = listed(settings.origins)
    return _Named(named, ["GET", "POST", "PUT", "DELETE"], _SENT, expose_headers=_TOLD, keyring=keyring)


class HostCheck(ASGIMiddleware):
    """Answers only to the names of this service, so that a page elsewhere cannot reach it under a name of its own (DNS rebinding)."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """`hosts` are names without ports; empty: all."""
        self._hosts = frozenset(host.lower() for host in hosts)

    @classmethod
    def of(cls, settings: Settings) -> "HostCheck":
        """As the settings say: those named; else this machine's own where it only listens to itself."""
        named = listed(settings.hosts)
        return cls({*named, *LOOPBACK} if named or settings.host in LOOPBACK else ())

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises HTTPException 421 for another name."""
        if scope["type"] == ScopeType.HTTP and self._hosts:
            host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1").lower()
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name not in self._hosts:
                raise HTTPException(status_code=421)
        await next_app(scope, receive, send)
