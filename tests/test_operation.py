"""What an operator sees and does: lines of the log, figures, stopping, several processes. Most of it against a real process."""

import ast
import asyncio
import gc
import gzip
import io
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import structlog
from chromadb.api.shared_system_client import SharedSystemClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from coach import logs
from coach.bootstrap import assemble
from coach.cli import workers
from coach.errors import JournalBusy, JournalUnavailable, SettingsError
from coach.knowledge.library import ChromaLibrary
from coach.llm.failure import Trouble
from coach.privacy import Hider
from coach.reflect import Answering
from coach.settings import Settings
from coach.web.about import about
from coach.web.metrics import Metrics
from tests.conftest import modelled, serving
from tests.fakes import TEXT, FakeWriter, draft
from tests.provider import FakeProvider, answering, drafted

ROOT = Path(__file__).parent.parent
SECRET = "Quixwood"
GOOD = drafted(
    "What do you imagine it was like for him?", "What do you notice in yourself when you meet him?", "What would he say he is waiting for?"
)
STREAM = {"accept": "text/event-stream"}


@pytest.fixture
def logged():
    """What is written for what is logged; the process's own logging is put back."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    out = io.StringIO()
    logs.configure("json", out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def raised():
    """An error that was on its way, with a word of somebody's."""
    try:
        int(f"a word of {SECRET}'s")
    except ValueError as error:
        return error


def by_structlog(text):
    structlog.get_logger("coach").info(text, text=text, route=text)


MISTAKES = {
    "the message": lambda log, text: log.info(text),
    "an f-string": lambda log, text: log.info(f"drafts={text}"),  # noqa: G004 (a mistake)
    "an argument": lambda log, text: log.info("purged=%d", text),
    "another argument": lambda log, text: log.info("drafts=%d asked=%d refused=%s", 1, 2, {text: 1}),
    "a code": lambda log, text: log.warning("not kept: %s", text),
    "a cause": lambda log, text: log.warning("not kept: %s", JournalUnavailable(text)),
    "an error's name": lambda log, text: log.error("stream broke off: %s", text),
    "a trouble": lambda log, text: log.error("model failed: %s", text),
    "a message nobody listed": lambda log, text: log.info("text=%s", text),
    "too many arguments": lambda log, text: log.info("draining", text, text),  # noqa: PLE1205 (a mistake)
    "an error as message": lambda log, text: log.error(OSError(5, text)),
    "a traceback": lambda log, text: log.error("stream broke off: %s", "ValueError", exc_info=raised()),
    "a stack": lambda log, text: log.error(text, stack_info=True),
    "extras": lambda log, text: log.info("request", extra={"text": text, "route": f"{text} is here", "method": text, "request_id": text}),
    "a logger's name": lambda log, text: logging.getLogger(f"coach.{text}").info("draining"),
    "uvicorn": lambda log, text: logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=raised()),
    "a library": lambda log, text: logging.getLogger("httpx").warning("HTTP Request: POST %s", text),
    "structlog": lambda log, text: by_structlog(text),
    "a warning": lambda log, text: logging.getLogger("py.warnings").warning(text),
    "nobody caught it": lambda log, text: sys.excepthook(ValueError, raised(), None),
    "in a thread": lambda log, text: threading.excepthook(threading.ExceptHookArgs((ValueError, raised(), None, None))),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_whatever_is_logged_by_mistake_no_word_of_it_is_written(logged, capfd, mistake):
    """One line comes, of allowed keys, and the text is in none of them; not on standard error either."""
    MISTAKES[mistake](logging.getLogger("coach.web"), SECRET)
    (line,) = logged()
    assert line.keys() <= logs.SAFE.keys()
    assert SECRET not in str(line)
    assert SECRET not in "".join(capfd.readouterr())


