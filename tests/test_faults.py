"""Whatever a provider does, on a real socket: a whole answer, in time, and a word about what happened. Never a raw error."""

import asyncio
import json
import socket
import time

import httpx
import pytest

from tests.conftest import modelled, serving
from tests.fakes import TEXT
from tests.provider import FakeProvider, answering, drafted

DEADLINE, IDLE, GRACE = 1.5, 0.6, 0.5

GOOD = drafted(
    "What do you imagine it was like for him?", "What do you notice in yourself when you meet him?", "What would he say he is waiting for?"
)


def status(line, code="", **headers):
    async def behave(call):
        await call.error(line, code, **headers)

    return behave


def raw(*parts, kind="text/event-stream", line="200 OK"):
    async def behave(call):
        await call.head(line, kind)
        await call.send(*parts)

    return behave


def streamed(*deltas, reason="stop", done=True):
    async def behave(call):
        await call.head()
        for delta in deltas:
            await call.delta(delta)
        await call.finish(reason, done=done)

    return behave


async def hang(call):
    await asyncio.sleep(60)


async def byte_drip(call):
    await call.head("200 OK", "application/json")
    for letter in json.dumps({"choices": [{"index": 0, "message": {"content": GOOD}, "finish_reason": "stop"}]}):
        await call.send(letter)
        await asyncio.sleep(0.1)


async def comment_drip(call):
    await call.head()
    while True:
        await call.send(": still thinking\n\n")
        await asyncio.sleep(0.05)


async def sixty_megabytes(call):
    await call.head()
    for _ in range(60):
        await call.delta("a" * 1_000_000)
    await call.finish()


async def cut_body(call):
    await call.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n")
    await call.delta(GOOD[:120])


async def refusal(call):
    await call.head()
    await call.send(f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'refusal': 'I cannot.'}}]})}\n\n")
    await call.finish()


FAULTS = {
    "429 with a long wait": status("429 Too Many Requests", "rate_limit_exceeded", retry_after="600"),
    "429 without a wait": status("429 Too Many Requests", "rate_limit_exceeded"),
    "no quota": status("429 Too Many Requests", "insufficient_quota"),
    "401": status("401 Unauthorized", "invalid_api_key"),
    "403": status("403 Forbidden"),
    "404 model": status("404 Not Found", "model_not_found"),
    "400": status("400 Bad Request", "invalid_request_error"),
    "500 HTML": raw("<html>Internal Server Error</html>", kind="text/html", line="500 Internal Server Error"),
    "503": status("503 Service Unavailable"),
    "hang": hang,
    "byte-drip JSON": byte_drip,
    "comment-drip SSE": comment_drip,
    "cut body": cut_body,
    "truncated JSON": raw('{"choices": [{"mess', kind="application/json"),
    "invalid UTF-8": raw(b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n'),
    "200 HTML": raw("<html>Log in</html>", kind="text/html"),
    "choices null": raw('data: {"choices": null}\n\ndata: [DONE]\n\n'),
    "choices empty": raw('data: {"choices": []}\n\ndata: [DONE]\n\n'),
    "whole, choices null": raw('{"choices": null}', kind="application/json"),
    "not an object": raw("data: [1, 2]\n\n"),
    "refusal": refusal,
    "finish length": streamed(GOOD[:200], reason="length"),
    "content filter": streamed(GOOD[:60], reason="content_filter"),
    "wrong schema": streamed(json.dumps({"answer": [1, 2, 3]})),
    "wrong types": streamed(json.dumps({"acknowledgement": 7, "drafts": {"text": ["What?"]}})),
    "not JSON": streamed("I would be glad to help. Have you tried talking to him?"),
    "stream without [DONE] or finish": raw('data: {"choices": [{"index": 0, "delta": {"content": "{"}}]}\n\n'),
    "stream error object": raw('data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'),
    "stream bad JSON": raw('data: {"choices": [{"index": 0, "delta"\n\n'),
    "60 MB": sixty_megabytes,
    "nothing at all": raw(""),
    "no HTTP": lambda call: call.send("220 smtp.example ready\r\n"),
    "very deep": streamed("[" * 50_000),
    "surrogate halves": streamed('{"acknowledgement": "\\ud800", "drafts": [{"text": "\\udfff?"}]}'),
}  # fmt: skip


def whole(url: str, **body: object) -> tuple[httpx.Response, float]:
    """One request, and how long it took."""
    started = time.monotonic()
    answer = httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT, **body}, timeout=20)
    return answer, time.monotonic() - started


