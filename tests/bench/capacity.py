"""What one request costs the processor, the database, Redis and the provider, for the arithmetic of coach/docs/growing.md. `make bench-capacity`.

One service with PostgreSQL, Redis, a key and a fake provider; write-ups of 300 words, all different, one after another.
"""

import asyncio
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import psutil
import redis

from coach import tokens
from tests.bench.overhead import REDIS
from tests.bench.speed import COACH, cpu, env, served, writeups
from tests.bench.store import database
from tests.provider import FakeProvider, answering, drafted

MANY, WARM, TURNS = 60, 10, 5
SAID = "I have not said a word to him about it, and when he came in on Monday I looked at my screen until he had gone past. Number {}."
DRAFTS = drafted(
    "What do you imagine it was like for him?",
    "What do you notice in yourself when you meet him?",
    "What would he say he is waiting for?",
    "What would you want to be true a month from now?",
    "What have you not yet said about it?",
)


@dataclass
class Cost:
    """Of one request: seconds of processor, rows written, bytes they take, commands of Redis by name, bytes in and out, tokens in and out."""

    seconds: float
    rows: float
    kept: float
    commands: Counter[str]
    received: float
    sent: float
    tokens: tuple[float, float] = (0.0, 0.0)


class Watch:
    """Commands that one database of Redis was sent, while the block lasts. What a script does within Redis is no command of ours."""

    def __enter__(self) -> Counter[str]:
        self.seen: Counter[str] = Counter()
        self._client = redis.Redis.from_url(REDIS)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        self._ready.wait(5)
        return self.seen

    def __exit__(self, *_details: object) -> None:
        self._client.echo("done")
        self._thread.join(5)
        self._client.close()

    def _watch(self) -> None:
        with self._client.monitor() as monitor:
            self._ready.set()
            for one in monitor.listen():
                if str(one["db"]) != REDIS.rpartition("/")[2] or one["client_type"] == "lua":
                    continue
                if one["command"].startswith("ECHO"):
                    return
                self.seen[one["command"].split()[0]] += 1


async def _kept(store: str) -> tuple[int, int]:
    """Rows, and the bytes that they and their indexes take."""
    connection = await asyncpg.connect(store)
    rows = await connection.fetchval("SELECT (SELECT count(*) FROM reflections) + (SELECT count(*) FROM entries)")
    size = await connection.fetchval("SELECT pg_total_relation_size('reflections') + pg_total_relation_size('entries')")
    await connection.close()
    return rows, size


@dataclass
class Service:
    """What is measured."""

    client: httpx.Client
    process: psutil.Process
    store: str
    provider: FakeProvider

    def cost(self, ask: Callable[[int], httpx.Response]) -> Cost:
        """Of each of many, after some to warm up."""
        for number in range(WARM):
            ask(number).raise_for_status()
        self.provider.calls.clear()
        rows, size = asyncio.run(_kept(self.store))
        began = self.process.cpu_times()
        with Watch() as commands:
            answers = [ask(number).raise_for_status() for number in range(WARM, WARM + MANY)]
        ended = self.process.cpu_times()
        rows_now, size_now = asyncio.run(_kept(self.store))
        read = [sum(tokens.count(str(message["content"])) for message in call["messages"]) for call in self.provider.calls]
        return Cost(
            (ended.user + ended.system - began.user - began.system) / MANY,
            (rows_now - rows) / MANY,
            (size_now - size) / MANY,
            Counter({name: round(many / MANY, 1) for name, many in commands.items()}),
            statistics.mean(len(one.request.content) for one in answers),
            statistics.mean(len(one.content) for one in answers),
            (sum(read) / MANY, len(read) * tokens.count(DRAFTS) / MANY),
        )


def costs(service: Service) -> Iterator[tuple[str, Cost]]:
    """Each kind of request."""
    texts = writeups(10_000)
    client = service.client

    def reflection(**more: Any) -> Callable[[int], httpx.Response]:
        return lambda _number: client.post("/v1/reflections", json={"challenge": next(texts), **more})

    def reply(number: int) -> httpx.Response:
        return client.post(f"/v1/reflections/{begun[number // TURNS]}/replies", json={"text": SAID.format(number)})

    yield (
        "check, one new sentence",
        service.cost(lambda number: client.post("/v1/checks", json={"texts": [f"What do you see in him on day {number} of it?"]})),
    )
    yield "reflection, library", service.cost(reflection(engine="bank"))
    yield "the same, kept", service.cost(reflection(engine="bank", store=True))
    begun = [reflection(engine="bank", store=True)(0).json()["id"] for _ in range((WARM + MANY) // TURNS)]
    yield f"reply, kept, library, the first {TURNS} of a conversation", service.cost(reply)
    yield "reflection, model", service.cost(reflection(engine="llm"))
    yield "the same, kept", service.cost(reflection(engine="llm", store=True))


@contextmanager
def started(data: str, provider: FakeProvider) -> Iterator[Service]:
    """A service with everything."""
    with database("postgresql", data) as store:
        more = {"COACH_STORE": store, "COACH_REDIS": REDIS, "COACH_MODEL": "tiny", "OPENAI_BASE_URL": provider.url, "COACH_RATE": "1000000"}
        more |= {"COACH_ADDRESS_RATE": "1000000", "COACH_TOKENS_A_DAY": "900000000", "COACH_LOG": "off"}
        subprocess.run([*COACH, "index"], check=True, capture_output=True, env=env(data) | more)
        made = subprocess.run([*COACH, "keys", "create", "bench"], check=True, capture_output=True, text=True, env=env(data) | more)
        with (
            served(data, more) as (url, process, _),
            httpx.Client(base_url=url, timeout=60, headers={"authorization": f"Bearer {made.stdout.split()[0]}"}) as client,
        ):
            yield Service(client, process, store, provider)


def main() -> None:
    """Print one table."""
    print(f"{os.cpu_count()} cores, {cpu()}, {platform.python_implementation()} {platform.python_version()}\n")
    print("| request | CPU seconds | rows written | bytes kept | Redis commands | bytes in | bytes out | tokens in | tokens out |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as data, FakeProvider(answering(DRAFTS, pieces=20)) as provider, started(data, provider) as service:
        for name, cost in costs(service):
            commands = f"{sum(cost.commands.values()):.1f}"
            figures = f"{cost.rows:.1f} | {cost.kept:,.0f} | {commands} | {cost.received:,.0f} | {cost.sent:,.0f}"
            print(f"| {name} | {cost.seconds:.3f} | {figures} | {cost.tokens[0]:,.0f} | {cost.tokens[1]:,.0f} |", flush=True)
        print(f"\nRedis, of the last: {json.dumps(cost.commands)}; resident memory at the end: {service.process.memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