def test_what_may_be_told_is_told(logged):
    """Counts, codes, names of errors, places in the source; an id that a machine made."""
    log = logging.getLogger("coach.web")
    log.info("drafts=%d asked=%d refused=%s", 5, 3, {"directive": 2})
    log.warning("not kept: %s", JournalBusy())
    for cause in ("SQLITE_IOERR", "53300", "ConnectionRefusedError"):
        log.warning("not kept: %s", JournalUnavailable(cause))
    log.warning("model failed: %s", Trouble.TIMEOUT)
    log.error("unexpected %s request_id=%s", "ValueError", "req_abcdefghijkl")
    log.error("never listed", exc_info=raised())
    log.error(OSError(98, "in use"))
    drafts, code, *causes, trouble, error, unlisted, system = logged()
    assert (drafts["event"], drafts["refused"], drafts["logger"]) == ("drafted", {"directive": 2}, "coach.web")
    assert code["code"] == "journal-busy"
    assert [(one["code"], one["cause"]) for one in causes] == [
        ("journal-unavailable", name) for name in ("SQLITE_IOERR", "53300", "ConnectionRefusedError")
    ]
    assert trouble["trouble"] == "timeout"
    assert error["error"] == "ValueError"
    assert unlisted["event"] == "unlisted"
    assert re.fullmatch(r"tests\.test_operation:\d+", unlisted["at"][-1])
    assert system["errno"] == 98


def test_what_a_text_was_found_to_be_is_not_written(logged):
    """Beside a line with a key's name it would say who was in a crisis."""
    logging.getLogger("coach").info("flag=%s", "crisis")
    assert logged() == []


def test_a_caller_names_a_request_as_he_likes_and_the_log_does_not_repeat_it():
    """A machine's id stands as it is, so that it can be looked for; any other by its hash."""
    for made in ("req_abcdefghijkl", "0" * 32, "123e4567-e89b-12d3-a456-426614174000", "01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        assert logs.logged_id(made) == made
    assert re.fullmatch("id_[0-9a-f]{12}", logs.logged_id(SECRET))
    assert logs.logged_id(SECRET) != logs.logged_id("another")


def test_every_message_that_is_logged_is_listed():
    """Else it would be written as `unlisted`, and nobody would know what it says."""
    for path in (ROOT / "coach").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"log.{level}" for level in ("info", "warning", "error", "critical", "log")}:
                message = node.args[ast.unparse(node.func) == "log.log"]
                known = message.value if isinstance(message, ast.Constant) else getattr(logs, ast.unparse(message))
                assert known in logs.LISTED | dict.fromkeys(logs.UNWRITTEN), f"{path.name}: {known}"