def checked(answer: dict, taken: float) -> None:
    """A whole answer from the library, in time, that says why."""
    assert len(answer["questions"]) == 3
    assert {question["source"] for question in answer["questions"]} == {"bank"}
    assert answer["acknowledgement"]
    assert {notice["code"] for notice in answer["notices"]} & {"model-unavailable", "filled-from-library"}
    assert taken < DEADLINE + GRACE


@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_that_fails_costs_nobody_the_answer(coach, fault):
    """200 with questions of the library, within the deadline and half a second."""
    with FakeProvider(FAULTS[fault]) as provider, serving(modelled(coach, provider.url, model_deadline=DEADLINE, model_idle=IDLE)) as url:
        answer, taken = whole(url)
        assert answer.status_code == 200
        checked(answer.json(), taken)
        assert len(provider.calls) <= 2


@pytest.mark.parametrize("fault", FAULTS)
def test_as_a_stream_it_is_no_other(coach, fault):
    """The same events come, and the last is `closed`."""
    with FakeProvider(FAULTS[fault]) as provider, serving(modelled(coach, provider.url, model_deadline=DEADLINE, model_idle=IDLE)) as url:
        started = time.monotonic()
        body = httpx.post(f"{url}/v1/reflections", json={"challenge": TEXT}, headers={"accept": "text/event-stream"}, timeout=20).text
        names = [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event: ")]
        assert names[0] == "opened"
        assert names[-1] == "closed"
        assert names.count("asked") == 3
        assert time.monotonic() - started < DEADLINE + GRACE


@pytest.mark.parametrize("address", ["http://127.0.0.1:{closed}/v1", "http://no-such-host.invalid/v1", "https://127.0.0.1:{plain}/v1"])
def test_nobody_there(coach, address):
    """A closed port, a name that nobody knows, TLS where there is none."""
    with socket.socket() as unused, FakeProvider(answering(GOOD)) as provider:
        unused.bind(("127.0.0.1", 0))
        where = address.format(closed=unused.getsockname()[1], plain=provider.port)
        with serving(modelled(coach, where, model_deadline=DEADLINE, model_idle=IDLE)) as url:
            answer, taken = whole(url)
            checked(answer.json(), taken)


def test_a_redirect_to_another_host_is_not_followed(coach):
    """The key would go along."""
    with FakeProvider(answering(GOOD)) as other, FakeProvider(status("307 Temporary Redirect", location=f"{other.url}/chat/completions")) as provider:
        with serving(modelled(coach, provider.url, model_deadline=DEADLINE)) as url:
            answer, taken = whole(url)
            checked(answer.json(), taken)
        assert other.calls == []


def test_a_short_wait_is_kept_and_then_the_model_answers(coach):
    """429 with Retry-After: 1 is tried once more, after a second."""
    with FakeProvider(status("429 Too Many Requests", retry_after="1"), answering(GOOD)) as provider:
        with serving(modelled(coach, provider.url, model_deadline=8.0)) as url:
            answer, taken = whole(url)
            assert {question["source"] for question in answer.json()["questions"]} == {"llm"}
            assert 1.0 <= taken < 3.0
        assert len(provider.calls) == 2


@pytest.mark.parametrize(("fault", "code", "expected"), [("503", 502, "model-unavailable"), ("hang", 504, "model-timeout")])
def test_who_wants_no_fallback_is_told(coach, fault, code, expected):
    """502 or 504 as a problem document; as a stream, the event `failed`."""
    with FakeProvider(FAULTS[fault]) as provider, serving(modelled(coach, provider.url, model_deadline=DEADLINE, model_idle=IDLE)) as url:
        answer, _ = whole(url, fallback="never")
        assert answer.status_code == code
        assert answer.json()["code"] == expected
        body = {"challenge": TEXT, "fallback": "never"}
        stream = httpx.post(f"{url}/v1/reflections", json=body, headers={"accept": "text/event-stream"}, timeout=20).text
        assert "event: failed" in stream
        assert expected in stream or "resting" in stream


def test_a_server_without_json_schema_is_asked_for_an_object(coach):
    """And remembered: the next request asks for that at once."""

    async def no_schema(call):
        await call.head("400 Bad Request", "application/json")
        await call.send(json.dumps({"error": {"message": "response_format json_schema is not supported", "type": "invalid_request_error"}}))

    with FakeProvider(no_schema, answering(GOOD)) as provider, serving(modelled(coach, provider.url)) as url:
        for _ in range(2):
            answer, _ = whole(url)
            assert {question["source"] for question in answer.json()["questions"]} == {"llm"}
        assert [call["response_format"]["type"] for call in provider.calls] == ["json_schema", "json_object", "json_object"]


def test_a_server_that_does_not_stream_is_read_all_the_same(coach):
    """One JSON document."""
    document = json.dumps({"choices": [{"index": 0, "message": {"content": GOOD}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5}})
    with FakeProvider(raw(document, kind="application/json")) as provider, serving(modelled(coach, provider.url)) as url:
        answer, _ = whole(url)
        assert {question["source"] for question in answer.json()["questions"]} == {"llm"}
        assert answer.json()["usage"]["tokens_input"] == 5


def test_a_provider_that_keeps_failing_is_left_alone_and_health_says_so(coach):
    """After three failures in a row it is not asked for a while; an empty purse shows at once."""
    with FakeProvider(FAULTS["stream error object"]) as provider, serving(modelled(coach, provider.url)) as url:
        for _ in range(5):
            checked(*[part.json() if isinstance(part, httpx.Response) else part for part in whole(url)])
        assert len(provider.calls) == 6  # three requests, each tried twice
        assert "server-error" in httpx.get(f"{url}/health/ready").json()["parts"]["model"]
    with FakeProvider(FAULTS["no quota"]) as provider, serving(modelled(coach, provider.url, model_deadline=DEADLINE)) as url:
        for _ in range(3):
            whole(url)
        assert len(provider.calls) == 1
        assert "quota-exhausted" in httpx.get(f"{url}/health/ready").json()["parts"]["model"]


def test_an_answer_that_was_enough_closes_the_breaker_though_the_stream_goes_on(coach):
    """Nobody waits for the end of a stream that has brought what was wanted; the provider has worked all the same."""

    async def endless(call):
        await call.head()
        await call.delta(GOOD)
        await asyncio.sleep(30)

    provider_fails = FAULTS["stream error object"]
    with FakeProvider(provider_fails, provider_fails, endless) as provider:
        made = modelled(coach, provider.url)
        with serving(made) as url:
            whole(url)
            assert made.llm.provider.breaker.trouble
            answer, taken = whole(url)
        assert {question["source"] for question in answer.json()["questions"]} == {"llm"}
        assert taken < 3
        assert made.llm.provider.breaker.trouble is None


@pytest.mark.parametrize("streaming", [True, False])
def test_who_hangs_up_ends_the_call_upstream(coach, streaming):
    """Within 0.3 seconds, for streams and for plain requests."""
    with FakeProvider(answering(GOOD, pieces=10, delay=0.2)) as provider, serving(modelled(coach, provider.url)) as url:
        headers = {"accept": "text/event-stream"} if streaming else {}
        with (
            httpx.Client(timeout=20) as client,
            client.stream("POST", f"{url}/v1/reflections", json={"challenge": TEXT}, headers=headers) if streaming else _early(client, url),
        ):
            while not provider.calls:
                time.sleep(0.01)
            time.sleep(0.3)
            gone = time.monotonic()
        for _ in range(100):
            if provider.left:
                break
            time.sleep(0.01)
        assert provider.left
        assert provider.left[0] - gone < 0.3


class _early:  # noqa: N801 (it is used like a function)
    """A plain request whose connection is closed before the answer."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps({"challenge": TEXT})
        self._socket = socket.create_connection((host, int(port)))
        self._socket.sendall(
            f"POST /v1/reflections HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_details: object) -> None:
        self._socket.close()
