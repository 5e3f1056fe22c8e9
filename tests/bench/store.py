"""What keeping costs, on SQLite and on PostgreSQL, measured over real sockets. Run it with `make bench-store`."""

import asyncio
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import msgspec

from coach import ids
from coach.kept import Answer, Entry, Put, Reply, digest, kind_of
from coach.model import AcknowledgementDraft, Challenge, Provenance
from coach.store import SqlJournal
from coach.store.journal import utc_now
from coach.store.sealing import Sealer
from coach.store.tables import entries, reflections
from tests.bench.speed import percentile, served, writeups
from tests.fakes import draft

POSTGRES = "postgresql://root@127.0.0.1:5432"
MANY, REPLIES, PAIRS, READS, AT_ONCE = 100_000, 3, 40, 400, 2_000
MOST = {"sqlite": 5, "postgresql": 8}
SAID = "I have not said a word to him about it, and when he came in on Monday I looked at my screen until he had gone past. Number {number}."


@contextmanager
def database(kind: str, folder: str) -> Iterator[str]:
    """An empty one, as COACH_STORE names it."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/kept.db"
        return
    name = f"coach_bench_{secrets.token_hex(4)}"
    asyncio.run(_ask(f"CREATE DATABASE {name}"))
    try:
        yield f"{POSTGRES}/{name}"
    finally:
        asyncio.run(_ask(f"DROP DATABASE {name} WITH (FORCE)"))


async def _ask(statement: str) -> None:
    connection = await asyncpg.connect(f"{POSTGRES}/postgres")
    await connection.execute(statement)
    await connection.close()


def replies(url: str) -> tuple[float, float]:
    """Milliseconds for a reply that is kept and for the same that is not, p50 of each, by turns and on different write-ups."""
    kept: list[float] = []
    bare: list[float] = []
    texts = list(writeups(2 * PAIRS + 4))
    with httpx.Client(base_url=url, timeout=60) as client:
        for number, (one, other) in enumerate(zip(texts[::2], texts[1::2], strict=True)):
            said = SAID.format(number=number)
            begun = client.post("/v1/reflections", json={"challenge": one, "store": True, "count": 1}).raise_for_status().json()
            kept.append(_timed(client, f"/v1/reflections/{begun['id']}/replies", {"text": said}))
            begun = client.post("/v1/reflections", json={"challenge": other, "count": 1}).raise_for_status().json()
            exchanges = [{"question": begun["questions"][0]["text"], "reply": said}]
            bare.append(_timed(client, "/v1/reflections", {"challenge": other, "exchanges": exchanges}))
    return statistics.median(kept[2:]), statistics.median(bare[2:])


def _timed(client: httpx.Client, path: str, body: dict[str, object]) -> float:
    started = time.perf_counter()
    client.post(path, json=body).raise_for_status()
    return (time.perf_counter() - started) * 1000


async def fill(url: str) -> list[str]:
    """A hundred thousand reflections with three replies each, as the service would have kept them; some of their ids."""
    journal = SqlJournal(url, Path(), Sealer(""))
    await journal.open()
    texts, now, names = list(writeups(50)), utc_now(), []
    answer = Answer(
        Provenance("bank", None, None, "k", "g"),
        AcknowledgementDraft("You write it."),
        (Put("q1", draft("What is it like for him?"), (("a#b", "A"),)),),
    )
    for low in range(0, MANY, AT_ONCE):
        rows, said = [], []
        for number in range(low, low + AT_ONCE):
            name = ids.new("r")
            names.append(name)
            at = int(now.timestamp() * 1000)
            body = b"\x00" + msgspec.json.encode(Challenge(texts[number % len(texts)]))
            rows.append({"id": name, "owner": "local", "token": digest(name), "created": at, "expires": at + 30 * 86_400_000, "body": body})
            for seq in range(2 * REPLIES + 1):
                entry = Entry(now, Reply("q1", "What is it like for him?", SAID.format(number=number)) if seq % 2 else answer)
                blob = b"\x00" + msgspec.json.encode(entry.said)
                said.append({"reflection": name, "seq": seq, "kind": kind_of(entry.said), "at": at, "body": blob})
        await journal._database.write(  # quicker than one by one
            lambda connection, rows=rows, said=said: (connection.execute(reflections.insert(), rows), connection.execute(entries.insert(), said))
        )
        if low % 20_000 == 0:
            print(f"  {low + AT_ONCE:,} of {MANY:,}", file=sys.stderr)
    await journal._database.aside("ANALYZE")
    await journal.close()
    return names


def lookups(url: str, names: list[str]) -> tuple[float, float]:
    """Milliseconds to list a page from anywhere, and to read one, p99 of each."""
    step = len(names) // READS
    with httpx.Client(base_url=url, timeout=60) as client:
        lists, reads = [], []
        for name in names[::step]:
            started = time.perf_counter()
            assert len(client.get("/v1/reflections", params={"limit": 20, "after": name}).json()["data"]) == 20 or name <= names[20]
            lists.append((time.perf_counter() - started) * 1000)
            started = time.perf_counter()
            assert len(client.get(f"/v1/reflections/{name}").json()["exchanges"]) == REPLIES
            reads.append((time.perf_counter() - started) * 1000)
    return percentile(lists[5:], 0.99), percentile(reads[5:], 0.99)


def erased(url: str, name: str) -> float:
    """Seconds until one of them is erased to the last byte."""
    started = time.perf_counter()
    assert httpx.delete(f"{url}/v1/reflections/{name}", timeout=300).json()["swept"]
    return time.perf_counter() - started


def measured(kind: str) -> Iterator[tuple[str, float, str, float | None]]:
    """A row for each figure: what, how much, unit, and the most it may be."""
    with tempfile.TemporaryDirectory() as folder, database(kind, folder) as url:
        with served(folder, {"COACH_STORE": url}) as (address, _, _):
            kept, bare = replies(address)
            yield f"{kind}: keeping adds to a reply, p50 (of {bare:.0f} ms)", kept - bare, "ms", MOST[kind]
        names = asyncio.run(fill(url))
        with served(folder, {"COACH_STORE": url}) as (address, _, _):
            listed, read = lookups(address, names)
            yield f"{kind}: {MANY:,} kept, a page of 20, p99", listed, "ms", 20
            yield f"{kind}: {MANY:,} kept, one read whole, p99", read, "ms", 20
            yield f"{kind}: {MANY:,} kept, one erased and its traces too", erased(address, names[MANY // 2]), "s", None


def main() -> None:
    """Measure both and print one table."""
    print(f"{platform.machine()}, Python {platform.python_version()}")
    for kind in MOST:
        for name, value, unit, most in measured(kind):
            verdict = "" if most is None else "met" if value <= most else "NOT MET"
            bound = "" if most is None else f"{most} {unit}"
            print(f"| {name} | {value:.1f} {unit} | {bound} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
