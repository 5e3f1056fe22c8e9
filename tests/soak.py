"""Hours of mixed load on one service, to see whether anything grows: `python -m tests.soak --minutes 30`.

About every ten seconds the load pauses for a moment, and the service says through a hook of this file (a signal, no address of the application)
how much memory, how many files, sockets, tasks and threads it holds. Grown is what is more than 5% more in the last minute than in the fifth; in a
run of under ten minutes, than at half time.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
import psutil
from litestar import Litestar

from coach.__main__ import main as coach
from coach.bootstrap import Coach
from coach.cli import serving
from tests.bench.llm import free_port
from tests.bench.speed import COACH, env, writeups
from tests.provider import FakeProvider, answering, drafted

ROOM, EVERY, QUIET, CALLERS, MOST = "SOAK_FOLDER", 10.0, 1.5, 3, 1.05
FIFTH, MINUTE = 5 * 60, 60
STREAM = {"accept": "text/event-stream"}
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
MODEL = drafted(
    "What do you imagine it was like for him?", "What do you notice in yourself when you meet him?", "What would he say he is waiting for?"
)
SHORT = "I have not said a word to him since Monday, and when he came in I looked at my screen. Number {}."
KINDS = ("memory", "files", "sockets", "tasks", "threads")


def held() -> dict[str, float]:
    """What this process holds: resident bytes, open files and sockets, tasks of its loop, threads."""
    me = psutil.Process()
    return {
        "memory": me.memory_info().rss,
        "files": me.num_fds(),
        "sockets": len(me.net_connections()),
        "tasks": len(asyncio.all_tasks()),
        "threads": me.num_threads(),
    }


def watched(create: Callable[[Coach], Litestar]) -> Callable[[Coach], Litestar]:
    """The application, in whose loop a signal makes a line about what the process holds."""

    def told() -> None:
        with (Path(os.environ[ROOM]) / "held").open("a") as lines:
            lines.write(json.dumps(held()) + "\n")

    def made(assembled: Coach) -> Litestar:
        app = create(assembled)
        app.on_startup.append(lambda: asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told))
        return app

    return made


@dataclass
class Load:
    """What callers do. Each thing is bounded; whatever is kept is erased."""

    client: httpx.AsyncClient
    chance: random.Random = field(default_factory=lambda: random.Random(30))
    done: Counter[str] = field(default_factory=Counter)
    texts: Sequence[str] = field(default_factory=lambda: list(writeups(40)))
    number: int = 0

    def text(self) -> str:
        """A write-up that was never sent before, of 30 to 300 words."""
        self.number += 1
        words = self.chance.choice(self.texts).split()
        return f"Matter {self.number}. {' '.join(words[: self.chance.randint(30, 300)])}."

    async def until(self, end: float) -> None:
        """One thing after another, by chance."""
        kinds = (self.whole, self.streamed, self.left, self.checked, self.kept, self.sheet, self.chat, self.tool)
        while time.monotonic() < end:
            kind = self.chance.choices(kinds, (5, 4, 3, 6, 3, 1, 3, 4))[0]
            status = await kind()
            self.done[f"{kind.__name__} {status}"] += 1

    def body(self, **more: Any) -> dict[str, Any]:
        """A reflection, by the library or the model."""
        return {"challenge": self.text(), "engine": self.chance.choice(("bank", "llm")), **more}

    async def whole(self) -> int:
        return (await self.client.post("/v1/reflections", json=self.body())).status_code

    async def streamed(self) -> int:
        async with self.client.stream("POST", "/v1/reflections", json=self.body(), headers=STREAM) as answer:
            async for _ in answer.aiter_bytes():
                pass
        return answer.status_code

    async def left(self) -> int:
        """A stream, and gone after its first bytes."""
        async with self.client.stream("POST", "/v1/reflections", json=self.body(), headers=STREAM) as answer:
            async for _ in answer.aiter_bytes():
                break
        return answer.status_code

    async def checked(self) -> int:
        self.number += 1
        texts = [f"What did you see on day {self.number}?", "Have you talked to him?"]
        return (await self.client.post("/v1/checks", json={"texts": texts})).status_code

    async def kept(self) -> int:
        """Kept, gone on with twice, read, erased."""
        begun = await self.client.post("/v1/reflections", json=self.body(store=True))
        if begun.status_code != 200 or not begun.json()["kept"]:
            return begun.status_code
        place = f"/v1/reflections/{begun.json()['id']}"
        for turn in range(2):
            await self.client.post(f"{place}/replies", json={"text": SHORT.format(f"{self.number}, {turn}")})
        await self.client.get(place)
        return (await self.client.delete(place)).status_code

    async def sheet(self) -> int:
        members = [{"alias": name, "function": name, "challenge": self.text()} for name in ("Ada", "Jo", "Ed", "Flo")]
        accept = self.chance.choice(("application/json", "application/pdf", "text/html"))
        return (await self.client.post("/v1/sheets", json={"members": members, "minutes": 90}, headers={"accept": accept})).status_code

    async def chat(self) -> int:
        body = {"model": "reflection-coach", "messages": [{"role": "user", "content": self.text()}], "stream": self.chance.random() < 0.5}
        return (await self.client.post("/openai/v1/chat/completions", json=body)).status_code

    async def tool(self) -> int:
        name, arguments = self.chance.choice((("check_questions", {"texts": ["What did you hear?"]}), ("reflect", {"challenge": self.text()})))
        body = {"jsonrpc": "2.0", "id": self.number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        return (await self.client.post("/mcp", json=body, headers=MCP)).status_code


@contextmanager
def soaked(data: str, provider: FakeProvider) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """A service of its own with the hook in it: its address, a key, its process."""
    port = free_port()
    more = {"COACH_PORT": str(port), "COACH_MODEL": "tiny", "OPENAI_BASE_URL": provider.url, "COACH_LOG": "json", ROOM: data}
    environ = env(data) | more | {"COACH_RATE": "1000000", "COACH_ADDRESS_RATE": "1000000"}
    subprocess.run([*COACH, "index"], check=True, capture_output=True, env=environ)
    secret = subprocess.run([*COACH, "keys", "create", "soak"], check=True, capture_output=True, text=True, env=environ).stdout.split()[0]
    with (Path(data) / "log").open("w") as told:
        process = subprocess.Popen([sys.executable, "-m", "tests.soak", "--served"], env=environ, stdout=told, stderr=told)
    try:
        _answers(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", secret, process
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(f"{url}/health/ready").raise_for_status()
            return
        time.sleep(0.2)
    raise RuntimeError("the service did not start")


async def sampled(process: subprocess.Popen[bytes], data: str) -> dict[str, float]:
    """What it holds just now."""
    path = Path(data) / "held"
    before = len(path.read_text().splitlines()) if path.exists() else 0
    process.send_signal(signal.SIGUSR1)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if path.exists() and len(lines := path.read_text().splitlines()) > before and path.read_text().endswith("\n"):
            return json.loads(lines[-1])
    raise RuntimeError("the service says nothing")


async def soak(minutes: float, data: str, provider: FakeProvider) -> tuple[list[tuple[float, dict[str, float]]], Counter[str]]:
    """Seconds and what was held then, and how often what was done with which status."""
    samples: list[tuple[float, dict[str, float]]] = []
    with soaked(data, provider) as (url, secret, process):
        began, headers = time.monotonic(), {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
            load = Load(client)
            while (since := time.monotonic() - began) < minutes * 60:
                end = began + (since // EVERY + 1) * EVERY
                await asyncio.gather(*(load.until(end - QUIET) for _ in range(CALLERS)))
                await asyncio.sleep(max(0.0, end - time.monotonic()))
                samples.append((time.monotonic() - began, await sampled(process, data)))
                provider.calls.clear()
                provider.left.clear()
                print(f"{samples[-1][0]:6.0f} s  {said(samples[-1][1])}", file=sys.stderr, flush=True)
    return samples, load.done


def said(one: dict[str, float]) -> str:
    """A sample as words."""
    return ", ".join(f"{one[kind] / 1e6:.1f} MB" if kind == "memory" else f"{one[kind]:.0f} {kind}" for kind in KINDS)


def grown(samples: Sequence[tuple[float, dict[str, float]]]) -> list[tuple[str, float, float, bool]]:
    """Of each kind: the median around the fifth minute (under ten minutes: half time), that of the last minute, and whether it grew."""
    end = samples[-1][0]
    start = min(FIFTH, end / 2)
    window = min(MINUTE, end / 4)
    rows = []
    for kind in KINDS:
        then = statistics.median(one[kind] for at, one in samples if start - window / 2 <= at <= start + window / 2 + EVERY / 2)
        now = statistics.median(one[kind] for at, one in samples if at >= end - window)
        rows.append((kind, then, now, now > then * MOST))
    return rows


@click.command()
@click.option("--minutes", type=click.FloatRange(1, 24 * 60), default=30.0, help="How long.")
@click.option("--served", is_flag=True, help="Be the service (for this program's own use).")
def main(minutes: float, *, served: bool) -> None:
    """Load one service for a while, and say whether anything grew; 1 if so."""
    if served:
        serving.create_app = watched(serving.create_app)
        sys.argv = ["coach", "serve"]
        coach()
        return
    with tempfile.TemporaryDirectory() as data, FakeProvider(answering(MODEL, pieces=30, delay=0.02)) as provider:
        samples, done = asyncio.run(soak(minutes, data, provider))
    print(", ".join(f"{name}: {many}" for name, many in sorted(done.items())))
    rows = grown(samples)
    print(f"| held, {samples[-1][0] / 60:.0f} minutes, {sum(done.values())} things done | then | at the end | |\n|---|---|---|---|")
    for kind, then, now, more in rows:
        unit = 1e6 if kind == "memory" else 1
        print(f"| {kind}{', MB' if kind == 'memory' else ''} | {then / unit:.1f} | {now / unit:.1f} | {'GREW' if more else 'did not grow'} |")
    sys.exit(any(more for *_, more in rows))


if __name__ == "__main__":
    main()