@dataclass
class Process:
    """A service of its own: where it answers, what it has written."""

    url: str
    popen: subprocess.Popen
    errors: Path

    def stop(self, seconds: float = 30) -> int:
        """Told to stop; what it left with."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds)


@contextmanager
def process(coach, folder, *options, **settings):
    """`coach serve` as an operator starts it, with the index that is there."""
    data, errors = folder / "data", folder / "stderr"
    if not data.exists():
        shutil.copytree(coach.settings.data_dir / "index", data / "index")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("COACH_", "OPENAI_"))}
    environ |= {"COACH_DATA_DIR": str(data), "COACH_LOG": "json", "OPENAI_API_KEY": f"sk-{SECRET}", **settings}
    command = [sys.executable, "-m", "coach", "serve", "--port", "0", *options]
    with errors.open("w") as told, subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=told, text=True) as popen:
        try:
            greeting = "".join(iter(lambda: line if "Stop" not in (line := popen.stdout.readline()) else "", ""))
            url = re.search(r"http://[0-9.:]+", greeting)
            assert url, errors.read_text()
            yield Process(url[0], popen, errors)
        finally:
            popen.kill()


def model_at(provider, **more):
    return {"COACH_MODEL": "tiny", "OPENAI_BASE_URL": provider.url, "COACH_MODEL_DEADLINE": "60", "COACH_MODEL_IDLE": "60", **more}


async def _garbage(call):
    await call.head()
    await call.send(f"data: {{not json, {SECRET}\n\n")


def _bodies():
    """Requests with the secret in every place that there is, and how many lines they are to make."""
    text = f"On Tuesday I told {SECRET} that the list was late. He went quiet and I never asked him why."
    whole = {"challenge": text, "role": SECRET, "functions": [SECRET], "mask": [SECRET], "keep": [f"keep{SECRET}"]}
    whole |= {"report_back": {"tried": text, "happened": SECRET, "learned": SECRET}, "store": True}
    yield whole
    yield {"challenge": text, "exchanges": [{"question": f"What of {SECRET}?", "reply": text}]}
    yield {"challenge": SECRET}
    yield {"challenge": text, "count": SECRET}
    yield {"challenge": text, "language": SECRET, SECRET: SECRET}
    yield {"challenge": text, "engine": "llm", "fallback": "never"}
    yield {"challenge": f"I do not want to live any more, and {SECRET} does not know."}


def _plant(url):
    """Send them all; how many requests that were."""
    planted = {"x-request-id": SECRET, "user-agent": SECRET, "authorization": f"Bearer {SECRET}", "cookie": f"a={SECRET}", "x-key": SECRET}
    planted |= {"traceparent": f"00-{SECRET}", "referer": f"https://{SECRET}.example", "x-forwarded-for": SECRET, "accept-language": SECRET}
    sent = 0
    with httpx.Client(base_url=url, timeout=60) as client:
        for body in _bodies():
            for headers in ({}, STREAM, planted):
                client.post("/v1/reflections", json=body, headers=headers)
                sent += 1
        for method, path in (
            ("GET", f"/{SECRET}"),
            ("GET", f"/v1/about?text={SECRET}"),
            ("GET", f"/v1/reflections/{SECRET}"),
            ("GET", f"/pages/{SECRET}"),
            ("DELETE", f"/v1/reflections/{SECRET}?q={SECRET}"),
            ("PROPFIND", "/v1/about"),
            ("POST", f"/v1/reflections/{SECRET}/replies"),
        ):
            client.request(method, path, headers=planted)
            sent += 1
        client.request(SECRET, "/v1/about")  # no method that the server knows: that is no request
        client.post("/v1/reflections", content=f'{{"challenge": "{SECRET}', headers={"content-type": "application/json"})
        client.post("/v1/reflections", content=SECRET * 30_000, headers={"content-type": "application/json"})
        client.post("/v1/checks", json={"texts": [f"Have you told {SECRET}?"]}, headers=planted)
        with client.stream("POST", "/v1/reflections", json=next(_bodies()), headers=STREAM) as leaving:
            next(leaving.iter_bytes())
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as raw:
        raw.sendall(f"{SECRET}\r\n\x00{SECRET}\r\n\r\n".encode())
        raw.settimeout(5)
        with suppress(OSError):
            raw.recv(1000)
    return sent + 4


@pytest.mark.parametrize("how", ["json", "text", "off"])
def test_secrets_in_every_field_header_and_path_are_not_in_the_log(coach, tmp_path, how):
    """Over a real process, all of its standard error: a line for each request, and no word of anybody's."""
    with (
        FakeProvider(answering(drafted(f"What was it like for {SECRET}?")), _garbage) as provider,
        process(coach, tmp_path, **model_at(provider, COACH_LOG=how, COACH_MODEL_DEADLINE="3")) as service,
    ):
        sent = _plant(service.url)
        figures = httpx.get(f"{service.url}/metrics").raise_for_status().text
        assert service.stop() == 0
        written = service.errors.read_text()
    assert SECRET.lower() not in written.lower()
    assert SECRET.lower() not in figures.lower()
    if how == "json":
        lines = [json.loads(line) for line in written.splitlines()]
        assert all(line.keys() <= logs.SAFE.keys() for line in lines)
        requests = [line for line in lines if line["event"] == "request"]
        assert len(requests) == sent + 1
        assert {"method", "route", "status", "milliseconds", "request_id"} <= requests[0].keys()
        assert {line["route"] for line in requests} >= {"/v1/reflections", "/v1/reflections/{identifier}", "unmatched", "/metrics"}
        assert "OTHER" in {line["method"] for line in requests}
        assert "drafted" in {line["event"] for line in lines}
        assert "not HTTP" in {line["event"] for line in lines}
        assert "unlisted" not in {line["event"] for line in lines}
    assert bool(written) == (how != "off")


