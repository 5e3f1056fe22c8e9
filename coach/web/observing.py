"""One line in the log and one count for every request, whatever answers it. Neither holds anything a caller sent but a plain key name."""

import logging
import time
from contextlib import nullcontext
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from coach.logs import ACCESS, METHODS, logged_id
from coach.web.metrics import Metrics
from coach.web.requests import request_id

NOBODY_THERE = 499  # nginx's, for who left before an answer began

log = logging.getLogger("coach.web")


class Observed:
    """An application whose requests are seen. It stands outside of all others, so that refusals are seen too."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Any = None) -> None:
        """The figures go to `metrics`, spans to `tracing` (coach.web.tracing), if any."""
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, and say how it went."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), NOBODY_THERE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with bound_contextvars(request_id=logged_id(request_id(scope))), self._tracing.request(scope) if self._tracing else nullcontext() as span:
            try:
                await self._app(scope, receive, sending)
            finally:
                route = str(scope.get("path_template") or "unmatched")
                if span:
                    self._tracing.answered(span, str(scope.get("method")), route, status)
                self._tell(scope, route, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        method = scope.get("method")
        name = scope.get("state", {}).get("key_name")
        more = {"key": name} if name else {}
        log.info(
            ACCESS,
            extra={
                "method": method if method in METHODS else "OTHER",
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                **more,
            },
        )
        self._metrics.requests.labels(route, f"{status // 100}xx").inc()
