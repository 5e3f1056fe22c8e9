"""The figures of the README, measured on this machine over real sockets and real processes. Run it with `make bench`."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from coach import guard
from coach.knowledge.embedders import MiniLM

CASES = Path(__file__).parent.parent / "cases"
COACH = [sys.executable, "-m", "coach"]
SHEET_WORDS = 400
WARM, ONE_CLIENT, CLIENTS, EACH = 10, 100, 8, 25


def writeups(count: int) -> Iterator[str]:
    """Different write-ups of 300 words each: nothing is answered from a cache."""
    rows = [row["text"] for row in map(json.loads, (CASES / "writeups.jsonl").open(encoding="utf-8")) if row["language"] == "en" and not row["flag"]]
    words = [text.split() for text in rows if len(text.split()) >= 300]
    for number in range(count):
        chosen = words[number % len(words)]
        yield " ".join([f"Case {number}.", *chosen])[: len(" ".join(["Case", f"{number}.", *chosen[:298]]))]


@contextmanager
def served(data: str, settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, psutil.Process, float]]:
    """A `coach serve` of its own: address, process, seconds until it was ready."""
    started = time.perf_counter()
    process = subprocess.Popen([*COACH, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=env(data) | (settings or {}))
    try:
        url = next(match[0] for line in process.stdout or () if (match := re.search(r"http://[\d.]+:\d+", line)))
        httpx.get(f"{url}/health/ready").raise_for_status()
        yield url, psutil.Process(process.pid), time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(20)


def env(data: str) -> dict[str, str]:
    """This process's environment with another data folder."""
    return {**os.environ, "COACH_DATA_DIR": data, "PYTHONUNBUFFERED": "1"}


def timed(command: list[str], data: str, given: str | None = None) -> float:
    """Seconds that a command takes from a cold start."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, text=True, input=given, env=env(data))
    return time.perf_counter() - started


def post(client: httpx.Client, text: str) -> float:
    """Milliseconds for one whole answer with three questions."""
    started = time.perf_counter()
    answer = client.post("/v1/reflections", json={"challenge": text}).raise_for_status().json()
    taken = (time.perf_counter() - started) * 1000
    if len(answer["questions"]) != 3 or answer["notices"]:
        raise AssertionError(answer["notices"])
    return taken


def labelled() -> list[str]:
    """Sentences to judge."""
    return [json.loads(line)["text"] for line in (CASES / "guard.jsonl").open(encoding="utf-8")]


def by_rules(texts: list[str]) -> float:
    """Seconds a sentence on one core, without the head: the best of three, as the machine has others to serve."""
    guard.check_all(texts[:100], language="en", scope="phrases")
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        guard.check_all(texts[:6000], language="en", scope="phrases")
        taken.append(time.perf_counter() - started)
    return min(taken) / 6000


def by_head(texts: list[str]) -> float:
    """Seconds for seven sentences that were not read before: the median of 50 batches."""
    guard.ready()
    taken = []
    for low in range(0, 350, 7):
        started = time.perf_counter()
        guard.check_all(texts[low : low + 7], language="en")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def latencies(url: str) -> tuple[list[float], list[float]]:
    """One client, warm: milliseconds for each answer, and for the encoder alone on the same text, by turns so that both see the same machine."""
    answers, alone = [], []
    encoder = MiniLM()
    with httpx.Client(base_url=url, timeout=30) as client:
        for text in writeups(WARM + ONE_CLIENT):
            answers.append(post(client, text))
            started = time.perf_counter()
            encoder.read(text)
            alone.append((time.perf_counter() - started) * 1000)
    return answers[WARM:], alone[WARM:]


def crowded(url: str) -> list[float]:
    """Eight clients at once, milliseconds."""
    texts = list(writeups(CLIENTS * EACH + ONE_CLIENT + WARM))[-CLIENTS * EACH :]

    def one(number: int) -> list[float]:
        with httpx.Client(base_url=url, timeout=30) as client:
            return [post(client, text) for text in texts[number::CLIENTS]]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [taken for many in pool.map(one, range(CLIENTS)) for taken in many]


def sheets(url: str) -> tuple[float, float]:
    """Seconds for a sheet of six members with long cases, and how many more for its PDF, p50 of five groups each."""
    made, printed = [], []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(10):
            cases = [f"{text} {text}" for text in writeups(60)][number * 6 : number * 6 + 6]
            members = [
                {"alias": f"M{at}", "function": f"function {at}", "challenge": " ".join(text.split()[:SHEET_WORDS])} for at, text in enumerate(cases)
            ]
            started = time.perf_counter()
            accept = "application/pdf" if number % 2 else "application/json"
            client.post("/v1/sheets", json={"members": members, "minutes": 90}, headers={"accept": accept}).raise_for_status()
            (printed if number % 2 else made).append(time.perf_counter() - started)
    return statistics.median(made), statistics.median(printed) - statistics.median(made)


def main() -> None:
    """Measure everything and print one table."""
    rows: list[tuple[str, float, str, float]] = []

    def row(name: str, value: float, unit: str, most: float) -> None:
        rows.append((name, value, unit, most))

    with tempfile.TemporaryDirectory() as data:
        row("full index build", timed([*COACH, "index"], data), "s", 90)
        sentences = "\n".join(labelled()[:300])
        row("coach check, 300 sentences, cold", timed([*COACH, "check", "--json"], data, sentences), "s", 3)
        row("guard, rules alone, a sentence", by_rules(labelled()) * 1e6, "µs", 100)
        row("guard, rules and head, 7 new sentences, p50", by_head(labelled()) * 1000, "ms", 25)
        with served(data) as (url, process, ready):
            row("coach serve to ready, index in place", ready, "s", 4)
            one, alone = latencies(url)
            row("300 words, one client, p50", statistics.median(one), "ms", 90)
            row("of which all but the embedding", statistics.median(one) - statistics.median(alone), "ms", 12)
            made, printed = sheets(url)
            row(f"sheet for six members, {SHEET_WORDS} words each", made, "s", 2)
            row("its PDF, more than that", printed, "s", 1)
            many = crowded(url)
            row(f"{CLIENTS} clients at once, p99 of {len(many)}", percentile(many, 0.99) / 1000, "s", 1.5)
            row("resident memory after that", process.memory_info().rss / 1e6, "MB", 450)
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {cpu()}, {platform.system()} {platform.machine()}\n"
    )
    print("| measure | figure | at most | |\n|---|---|---|---|")
    for name, value, unit, most in rows:
        print(f"| {name} | {value:.1f} {unit} | {most:g} {unit} | {'met' if value <= most else 'NOT MET'} |")


def cpu(read: Callable[[], str] = lambda: Path("/proc/cpuinfo").read_text(encoding="utf-8")) -> str:
    """The processor's name, where the system tells it."""
    try:
        return next((line.split(":", 1)[1].strip() for line in read().splitlines() if line.startswith("model name")), "unnamed processor")
    except OSError:
        return platform.processor() or "unnamed processor"


if __name__ == "__main__":
    main()