def figures(url):
    """What /metrics says, by name and labels."""
    text = httpx.get(f"{url}/metrics").raise_for_status().text
    return {name: float(value) for name, value in re.findall(r"^(coach_\S+?(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)}


def asked(url, **more):
    return httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT, **more}, timeout=30)


def test_figures_tell_how_answers_went(coach):
    """Complete, signpost, refused; requests by route and status class; how long the first question took."""
    with serving(coach) as url:
        asked(url).raise_for_status()
        httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT}, headers=STREAM, timeout=30)
        asked(url, challenge="I do not want to live any more and nobody knows.").raise_for_status()
        assert asked(url, count="many").status_code == 400
        found = figures(url)
    assert found['coach_answers_total{outcome="complete"}'] == 2
    assert found['coach_answers_total{outcome="signpost"}'] == 1
    assert found['coach_http_requests_total{route="/v1/reflections",status="2xx"}'] == 3
    assert found['coach_http_requests_total{route="/v1/reflections",status="4xx"}'] == 1
    assert found['coach_first_question_seconds_count{engine="bank"}'] == 2
    assert found['coach_answer_seconds_count{engine="bank"}'] == 3
    assert found["coach_answers_open"] == 0


def test_figures_tell_what_a_model_did_and_what_was_refused(coach):
    """Refusals by rule, errors by kind, fallback notices by code; where no fallback was wanted the answer failed."""

    async def error(call):
        await call.error("500 Internal Server Error", "server_error")

    with FakeProvider(answering(drafted("You should call him today.")), error) as provider, serving(modelled(coach, provider.url)) as url:
        asked(url).raise_for_status()
        asked(url).raise_for_status()
        assert asked(url, fallback="never").status_code == 502
        found = figures(url)
    assert found['coach_drafts_refused_total{rule="directive"}'] >= 1
    assert found['coach_provider_errors_total{kind="server-error"}'] >= 2
    assert found['coach_notices_total{code="model-unavailable"}'] >= 1
    assert found['coach_answers_total{outcome="failed"}'] == 1
    assert found['coach_answers_total{outcome="complete"}'] == 2


def test_an_answer_with_fewer_questions_is_partial_and_one_that_nobody_waited_for_is_left(coach):
    """Each ends up in one place, and none is under way any more."""
    few = FakeWriter([draft("You must do it.", guidance=())])
    with serving(replace(coach, needs=replace(coach.needs, bank=Answering(few, "A program.")))) as url:
        asked(url).raise_for_status()
        found = figures(url)
    assert found['coach_answers_total{outcome="partial"}'] == 1
    assert found['coach_drafts_refused_total{rule="directive"}'] == 1
    with FakeProvider(answering(GOOD, pieces=5, delay=0.2)) as provider, serving(modelled(coach, provider.url)) as url:
        with httpx.stream("POST", f"{url}/v1/reflections", json={"challenge": TEXT}, headers=STREAM, timeout=30) as leaving:
            coming = leaving.iter_bytes()
            next(coming)
            assert figures(url)["coach_answers_open"] == 1
        until(lambda: figures(url)["coach_answers_open"] == 0)
        assert figures(url)['coach_answers_total{outcome="left"}'] == 1


def until(true, seconds=10):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_each_application_counts_for_itself(coach):
    """No figure is shared, though both are in one process."""
    with serving(coach) as one, serving(coach) as other:
        httpx.get(f"{one}/v1/about").raise_for_status()
        assert 'coach_http_requests_total{route="/v1/about",status="2xx"}' in figures(one)
        assert 'coach_http_requests_total{route="/v1/about",status="2xx"}' not in figures(other)


def test_purges_are_counted():
    """Those that erased and those that could not."""
    metrics = Metrics()
    metrics.purge(3)
    metrics.purge(None)
    text = metrics.text().decode()
    for line in ('coach_purges_total{outcome="ok"} 1.0', 'coach_purges_total{outcome="failed"} 1.0', "coach_purged_total 3.0"):
        assert line in text


