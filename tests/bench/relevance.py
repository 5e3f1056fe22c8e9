"""How well guidance is found: nDCG@5, recall@10 and MRR over tests/cases/relevance.jsonl, for dense, lexical and fused retrieval.

Run it with `make relevance`. Documents are ranked by their best passage. nDCG is that of Järvelin and Kekäläinen (2002) with gains 2^g - 1.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import bm25s
import numpy as np

from coach.knowledge.embedders import MiniLM, Vectors
from coach.knowledge.files import load
from coach.knowledge.shelf import Shelf, embed_missing, passage_text, texts
from coach.knowledge.where import data_folder

CASES = Path(__file__).parent.parent / "cases"
Scorer = Callable[[str], Vectors]
Ranked = Sequence[str]


def cases() -> list[tuple[str, str, dict[str, int]]]:
    """(kind, text, relevant) of every case; kind is `write-up` or `query`."""
    writeups = {row["id"]: row["text"] for row in map(json.loads, (CASES / "writeups.jsonl").open(encoding="utf-8"))}
    rows = list(map(json.loads, (CASES / "relevance.jsonl").open(encoding="utf-8")))
    return [("write-up" if row["writeup"] else "query", row["query"] or writeups[row["writeup"]], row["relevant"]) for row in rows]


def ndcg(ranked: Ranked, relevant: dict[str, int], depth: int = 5) -> float:
    """Discounted gain of the first `depth`, as a share of the best that could be had."""
    gains = [2 ** relevant.get(name, 0) - 1 for name in ranked[:depth]]
    best = sorted((2**grade - 1 for grade in relevant.values()), reverse=True)[:depth]
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains)) / sum(gain / math.log2(place + 2) for place, gain in enumerate(best))


def recall(ranked: Ranked, relevant: dict[str, int], depth: int = 10) -> float:
    """The share of the relevant ones (grade 1 or 2) among the first `depth`; at most `depth` can be there."""
    return sum(name in relevant for name in ranked[:depth]) / min(len(relevant), depth)


def reciprocal_rank(ranked: Ranked, relevant: dict[str, int]) -> float:
    """1 / place of the first document with grade 2."""
    return next((1 / place for place, name in enumerate(ranked, 1) if relevant.get(name) == 2), 0.0)


def scorers() -> tuple[dict[str, Scorer], list[str]]:
    """Every way of scoring passages that is compared, and the document of each passage."""
    knowledge = load(data_folder("knowledge"))
    embedder = MiniLM()
    shelf = Shelf.of(knowledge, embedder, embed_missing(texts(knowledge), {}, embedder, lambda _done, _total: None))
    said = embedder.embed([passage_text(passage) for passage in knowledge.passages])
    lexical = bm25s.BM25()
    spelled = [f"{' '.join(document.when)} {passage_text(passage)}" for document in knowledge.documents for passage in document.passages]
    lexical.index(bm25s.tokenize(spelled, stopwords="english", show_progress=False), show_progress=False)

    def bm25(text: str) -> Vectors:
        return lexical.get_scores(bm25s.tokenize(text, stopwords="english", show_progress=False, return_ids=False)[0])

    def ships(text: str) -> Vectors:
        return shelf.passages @ embedder.read(text).whole

    def nearest(text: str) -> Vectors:
        return (shelf.passages @ embedder.read(text).parts.T).max(axis=1)

    def sentences(text: str) -> Vectors:
        spans = [(start, start + len(line)) for start, line in _lines(text)]
        return np.sort(shelf.passages @ embedder.read(text, spans).spans.T, axis=1)[:, -3:].mean(axis=1)

    def fuse(first: Scorer, second: Scorer) -> Scorer:
        return lambda text: sum(1 / (60 + _ranks(scorer(text))) for scorer in (first, second))

    def weigh(first: Scorer, second: Scorer, weight: float) -> Scorer:
        return lambda text: _scaled(first(text)) + weight * _scaled(second(text))

    ways = {
        "dense, passages alone": lambda text: said @ embedder.read(text).whole,
        "dense, passages with what they are for (ships)": ships,
        "the same, nearest window instead of the whole": nearest,
        "the same, half whole and half three nearest sentences": lambda text: ships(text) + sentences(text),
        "BM25": bm25,
        "reciprocal rank fusion": fuse(ships, bm25),
        "dense + 0.2 BM25": weigh(ships, bm25, 0.2),
        "dense + 0.5 BM25": weigh(ships, bm25, 0.5),
    }
    return ways, [passage.document for passage in knowledge.passages]


def _lines(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    for index, char in enumerate(text):
        if char in ".!?\n" and index - start > 25:
            found.append((start, text[start:index]))
            start = index + 1
    return found or [(0, text)]


def _ranks(scores: Vectors) -> Vectors:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def _scaled(scores: Vectors) -> Vectors:
    return (scores - scores.min()) / (np.ptp(scores) or 1)


def ranked(scores: Vectors, documents: Sequence[str]) -> Ranked:
    """Documents by their best passage."""
    return list(dict.fromkeys(documents[row] for row in np.argsort(-scores, kind="stable")))


def main() -> None:
    """Print the table, in Markdown."""
    ways, documents = scorers()
    rows = cases()
    print(f"{len(rows)} cases: {sum(kind == 'write-up' for kind, _, _ in rows)} write-ups, the rest short queries\n")
    print("| retrieval | nDCG@5 | recall@10 | MRR | nDCG@5 write-ups | nDCG@5 queries |\n|---|---|---|---|---|---|")
    for name, scorer in ways.items():
        results = [(kind, ranked(scorer(text), documents), relevant) for kind, text, relevant in rows]
        writeups = [result for result in results if result[0] == "write-up"]
        queries = [result for result in results if result[0] == "query"]
        cells = (mean(ndcg, results), mean(recall, results), mean(reciprocal_rank, results), mean(ndcg, writeups), mean(ndcg, queries))
        print(f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")


def mean(measure: Callable[[Ranked, dict[str, int]], float], results: Sequence[tuple[str, Ranked, dict[str, int]]]) -> float:
    """The mean of a measure over results."""
    return float(np.mean([measure(order, relevant) for _, order, relevant in results]))


if __name__ == "__main__":
    main()
