"""What indexing an organisation's own guidance costs, in time and memory, and what finding and erasing in it costs. Run `make bench-knowledge`.

`python -m tests.bench.knowledge 1000` takes a tenth of the time; with `counted` behind the number, words are counted instead of read, which leaves
all but the encoder's part to be measured.
"""

import asyncio
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from coach.cli.progress import Bar
from coach.knowledge import own
from coach.knowledge.embedders import CountedWords, Embedder, MiniLM
from coach.knowledge.files import Document, load
from coach.knowledge.guests import OwnKnowledge
from coach.knowledge.shelf import Shelves, plain
from coach.knowledge.where import data_folder
from coach.model import Passage

MANY, QUERIES = 10_000, 50


def documents(count: int) -> Iterator[Document]:
    """Documents of about 300 words in three sections, of sentences of ours in other orders."""
    ours = load(data_folder("knowledge")).documents
    sentences = [sentence for one in ours for passage in one.passages for sentence in passage.text.split(". ")]
    chance = random.Random(9)
    for number in range(count):
        model, name = ours[number % len(ours)], f"d{number:05d}"
        title = f"Case {number}: {model.title}"
        passages = tuple(
            Passage(f"{name}#{place}", name, title, f"Part {place}", ". ".join(chance.sample(sentences, 6)), model.skills, model.sources)
            for place in range(3)
        )
        when = tuple(f"{chance.choice(sentences)} Case {number}." for _ in range(4))
        yield Document(name, title, model.skills, model.themes, model.method, model.sources, when, passages)


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    process, embedder = psutil.Process(), CountedWords() if "counted" in sys.argv else MiniLM()
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}, {embedder.name}")
    many = list(documents(count))
    words = statistics.mean(sum(len(passage.text.split()) for passage in one.passages) for one in many)
    before = process.memory_info().rss
    with tempfile.TemporaryDirectory() as folder:
        top, most = own.home(Path(folder), "acme"), [before]
        bar = Bar("Embedding documents")

        def progress(done: int, total: int) -> None:
            most.append(process.memory_info().rss)
            bar(done, total)

        started = time.perf_counter()
        own.add(top, many, embedder, progress)
        took = time.perf_counter() - started
        most.append(process.memory_info().rss)
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        print(f"{count} documents of {words:.0f} words indexed in {took:.0f} s: {1000 * took / count:.0f} ms each, {disk:.0f} MB on disk")
        print(f"memory: {before / 1e6:.0f} MB with the documents in hand, {max(most) / 1e6:.0f} MB at most")
        started = time.perf_counter()
        own.add(top, many, embedder, lambda _done, _total: None)
        print(f"again with nothing changed: {time.perf_counter() - started:.1f} s")
        asyncio.run(_serve(Path(folder), embedder, many))


async def _serve(folder: Path, embedder: Embedder, many: list[Document]) -> None:
    """What a running service notices of it."""
    knowledge, shelf = OwnKnowledge(folder, embedder), Shelves(plain(load(data_folder("knowledge")))).first
    shelf = type(shelf)(embedder, shelf.knowledge, shelf.passages, shelf.questions, shelf.whens, shelf.themes)
    times = []
    for one in many[:QUERIES]:
        reading = embedder.read(one.when[0])
        started = time.perf_counter()
        found = await knowledge.find(("acme",), shelf, reading, 24)
        times.append(1000 * (time.perf_counter() - started))
        assert not found.notices, found.notices
    print(f"a query: {times[0]:.0f} ms the first time, then {statistics.median(times[1:]):.1f} ms p50, {max(times[1:]):.1f} ms at most")
    new = next(iter(documents(1)))
    for what, action in (
        ("a new document put", lambda: knowledge.put("acme", replace(new, id="brand-new"))),
        ("a document put in place of another", lambda: knowledge.put("acme", replace(new, title="Another"))),
        ("a document erased", lambda: knowledge.remove("acme", "brand-new")),
        ("a page listed", lambda: knowledge.page("acme", 20)),
    ):
        started = time.perf_counter()
        await action()
        took, started = time.perf_counter() - started, time.perf_counter()
        await knowledge.find(("acme",), shelf, reading, 24)
        print(f"{what}: {took:.2f} s, and the next query {1000 * (time.perf_counter() - started):.0f} ms")


if __name__ == "__main__":
    main()