@pytest.mark.parametrize(
    ("setting", "headers", "status"),
    [
        ("on", {}, 200),
        ("off", {}, 404),
        ("on", {"x-forwarded-for": "203.0.113.9"}, 404),
        ("on", {"via": "1.1 proxy"}, 404),
        ("any", {"x-forwarded-for": "203.0.113.9"}, 200),
    ],
)
def test_figures_are_for_this_machine_unless_the_operator_says_otherwise(coach, setting, headers, status):
    """What a proxy on this machine passes on does not come from this machine."""
    with serving(replace(coach, settings=replace(coach.settings, metrics=setting))) as url:
        assert httpx.get(f"{url}/metrics", headers=headers).status_code == status


def events(lines):
    """Names and data of the events in a stream, as they come."""
    name = ""
    for line in lines:
        name = line.removeprefix("event: ") if line.startswith("event: ") else name
        if line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def silent(call):
    """It is there, and says nothing."""
    await call.head()
    await asyncio.sleep(60)


async def stuck(call):
    """One whole question, and then nothing more."""
    await call.head()
    await call.delta(GOOD[: GOOD.index("}") + 2])
    await asyncio.sleep(60)


def test_what_is_under_way_when_the_service_is_stopped_comes_to_its_end(coach, tmp_path):
    """Nobody new is let in; the open stream closes as it would have; the process leaves with 0."""
    with (
        FakeProvider(answering(GOOD, pieces=20, delay=0.08)) as provider,
        process(coach, tmp_path, **model_at(provider)) as service,
        httpx.stream("POST", f"{service.url}/v1/reflections", json={"challenge": TEXT}, headers=STREAM, timeout=60) as answer,
    ):
        coming = events(answer.iter_lines())
        assert next(name for name, _ in coming if name == "asked")
        service.popen.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/health/live")
        assert service.popen.poll() is None
        rest = list(coming)
        assert [name for name, _ in rest if name == "asked"] == ["asked", "asked"]
        assert rest[-1][0] == "closed"
        assert rest[-1][1]["outcome"] == "complete"
        assert service.popen.wait(10) == 0


def test_what_is_not_done_in_time_says_that_the_service_was_stopped(coach, tmp_path):
    """The stream ends with `closed` and `shutting_down`; a whole answer has what there was, or is a 503 if nothing; the process leaves with 0."""

    def whole():
        answers.append(httpx.post(f"{service.url}/v1/reflections", json={"challenge": TEXT}, timeout=60))

    answers = []
    with (
        FakeProvider(stuck, stuck, silent) as provider,
        process(coach, tmp_path, **model_at(provider, COACH_SHUTDOWN="1")) as service,
        httpx.stream("POST", f"{service.url}/v1/reflections", json={"challenge": TEXT}, headers=STREAM, timeout=60) as answer,
    ):
        coming = events(answer.iter_lines())
        assert next(name for name, _ in coming if name == "asked")
        aside = [threading.Thread(target=whole) for _ in range(2)]
        for place, one in enumerate(aside, 2):
            one.start()
            until(lambda place=place: len(provider.calls) == place)
        time.sleep(1)
        began = time.monotonic()
        service.popen.send_signal(signal.SIGTERM)
        rest = list(coming)
        assert service.popen.wait(10) == 0
        assert time.monotonic() - began < 4
        for one in aside:
            one.join()
    assert [name for name, _ in rest] == ["notice", "closed"]
    assert rest[0][1]["code"] == "shutting-down"
    assert rest[1][1]["outcome"] == "shutting_down"
    assert rest[1][1]["privacy"] | {"masked": {}} == {"left_process": True, "to": "127.0.0.1", "masked": {}, "stored": False, "retention": None}
    some, none = sorted(answers, key=lambda one: one.status_code)
    assert len(some.json()["questions"]) == 1
    assert "shutting-down" in {notice["code"] for notice in some.json()["notices"]}
    assert (none.status_code, none.json()["code"]) == (503, "shutting-down")
    assert "retry-after" in none.headers


