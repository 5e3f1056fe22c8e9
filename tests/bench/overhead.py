"""What keys, limits, figures, logs and the rest add to a cheap request: one sentence at `/v1/checks`, over a real socket. `make bench-overhead`.

All applications stand in one process beside each other, each with one layer more than the last, and are asked by turns on connections that stay open.
"""

import asyncio
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from litestar import Litestar

from coach.bootstrap import Coach, assemble
from coach.keys import Key
from coach.logs import configure
from coach.settings import Settings
from coach.web import app
from coach.web.gate import Gate
from coach.web.limits import Headers
from coach.web.observing import Observed
from coach.web.protection import HostCheck
from tests.bench.llm import free_port
from tests.bench.speed import COACH, cpu, env

REDIS = "redis://127.0.0.1:6379/8"
REQUESTS, BLOCK, MOST = 2_000, 50, 2.0  # of each application, at a turn, and milliseconds that all may add
BODY = json.dumps({"texts": ["What do you see in him?"]}).encode()
LAYERS = ("problem documents", "names of hosts, safe headers, CORS", "keys", "limits, in memory", "figures", "log lines")


class _Unlimited:
    """In place of the limits."""

    async def arrive(self, _address: str) -> Headers:
        return ()

    async def admit(self, _key: Key) -> Headers:
        return ()


class _Counted(Observed):
    """Figures, and no log lines."""

    def _tell(self, scope: Any, route: str, status: int, _seconds: float) -> None:
        self._metrics.requests.labels(route, f"{status // 100}xx").inc()


def layered(coach: Coach, layers: tuple[str, ...]) -> Litestar:
    """The application with these layers, and none of the others."""

    def litestar(**options: Any) -> Litestar:
        if LAYERS[0] not in layers:
            options["exception_handlers"] = {}
        if LAYERS[1] not in layers:
            options |= {"before_send": [], "cors_config": None}
        wanted = tuple(kind for layer, kind in ((LAYERS[1], HostCheck), (LAYERS[2], Gate)) if layer in layers)
        options["middleware"] = [one for one in options["middleware"] if isinstance(one, wanted)]
        for one in options["middleware"]:
            if isinstance(one, Gate) and LAYERS[3] not in layers:
                one._limits = _Unlimited()
        return Litestar(**options)

    def observed(handler: Any, *more: Any) -> Any:
        return (
            _Counted(handler, *more)
            if LAYERS[4] in layers and LAYERS[5] not in layers
            else Observed(handler, *more)
            if LAYERS[5] in layers
            else handler
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Litestar", litestar)
        patch.setattr(app, "Observed", observed)
        return app.create_app(coach)


async def serve(ports: list[int]) -> None:
    """Every application in one loop: bare, with one layer after the other, whole, and whole with Redis."""
    configure("json", sys.stderr)
    settings = Settings.from_env(os.environ)
    coach = assemble(settings, lambda _done, _total: None)
    applications = [layered(coach, LAYERS[:many]) for many in range(len(LAYERS) + 1)]
    applications += [app.create_app(replace(coach, settings=replace(settings, redis=redis))) for redis in ("", REDIS)]
    configure("json", sys.stderr)
    servers = [
        uvicorn.Server(uvicorn.Config(one, port=port, log_config=None, log_level="warning", access_log=False))
        for one, port in zip(applications, ports, strict=True)
    ]
    await asyncio.gather(*(one.serve() for one in servers))


@dataclass
class Caller:
    """One connection, and how long each answer took on it, in milliseconds."""

    port: int
    request: bytes
    status: int
    taken: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        """Once."""
        started = time.perf_counter()
        self._socket.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
        while len(body) < length:
            body += self._socket.recv(65_536)
        self.taken.append((time.perf_counter() - started) * 1000)
        assert int(head[9:12]) == self.status, head

    @property
    def median(self) -> float:
        """Without the first turn."""
        return statistics.median(self.taken[BLOCK:])


def by_turns(callers: list[Caller], requests: int) -> None:
    """All of them, so that each sees the same machine."""
    for _ in range(requests // BLOCK + 1):
        for caller in callers:
            for _ in range(BLOCK):
                caller.ask()


def measured(ports: list[int], secret: str) -> list[tuple[str, float, float]]:
    """A row for each: what, p50 in milliseconds, and what it adds to the row before."""
    head = f"host: 127.0.0.1\r\nauthorization: Bearer {secret}\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n".encode()
    callers = [Caller(port, b"POST /v1/checks HTTP/1.1\r\n" + head + BODY, 200) for port in ports]
    by_turns(callers, REQUESTS)
    names = ("the handler alone", *(f"+ {layer}" for layer in LAYERS), "the service as it is", "the same, limits in Redis")
    found = [caller.median for caller in callers]
    rows = [(name, one, one - before) for name, one, before in zip(names, found, [found[0], *found], strict=False)]
    refused = [Caller(port, b"GET /v1/checks HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 405) for port in ports[:2]]
    by_turns(refused, REQUESTS // 4)
    return [
        *rows,
        ("a refusal (405), as Litestar writes it", refused[0].median, 0.0),
        ("the same, as a problem document", refused[1].median, refused[1].median - refused[0].median),
    ]


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.1)
    raise RuntimeError("the applications did not start")


@dataclass
class _Started:
    ports: list[int]
    secret: str


def started(data: str, work: Callable[[_Started], Any]) -> Any:
    """What `work` finds while all applications are served from a process of their own."""
    environ = env(data) | {"COACH_RATE": "1000000", "COACH_ADDRESS_RATE": "1000000"}
    subprocess.run([*COACH, "index"], check=True, capture_output=True, env=environ)
    secret = subprocess.run([*COACH, "keys", "create", "bench"], check=True, capture_output=True, text=True, env=environ).stdout.split()[0]
    ports = [free_port() for _ in range(len(LAYERS) + 3)]
    with (Path(data) / "log").open("w") as told:
        process = subprocess.Popen([sys.executable, "-m", "tests.bench.overhead", *map(str, ports)], env=environ, stderr=told)
    try:
        for port in ports:
            _listens(port, process)
        return work(_Started(ports, secret))
    finally:
        process.kill()
        process.wait(10)


def main() -> None:
    """Print one table."""
    with tempfile.TemporaryDirectory() as data:
        rows = started(data, lambda up: measured(up.ports, up.secret))
    print(f"{os.cpu_count()} cores, {cpu()}, {platform.python_implementation()} {platform.python_version()}\n")
    print(f"| p50 of {REQUESTS:,} | ms | adds |\n|---|---|---|")
    for name, value, more in rows:
        print(f"| {name} | {value:.2f} | {more:+.2f} |")
    for name, place in (("in memory", -4), ("in Redis", -3)):
        added = rows[place][1] - rows[0][1]
        print(f"all together, limits {name}: {added:.2f} ms, at most {MOST} ms: {'met' if added <= MOST else 'NOT MET'}")


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(serve(list(map(int, sys.argv[1:]))))
    else:
        main()
