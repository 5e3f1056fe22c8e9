"""The model engine against a fake provider with set delays, beside a plain Litestar+openai pass-through, by turns in one run. `make bench-llm`.

Provider and clients live in this process; the service and the pass-through in one of their own each. In the service the embedding of write-ups
is taken out (it has its own figures in `make bench`); the guard reads every draft, and no two drafts are the same.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from tests.bench.speed import COACH, cpu, env, percentile, timed, writeups

PYTHON = [sys.executable, "-m"]
CHUNKS, PACE = 64, 0.005  # pieces of an answer, and seconds between them
RATE, BLOCK, BLOCKS = 20, 2.0, 4  # requests a second, seconds of a block, blocks of each kind

QUESTIONS = (
    "What do you notice in yourself when you think of case {n}?",
    "What would you want to be true after case {n}?",
    "How would he tell case {n}?",
    "What is at stake for you in case {n}?",
    "What have you not yet said about case {n}?",
)
LABELS = (
    ("situation", "own", "humble"),
    ("outcome", "own", "process"),
    ("self", "other", "systemic"),
    ("self", "own", "clean"),
    ("self", "own", "clean"),
)


def document(number: int) -> str:
    """An answer of five drafts, all of which may be asked."""
    rest = {"quote": "", "guidance_id": "1"}
    drafts = [
        {"text": text.format(n=number), "skill": "curiosity", "about": about, "perspective": perspective, "form": form, **rest}
        for text, (about, perspective, form) in zip(QUESTIONS, LABELS, strict=True)
    ]
    return json.dumps({"acknowledgement": f'You write "Case {number}".', "drafts": drafts})


@dataclass
class Provider:
    """Streams `document(number)` for the case that the request speaks of, and remembers when the last byte of each draft left."""

    pace: float = PACE
    sent: dict[tuple[int, int], float] = field(default_factory=dict)
    open: int = 0
    most_open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, many requests."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]))
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                try:
                    await self._answer(int(re.findall(rb"Case (\d+)\.", body)[-1]), writer)
                finally:
                    self.open -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, number: int, writer: asyncio.StreamWriter) -> None:
        text = document(number)
        ends = [match.end() for match in re.finditer(r"\}", text)][: len(QUESTIONS)]
        size = -(-len(text) // CHUNKS)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for low in range(0, len(text), size):
            self._write(writer, {"choices": [{"index": 0, "delta": {"content": text[low : low + size]}}]})
            now = time.perf_counter()
            self.sent |= {(number, place): now for place, end in enumerate(ends) if low < end <= low + size}
            await writer.drain()
            if self.pace:
                await asyncio.sleep(self.pace)
        self._write(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._write(writer, {"choices": [], "usage": {"prompt_tokens": 1900, "completion_tokens": 400}})
        end = b"data: [DONE]\n\n"
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))
        await writer.drain()

    @staticmethod
    def _write(writer: asyncio.StreamWriter, chunk: dict[str, object]) -> None:
        data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))


@dataclass
class Taken:
    """What one request was like: status, seconds until its end, and when each question was there."""

    status: int
    seconds: float
    asked: dict[int, float] = field(default_factory=dict)


async def request(port: int, number: int, text: str, *, stream: bool, path: str = "/v1/reflections") -> Taken:
    """One request on a connection of its own, read to its end."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"challenge": f"Case {number}. {text}", "keep": [str(number)]}).encode()  # the provider must read the number
    accept = b"text/event-stream" if stream else b"application/json"
    head = b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\naccept: %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    writer.write(head % (path.encode(), accept, len(body)) + body)
    status, asked = 0, {}
    try:
        while line := await reader.readline():
            if line.startswith(b"HTTP/1.1 "):
                status = int(line[9:12])
            elif line.startswith(b"data: [DONE]"):
                break  # the provider itself keeps its connections
            elif line.startswith(b"event: asked"):
                asked[len(asked)] = time.perf_counter()
    finally:
        writer.close()
    return Taken(status, time.perf_counter() - started, asked)