def test_while_the_service_is_being_stopped_it_is_not_ready(coach):
    """503 to who asks whether it is, and to who wants an answer; alive it is."""
    one = serving(coach)
    with one as url:
        one._server.config.app.state.door.draining = True
        for refused in (httpx.get(f"{url}/health/ready"), asked(url)):
            assert (refused.status_code, refused.json()["code"]) == (503, "shutting-down")
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert [httpx.head(f"{url}/health/{one}").status_code for one in ("ready", "live")] == [503, 200]


@pytest.mark.timeout(180)
def test_several_processes_answer_at_one_address(coach, tmp_path):
    """Each reads a copy of the index of its own; figures are of all; one that dies is replaced; stopped, all end and nothing of theirs is left."""
    index = tmp_path / "data" / "index"
    with process(coach, tmp_path, "--workers", "2") as service:
        before = {path: path.read_bytes() for path in index.rglob("*") if path.is_file()}
        for _ in range(12):
            with httpx.Client(base_url=service.url, timeout=60) as client:
                answer = client.post("/v1/reflections", json={"challenge": TEXT}).raise_for_status().json()
                assert len(answer["questions"]) == 3
                assert "store-unavailable" not in {notice["code"] for notice in answer["notices"]}
        found = figures(service.url)
        assert found['coach_answers_total{outcome="complete"}'] == 12
        assert found["coach_answers_open"] == 0
        copies = {path.name.split("-")[1] for path in (tmp_path / "data").glob("serving-*/chroma-*")}
        assert len(copies) == 2
        assert {path: path.read_bytes() for path in index.rglob("*") if path.is_file()} == before
        os.kill(int(copies.pop()), signal.SIGKILL)
        until(lambda: '"worker died"' in service.errors.read_text(), 30)
        assert asked(service.url).status_code == 200
        assert service.stop() == 0
    lines = [json.loads(line) for line in service.errors.read_text().splitlines()]
    assert [line["event"] for line in lines].count("request") >= 13
    assert not list((tmp_path / "data").glob("serving-*"))


@pytest.mark.timeout(180)
def test_each_of_several_processes_finds_what_was_put_and_nothing_is_left_of_what_was_erased(coach, tmp_path):
    """Each reads copies of an organisation's own guidance, since whoever opens a Chroma folder writes into it; the copies go with the original."""
    body = json.loads((ROOT / "coach" / "web" / "example_document.json").read_text(encoding="utf-8"))
    phrase = body["sections"][0]["text"].split(". ")[0].encode()
    data = tmp_path / "data"

    def asked_of_all(service):
        for _ in range(12):
            found = httpx.get(f"{service.url}/v1/guidance", params={"q": body["title"], "knowledge": "acme"}, timeout=30).raise_for_status().json()
            assert found["notices"] == []
            yield found["data"][0]["id"]

    with process(coach, tmp_path, "--workers", "2") as service:
        assert httpx.put(f"{service.url}/v1/knowledge/acme/documents/coming-back", json=body, timeout=60).status_code == 201
        builds = {path: path.read_bytes() for path in (data / "index" / "own").rglob("build-*/**/*") if path.is_file()}
        assert set(asked_of_all(service)) == {"acme/coming-back"}
        assert len(list(data.glob("serving-*/own/acme/chroma-*"))) == 2
        assert {path: path.read_bytes() for path in builds} == builds
        assert any(phrase in path.read_bytes() for path in data.rglob("*") if path.is_file())
        assert httpx.delete(f"{service.url}/v1/knowledge/acme/documents/coming-back", timeout=60).status_code == 200
        assert not any(phrase in path.read_bytes() for path in data.rglob("*") if path.is_file())
        assert "acme/coming-back" not in set(asked_of_all(service))
        assert service.stop() == 0


