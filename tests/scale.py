"""Two services behind one address: PostgreSQL, Redis and a Chroma server hold what they share. `make serve-two`, or `python -m tests.scale PORT`.

PostgreSQL and Redis are those of COACH_STORE and COACH_REDIS, else of this machine. Each service has a data folder of its own, as on two machines.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import asyncpg
import httpx

from tests.bench.llm import free_port

COACH = [sys.executable, "-m", "coach"]
CHROMA = str(Path(sys.executable).parent / "chroma")
PATIENCE = 60.0  # seconds until something that was started answers
ROOT = Path(__file__).parent.parent


class Balancer:
    """Passes connections on, to each port in turn; where nobody takes one, to the next. In a thread of its own."""

    def __init__(self, ports: list[int], port: int = 0) -> None:
        self.port, self._ports, self._turn = port, ports, count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=2048)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_details: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turn)
        with suppress(asyncio.CancelledError):
            for place in range(len(self._ports)):
                with suppress(OSError):
                    there, back = await asyncio.open_connection("127.0.0.1", self._ports[(first + place) % len(self._ports)])
                    await _between((reader, back), (there, writer))
                    break
        writer.close()


async def _between(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Pass on both ways until one side ends; then both have ended."""
    passing = [asyncio.ensure_future(_passed(*way)) for way in ways]
    try:
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one, (_, writer) in zip(passing, ways, strict=True):
            one.cancel()
            writer.close()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


class Two:
    """Two services, the Chroma server that they share, and the balancer in front. `chroma`, 0 and 1 can be killed and started again."""

    def __init__(self, folder: Path, settings: Mapping[str, str], port: int = 0) -> None:
        """`settings` name the database and Redis. Each service reads the index in `folder`/0 or `folder`/1, or makes it."""
        self._folder, self._running = folder, {}
        self._chroma, self.ports = free_port(), [free_port(), free_port()]
        self._settings = {"COACH_CHROMA": f"http://127.0.0.1:{self._chroma}", **settings}
        self._balancer = Balancer(self.ports, port)

    def __enter__(self) -> Self:
        try:
            self.start("chroma", 0, 1)
            self._balancer.__enter__()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_details: object) -> None:
        self._balancer.__exit__()
        self._stop()

    @property
    def url(self) -> str:
        """Where both answer."""
        return f"http://127.0.0.1:{self._balancer.port}"

    @property
    def urls(self) -> list[str]:
        """Where each answers."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def start(self, *names: str | int) -> None:
        """Start those that do not run, and wait until they answer."""
        names = tuple(name for name in names if name not in self._running or self._running[name].poll() is not None)
        for name in names:
            with self.errors(name).open("a") as told:
                self._running[name] = subprocess.Popen(
                    self._command(name), cwd=ROOT, env=self._environ(name), stdin=subprocess.DEVNULL, stdout=told, stderr=told
                )
        for name in names:
            self._wait_for(name)

    def kill(self, name: str | int) -> None:
        """SIGKILL: it has no time for anything."""
        self._running[name].kill()
        self._running[name].wait(10)

    def errors(self, name: str | int) -> Path:
        """What it has written."""
        return self._folder / f"said-{name}"

    def pid(self, name: str | int) -> int:
        """Its process."""
        return self._running[name].pid

    def wait(self) -> None:
        """Until one of them ends."""
        while all(one.poll() is None for one in self._running.values()):
            time.sleep(0.5)

    def _command(self, name: str | int) -> list[str]:
        if name == "chroma":
            return [CHROMA, "run", "--path", str(self._folder / "chroma"), "--host", "127.0.0.1", "--port", str(self._chroma)]
        return [*COACH, "serve", "--port", str(self.ports[int(name)])]

    def _environ(self, name: str | int) -> dict[str, str]:
        return os.environ | self._settings | {"COACH_DATA_DIR": str(self._folder / str(name))} if name != "chroma" else dict(os.environ)

    def _wait_for(self, name: str | int) -> None:
        until = time.monotonic() + PATIENCE
        address = f"http://127.0.0.1:{self._chroma}/api/v2/heartbeat" if name == "chroma" else f"{self.urls[int(name)]}/health/live"
        while time.monotonic() < until and self._running[name].poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(address, timeout=5).raise_for_status()
                return
            time.sleep(0.1)
        raise RuntimeError(f"{name} did not start: {self.errors(name).read_text(encoding='utf-8')[-2000:]}")

    def _stop(self) -> None:
        for one in self._running.values():
            one.terminate()
        for one in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                one.wait(30)
            one.kill()


def prepared(folder: Path) -> None:
    """An index for each service: made once, copied for the other."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*COACH, "index"], check=True, env=os.environ | {"COACH_DATA_DIR": str(folder / "0")})
    shutil.rmtree(folder / "1" / "index", ignore_errors=True)
    shutil.copytree(folder / "0" / "index", folder / "1" / "index")


async def _made(store: str) -> None:
    """Make the database unless it is there."""
    at = urlsplit(store)
    connection = await asyncpg.connect(at._replace(path="/postgres").geturl(), timeout=5)
    with suppress(asyncpg.DuplicateDatabaseError):
        await connection.execute(f'CREATE DATABASE "{at.path.strip("/")}"')
    await connection.close()


def main() -> None:
    """Start everything, say where it is, stop everything on Ctrl-C."""
    folder = Path(os.environ.get("COACH_DATA_DIR", ".data")).resolve() / "two"
    settings = {
        "COACH_STORE": os.environ.get("COACH_STORE", "postgresql://root@127.0.0.1:5432/coach_two"),
        "COACH_REDIS": os.environ.get("COACH_REDIS", "redis://127.0.0.1:6379/0"),
    }
    asyncio.run(_made(settings["COACH_STORE"]))
    prepared(folder)
    environ = os.environ | settings | {"COACH_DATA_DIR": str(folder / "0")}
    made = subprocess.run([*COACH, "keys", "create", "two"], env=environ, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    key = made.stdout.split()[0] if made.returncode == 0 else "(the key that the first start showed; `coach keys rotate two` makes another)"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt), Two(folder, settings, int(sys.argv[1]) if len(sys.argv) > 1 else 8000) as both:
        print(f"Two services at {' and '.join(both.urls)} behind {both.url}\nKey: {key}\nWhat they say is in {folder}. Ctrl-C stops all.", flush=True)
        both.wait()


if __name__ == "__main__":
    main()