async def at_rate(rate: float, seconds: float, one: Callable[[int], Awaitable[Taken]], numbers: Iterator[int]) -> list[Taken]:
    """Requests that start when they are due, whether or not earlier ones are answered."""
    tasks, due = [], time.perf_counter()
    for _ in range(int(rate * seconds)):
        tasks.append(asyncio.ensure_future(one(next(numbers))))
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return list(await asyncio.gather(*tasks))


async def fastest(one: Callable[[int], Awaitable[Taken]], numbers: Iterator[int], at_once: int = 16, seconds: float = 5.0) -> float:
    """Answers a second when the next is asked for as soon as one is there."""
    end, done = time.perf_counter() + seconds, 0

    async def again() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await one(next(numbers))
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(again() for _ in range(at_once)))
    return done / (time.perf_counter() - started)


@contextmanager
def started(command: list[str], port: int, more: dict[str, str]) -> Iterator[psutil.Process]:
    """A server in a process of its own, ready."""
    process = subprocess.Popen(command, env={**os.environ, **more, "PORT": str(port)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if any(connection.laddr.port == port for connection in psutil.Process(process.pid).net_connections() if connection.status == "LISTEN"):
                break
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def plainly(writeup: str) -> str:
    """A write-up without the number it begins with."""
    return writeup.split(". ", 1)[1]


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


Row = tuple[str, str, str, bool]


@dataclass
class Bench:
    """What is measured against what."""

    provider: Provider
    upstream: int
    coach: int
    plain: int
    text: str
    next_number: int = 1000

    def numbers(self) -> Iterator[int]:
        """Case numbers that were not used before."""
        while True:
            self.next_number += 1
            yield self.next_number

    def to(self, port: int, *, stream: bool, path: str = "/v1/reflections") -> Callable[[int], Awaitable[Taken]]:
        """A way to ask."""
        return lambda number: request(port, number, self.text, stream=stream, path=path)

    async def at_a_calm_rate(self) -> list[Row]:
        """Lag of questions, and what is added to a direct call: by turns, in blocks."""
        doors = {
            "direct": self.to(self.upstream, stream=True, path="/v1/chat/completions"),
            "plain": self.to(self.plain, stream=False),
            "coach": self.to(self.coach, stream=False),
        }
        taken: dict[str, list[float]] = {name: [] for name in doors}
        lags: list[float] = []
        for block in range(BLOCKS + 1):
            for name, one in doors.items():
                found = await at_rate(RATE, BLOCK, one, self.numbers())
                taken[name] += [each.seconds for each in found] if block else []  # the first warms up
            first = self.next_number + 1
            for place, stream in enumerate(await at_rate(RATE, BLOCK, self.to(self.coach, stream=True), self.numbers())):
                lags += [there - self.provider.sent[first + place, question] for question, there in stream.asked.items()] if block else []
        base = statistics.median(taken["direct"])
        added = {name: (statistics.median(values) - base) * 1000 for name, values in taken.items()}
        middle, worst = statistics.median(lags) * 1000, percentile(lags, 0.99) * 1000
        rows = [
            ("question lag, p50", f"{middle:.1f} ms", "1 ms", middle <= 1),
            ("question lag, p99", f"{worst:.1f} ms", "5 ms", worst <= 5),
            ("added to a direct call, p50", f"{added['coach']:.1f} ms (pass-through {added['plain']:.1f})", "6 ms", added["coach"] <= 6),
        ]
        for name, share, most in (("p50", 0.5, 1.3), ("p99", 0.99, 1.5)):
            ratio = percentile(taken["coach"], share) / percentile(taken["plain"], share)
            rows.append((f"whole answer against the pass-through, {name}", f"{ratio:.2f} times", f"{most} times", ratio <= most))
        return rows

    async def at_full_speed(self) -> list[Row]:
        """Streams a second, whole questions against relayed tokens."""
        self.provider.pace = 0.0
        rates: dict[int, list[float]] = {self.coach: [], self.plain: []}
        for _ in range(3):
            for port, found in rates.items():
                found.append(await fastest(self.to(port, stream=True), self.numbers()))
        ours, theirs = (statistics.median(found) for found in rates.values())
        told = f"{ours:.0f} / {theirs:.0f} = {ours / theirs:.2f} times"
        return [("streams a second against the pass-through", told, "1.1 times", ours / theirs >= 1.1)]

    async def in_crowds(self, process: psutil.Process) -> list[Row]:
        """Many at once."""
        rows: list[Row] = []
        for size, pace, ramp in ((200, 0.3, 10.0), (1000, 1.2, 40.0)):  # the last comes before the first has its third question
            self.provider.pace, self.provider.most_open = pace, 0
            found = await at_rate(size / ramp, ramp, self.to(self.coach, stream=True), self.numbers())
            errors = sum(each.status != 200 or len(each.asked) != 3 for each in found)
            rows.append((f"{size} streams, at once at most {self.provider.most_open}", f"{errors} errors", "0", errors == 0))
        memory = process.memory_info().rss / 1e6
        return [*rows, ("resident memory after that", f"{memory:.0f} MB", "400 MB", memory <= 400)]


async def measure(data: str) -> None:
    """All figures, one table."""
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=4096)
    bench = Bench(provider, server.sockets[0].getsockname()[1], free_port(), free_port(), plainly(next(writeups(1))))
    settings = {**env(data), "COACH_MODEL": "tiny", "OPENAI_BASE_URL": f"http://127.0.0.1:{bench.upstream}/v1", "COACH_MODEL_DEADLINE": "90"}
    with (
        started([*PYTHON, "tests.bench.unembedded"], bench.coach, settings) as process,
        started([*PYTHON, "tests.bench.passthrough"], bench.plain, settings),
    ):
        print(f"{os.cpu_count()} cores, {cpu()}\n\n| measure | figure | bound | |\n|---|---|---|---|")
        show(await bench.at_a_calm_rate())
        show(await bench.at_full_speed())
        show(await bench.in_crowds(process))
    show(await overload(data, provider))
    server.close()


def show(rows: list[Row]) -> None:
    """Lines of the table, as soon as they are there."""
    for name, figure, bound, met in rows:
        print(f"| {name} | {figure} | {bound} | {'met' if met else 'NOT MET'} |", flush=True)


async def overload(data: str, provider: Provider) -> list[Row]:
    """The whole service, embedding included: twice as many as it can answer."""
    provider.pace = 0.001
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=4096)
    port = free_port()
    settings = {**env(data), "COACH_MODEL": "tiny", "OPENAI_BASE_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"}
    texts, numbers = list(map(plainly, writeups(40))), iter(range(10**6, 10**9))

    def one(number: int) -> Awaitable[Taken]:
        return request(port, number, texts[number % 40] + f" {number}", stream=False)

    with started([*COACH, "serve", "--port", str(port)], port, settings):
        await at_rate(4, 2, one, numbers)
        rate = await fastest(one, numbers, at_once=4, seconds=6)
        calm = [each.seconds for each in await at_rate(rate * 0.9, 6, one, numbers)]
        found = await at_rate(rate * 2, 8, one, numbers)
    server.close()
    accepted, refused = [each.seconds for each in found if each.status == 200], [each.seconds for each in found if each.status == 503]
    ratio = percentile(accepted, 0.99) / percentile(calm, 0.99)
    other = len(found) - len(accepted) - len(refused)
    slowest = percentile(refused, 0.99) * 1000 if refused else 0.0
    return [
        (
            f"overload, {rate * 2:.0f} a second: p99 of the {len(accepted)} accepted against that at 0.9 of the maximum",
            f"{ratio:.1f} times that at 0.9 of the maximum",
            "3 times",
            ratio <= 3,
        ),
        (f"503 for the other {len(refused)}, p99", f"{slowest:.0f} ms, {other} other errors", "50 ms", slowest <= 50 and not other),
    ]


def main() -> None:
    """Build an index, then measure."""
    with tempfile.TemporaryDirectory() as data:
        timed([*COACH, "index"], data)
        asyncio.run(measure(data))


if __name__ == "__main__":
    main()