def test_stopped_with_several_processes_an_open_stream_comes_to_its_end(coach, tmp_path):
    """And nobody new is taken in, not even into the queue of the port."""
    with (
        FakeProvider(answering(GOOD, pieces=20, delay=0.12)) as provider,
        process(coach, tmp_path, **model_at(provider, COACH_WORKERS="2")) as service,
        httpx.stream("POST", f"{service.url}/v1/reflections", json={"challenge": TEXT}, headers=STREAM, timeout=60) as answer,
    ):
        coming = events(answer.iter_lines())
        assert next(name for name, _ in coming if name == "asked")
        service.popen.send_signal(signal.SIGTERM)
        time.sleep(1.2)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/health/live", timeout=5)
        rest = list(coming)
        assert rest[-1][0] == "closed"
        assert rest[-1][1]["outcome"] == "complete"
        assert service.popen.wait(15) == 0


class Collector:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self):
        self.bodies = []
        collector = self

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self):
                collector.bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_details):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def spans(self):
        """Each span with its attributes, by name."""
        found = []
        for path, body in self.bodies:
            assert path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found


def told(span):
    """The attributes of a span."""
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def traced(coach, collector):
    return serving(replace(coach, settings=replace(coach.settings, traces=collector.url)))


def test_spans_tell_what_took_how_long_and_nothing_of_what_was_written(coach):
    """A request within the caller's trace; in it the weighing, the finding, the drafting, each judgement, and the call of the model."""
    trace_id, text = (
        "4bf92f3577b34da6a3ce929d0e0e4736",
        f"On Tuesday I told {SECRET} that the list was late. He went quiet and I never asked him why.",
    )
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "tracestate": f"a={SECRET}", "x-request-id": SECRET, "user-agent": SECRET}
    with Collector() as collector, FakeProvider(answering(GOOD)) as provider:
        with traced(modelled(coach, provider.url), collector) as url:
            for accept in ("application/json", "text/event-stream"):
                body = {"challenge": text, "mask": [SECRET]}
                httpx.post(f"{url}/v1/reflections?q={SECRET}", json=body, headers={**headers, "accept": accept}, timeout=30).raise_for_status()
            httpx.get(f"{url}/{SECRET}")
        spans = collector.spans()
        assert SECRET.encode() not in b"".join(span.SerializeToString() for span in spans)
    requests = [span for span in spans if span.name == "POST /v1/reflections"]
    assert len(requests) == 2
    for request in requests:
        assert request.trace_id.hex() == trace_id
        assert request.parent_span_id.hex() == "00f067aa0ba902b7"
        assert told(request)["http.response.status_code"] == 200
        within = {span.name: span for span in spans if span.parent_span_id == request.span_id}
        assert within.keys() == {"weigh", "retrieve", "draft", "chat tiny"}
        judged = [span for span in spans if span.parent_span_id == within["draft"].span_id]
        assert {span.name for span in judged} == {"judge"}
        assert len(judged) >= 3
        call = told(within["chat tiny"])
        assert (call["gen_ai.request.model"], call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == ("tiny", 1900, 300)
    assert "GET" in {span.name for span in spans}


def test_a_span_of_what_failed_names_the_kind_of_error_and_not_its_words(coach, monkeypatch):
    """A message could hold anything."""

    async def error(call):
        await call.error("401 Unauthorized", "invalid_api_key")

    async def fail(*_args):
        raise RuntimeError(SECRET)

    with Collector() as collector, FakeProvider(error) as provider:
        with traced(modelled(coach, provider.url), collector) as url:
            asked(url).raise_for_status()
            monkeypatch.setattr(type(coach.library), "find", fail)
            assert asked(url).status_code == 500
        spans = collector.spans()
        assert SECRET.encode() not in b"".join(body for _, body in collector.bodies)
    kinds = {span.name: told(span)["error.type"] for span in spans if "error.type" in told(span)}
    assert kinds["chat tiny"] == "key-refused"
    assert kinds["retrieve"] == "RuntimeError"
    assert kinds["POST /v1/reflections"] == "500"


def test_who_wants_no_traces_does_not_pay_for_them():
    """What sends them is not even imported."""
    code = "import sys, coach.cli.serving; print('opentelemetry.exporter.otlp.proto.http' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.fixture
def chroma(tmp_path):
    """A real Chroma server; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "chroma"), "run", "--path", str(tmp_path / "served"), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        until(lambda: there(port), 60)
        yield f"http://127.0.0.1:{port}", server
        server.kill()
    SharedSystemClient.clear_system_cache()
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # Chroma's client never closes its connections
        gc.collect()


def there(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


async def test_passages_may_be_in_a_chroma_server(coach, chroma):
    """Whoever comes first puts them there; what is found is what is found within the process; without the server it goes on in memory."""
    address, server = chroma
    inside = await coach.library.find(TEXT, 6)
    for _ in range(2):
        made = assemble(replace(coach.settings, chroma=address), lambda _done, _total: None)
        outside = await made.library.find(TEXT, 6)
        assert outside.notices == ()
        assert [found.passage.id for found in outside.passages] == [found.passage.id for found in inside.passages]
    assert (await made.health())["store"] == "ok"
    server.kill()
    server.wait()
    alone = await made.library.find(TEXT, 6)
    assert [notice.code for notice in alone.notices] == ["store-unavailable"]
    assert [found.passage.id for found in alone.passages] == [found.passage.id for found in inside.passages]


async def test_numbers_that_go_to_another_machine_are_made_of_the_masked_text_and_told_of(coach, chroma):
    """As much as a text can be guessed from its vector: no name goes, `privacy` says where it went, and it is not asked before a text was judged."""
    address, _ = chroma
    text, hide = f"{TEXT} Zebedee Quixwood wrote to zeb@quixwood.example about it.", Hider()
    near = assemble(replace(coach.settings, chroma=address), lambda _done, _total: None).library
    far = ChromaLibrary(near.shelves, near._store, elsewhere="store.example")
    assert (near.stays, near.hosts) == (True, ())
    assert (far.stays, far.hosts) == (False, ("store.example",))
    found, bare, masked = [await library.find(one, 6, hide) for library, one in ((far, text), (near, text), (near, hide(text).text))]
    assert [(one.passage.id, one.score) for one in found.passages] == [(one.passage.id, one.score) for one in masked.passages]
    assert [one.score for one in found.passages] != [one.score for one in bare.passages]
    assert [notice.code for notice in found.notices] == ["numbers-left"]
    assert bare.sent is None
    assert (found.sent.to, set(found.sent.masked)) == ("store.example", {"person", "email"})


def test_a_store_on_another_machine_is_told_of_before_anybody_writes(coach):
    """In what is said first, and in what /about lists; one on this machine is nobody else's."""
    for address, hosts in (("http://store.example:8000", ["store.example"]), ("http://127.0.0.1:8000", [])):
        made = assemble(replace(coach.settings, chroma=address), lambda _done, _total: None)
        assert about(made).sent_to == hosts
        assert ("numbers made from your words" in made.needs.bank.disclosure) == bool(hosts)


def test_a_service_whose_processes_cannot_start_ends():
    """None is started again and again."""
    code = (
        "import uvicorn; from coach.cli.workers import _Supervisor; config = uvicorn.Config('no_such_module:app', workers=2, port=0); "
        "one = _Supervisor(config, [config.bind_socket()], print); one.run(); print(one.failed)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


def test_several_processes_need_a_folder_and_clear_away_what_a_killed_service_left(tmp_path):
    """What belongs to one that runs is let be."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process_id in (dead.pid, os.getppid()):
        (tmp_path / f"serving-{process_id}").mkdir()
    mine = workers._folder(Settings(data_dir=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, f"serving-{os.getppid()}"}
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="can be written"):
        workers._folder(Settings(data_dir=tmp_path / "file"))


def test_settings_of_operation_are_checked():
    """A number that means nothing is said at the start."""
    assert Settings.from_env({"COACH_LOG": "json", "COACH_SHUTDOWN": "0.5", "COACH_WORKERS": "3"}).shutdown == 0.5
    for wrong in (
        {"COACH_LOG": "loud"},
        {"COACH_SHUTDOWN": "-1"},
        {"COACH_WORKERS": "0"},
        {"COACH_METRICS": "all"},
        {"COACH_TRACES": "here"},
        {"COACH_CHROMA": "http://a:b@c"},
    ):
        with pytest.raises(SettingsError):
            Settings.from_env(wrong)
