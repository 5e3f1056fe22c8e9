"""One call of a Chat Completions endpoint: text in, text out piece by piece, and every failure as ModelFailed.

Built on openai's client, which knows the addresses, keys and headers of OpenAI, Azure and all who speak like them. Its own reading of a stream
costs 54 microseconds a piece and leaks half a dozen kinds of errors on bad data (measured: ../shared/FACTS.md), so the bytes are read here.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import openai

from coach.llm.failure import Breaker, ModelFailed, Trouble

MOST_BYTES = 1_000_000  # of one answer, as it comes over the wire
LONGEST_LINE = 200_000
SHORT_WAIT = 2.0  # seconds that are waited before the one retry, if the provider asks for no more
PATIENCE_FOR_END = 0.05  # seconds
MOST_AFTER_DONE = 4  # pieces of a body that were to have ended
LEAST_LEFT = 3.0  # seconds that must be left for a retry to make sense

log = logging.getLogger("coach.llm")


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Billed:
    """Tokens that the provider says it counted."""

    input: int
    output: int
    cached: int


@dataclass(frozen=True)
class Options:
    """What goes with every request, where it is set."""

    model: str
    temperature: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    max_output: int = 1200
    idle: float = 10.0

    def fields(self) -> dict[str, Any]:
        """Only what was set: some models refuse a temperature, some servers an effort."""
        values = {"temperature": self.temperature, "seed": self.seed, "reasoning_effort": self.reasoning_effort}
        return {name: value for name, value in values.items() if value is not None}


@dataclass
class _Line:
    """Where a stream stands."""

    ended: str | None = None
    said: int = 0
    refused: bool = False
    taken: int = 0
    last_word: float = field(default_factory=time.monotonic)


class Provider:
    """A model at some address."""

    def __init__(self, client: openai.AsyncOpenAI, options: Options, breaker: Breaker | None = None) -> None:
        """`client` is made without retries of its own: the one retry is decided here."""
        self._client = client
        self.options = options
        self.breaker = breaker or Breaker()
        self._schema = True  # until the server says that it knows no json_schema

    @property
    def host(self) -> str:
        """Where texts go."""
        return self._client.base_url.host

    async def ask(self, messages: list[dict[str, str]], schema: Mapping[str, Any], deadline: float) -> AsyncGenerator[str | Billed, None]:
        """The answer piece by piece as it comes, and what it cost. `deadline` is a time of `time.monotonic`.

        Errors: ModelFailed, whatever happened; before it, pieces may have come.
        """
        self.breaker.enter()
        answered = False
        try:
            async with aclosing(self._with_one_retry(messages, schema, deadline)) as pieces:
                async for piece in pieces:
                    answered = True
                    yield piece
        except ModelFailed as failure:
            self.breaker.failed(failure)
            log.log(logging.ERROR if failure.trouble.lasting else logging.WARNING, "model failed: %s", failure.trouble)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            (self.breaker.worked if answered else self.breaker.gave_up)()  # who has enough leaves before the end, and that is no failure
            raise
        self.breaker.worked()

    async def _with_one_retry(self, messages: list[dict[str, str]], schema: Mapping[str, Any], deadline: float) -> AsyncGenerator[str | Billed, None]:
        for attempt in (1, 2):
            started = False
            try:
                async with aclosing(self._once(messages, schema, deadline)) as pieces:
                    async for piece in pieces:
                        started = True
                        yield piece
            except ModelFailed as failure:
                if attempt == 2 or started or not self._worth_a_retry(failure, deadline):
                    raise
                await asyncio.sleep(failure.retry_after or random.uniform(0.2, 0.5))  # noqa: S311 (so that many do not come back at once)
            else:
                return

    def _worth_a_retry(self, failure: ModelFailed, deadline: float) -> bool:
        if failure.trouble is Trouble.REJECTED and self._schema and "response_format" in failure.detail:
            self._schema = False  # the same checks are made here whatever form was asked of the server
            return True
        wait = failure.retry_after or 0.0
        return failure.trouble.passing and wait <= SHORT_WAIT and deadline - time.monotonic() > wait + LEAST_LEFT

    async def _once(self, messages: list[dict[str, str]], schema: Mapping[str, Any], deadline: float) -> AsyncGenerator[str | Billed, None]:
        form = (
            {"type": "json_schema", "json_schema": {"name": "questions", "strict": True, "schema": schema}}
            if self._schema
            else {"type": "json_object"}
        )
        request: dict[str, Any] = {
            "model": self.options.model,
            "messages": [],
            "extra_body": {"messages": messages, "response_format": form},  # arguments of their own the client walks through, value by value: 2 ms
            "max_completion_tokens": self.options.max_output,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.options.fields(),
        }
        line = _Line()
        try:
            calling = self._client.chat.completions.with_streaming_response.create(**request)
            async with _until(deadline, line.last_word + self.options.idle):
                response = await calling.__aenter__()
            try:
                streamed = "event-stream" in response.headers.get("content-type", "")
                bites = aiter(response.iter_bytes())
                pieces = self._streamed(bites, line, deadline) if streamed else self._whole(bites, line, deadline)
                async with aclosing(pieces):
                    async for piece in pieces:
                        yield piece
            finally:
                await response.close()
        except ModelFailed:
            raise
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError, TypeError, AttributeError) as error:
            raise _told(error, started=line.said > 0) from None
        _judge_end(line)

    async def _streamed(self, bites: AsyncIterator[bytes], line: _Line, deadline: float) -> AsyncGenerator[str | Billed, None]:
        """Server-Sent Events as Chat Completions sends them."""
        rest = b""
        while (bite := await self._bite(bites, line, deadline)) is not None:
            *lines, rest = (rest + bite).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise ModelFailed(Trouble.TOO_MUCH)
            for raw in lines:
                if not raw.startswith(b"data:"):
                    continue
                data = raw[5:].strip()
                if data == b"[DONE]":
                    await _drain(bites)
                    return
                for piece in _pieces(_CHUNKS.decode(data), line):
                    yield piece
        if rest.startswith(b"data:") and rest[5:].strip() not in {b"", b"[DONE]"}:
            for piece in _pieces(_CHUNKS.decode(rest[5:].strip()), line):
                yield piece

    async def _whole(self, bites: AsyncIterator[bytes], line: _Line, deadline: float) -> AsyncGenerator[str | Billed, None]:
        """A server that does not stream sends one JSON document."""
        body = bytearray()
        while (bite := await self._bite(bites, line, deadline)) is not None:
            body += bite
        for piece in _pieces(_CHUNKS.decode(bytes(body)), line):
            yield piece

    async def _bite(self, bites: AsyncIterator[bytes], line: _Line, deadline: float) -> bytes | None:
        """The next bytes, None at the end. Silence, comments and empty pieces do not count as a word."""
        async with _until(deadline, line.last_word + self.options.idle):
            bite = await anext(bites, None)
        if bite is not None:
            line.taken += len(bite)
            if line.taken > MOST_BYTES:
                raise ModelFailed(Trouble.TOO_MUCH)
        return bite


async def _drain(bites: AsyncIterator[bytes]) -> None:
    """The end of the body, for which nobody waits long: a connection read to its end is used again, and the next answer need not open one."""
    with suppress(TimeoutError, httpx2.HTTPError, httpx2.StreamError):
        async with asyncio.timeout(PATIENCE_FOR_END):
            for _ in range(MOST_AFTER_DONE):
                if await anext(bites, None) is None:
                    return


_CHUNKS = msgspec.json.Decoder(_Chunk)


def _pieces(chunk: _Chunk, line: _Line) -> list[str | Billed]:
    """What one message of the stream brings."""
    if bytes(chunk.error) != b"null":
        raise ModelFailed(Trouble.SERVER if not line.said else Trouble.BROKEN_OFF)
    found: list[str | Billed] = []
    for choice in chunk.choices or ():
        told = choice.delta or choice.message
        if choice.index == 0 and told is not None:
            if told.content:
                line.said += len(told.content)
                line.last_word = time.monotonic()
                found.append(told.content)
            line.refused = line.refused or bool(told.refusal)
        line.ended = choice.finish_reason or line.ended
    if chunk.usage is not None:
        cached = chunk.usage.prompt_tokens_details
        found.append(Billed(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, (cached and cached.cached_tokens) or 0))
    return found


def _judge_end(line: _Line) -> None:
    """Whether the answer ended as an answer does."""
    if line.refused:
        raise ModelFailed(Trouble.REFUSED)
    if line.ended == "content_filter":
        raise ModelFailed(Trouble.FILTERED)
    if line.ended == "length":
        raise ModelFailed(Trouble.CUT_SHORT)
    if not line.said:
        raise ModelFailed(Trouble.EMPTY)
    if line.ended is None:
        raise ModelFailed(Trouble.BROKEN_OFF)


def _until(deadline: float, idle: float) -> "asyncio.Timeout":
    """A bound on one wait. TimeoutError is an OSError: `_told` names it."""
    left = min(deadline, idle) - time.monotonic()
    return asyncio.timeout(max(left, 0.0))


def _told(error: Exception, *, started: bool) -> ModelFailed:
    """What an error of the client or the wire means to us."""
    match error:
        case TimeoutError() | openai.APITimeoutError() | httpx2.TimeoutException():
            return ModelFailed(Trouble.TIMEOUT)
        case openai.APIStatusError():
            return _refused(error)
        case openai.APIConnectionError():
            return ModelFailed(Trouble.UNREACHABLE)
        case httpx2.HTTPError() | httpx2.StreamError() | OSError():
            return ModelFailed(Trouble.BROKEN_OFF if started else Trouble.UNREACHABLE)
        case _:
            return ModelFailed(Trouble.GARBLED, detail=type(error).__name__)


def _refused(error: openai.APIStatusError) -> ModelFailed:
    """A status that is not 200. The body is looked into for its code only: it may repeat what was sent."""
    body = error.body if isinstance(error.body, dict) else {}
    code = str(body.get("code") or body.get("type") or "")
    wait = _seconds(error.response.headers.get("retry-after"))
    status = error.status_code
    if status == 429:
        return ModelFailed(Trouble.QUOTA if "quota" in code else Trouble.RATE_LIMITED, wait)
    if trouble := _BY_STATUS.get(status) or (Trouble.REDIRECTED if status < 400 else Trouble.SERVER if status >= 500 else None):
        return ModelFailed(trouble, wait)
    told = f"{body.get('message', '')} {body.get('param', '')}".lower()
    about_form = any(word in told for word in ("response_format", "json_schema", "structured"))
    return ModelFailed(Trouble.REJECTED, detail="response_format" if about_form else code[:40])


_BY_STATUS = {401: Trouble.KEY, 403: Trouble.KEY, 404: Trouble.NOT_FOUND, 408: Trouble.SERVER}


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; a date or nonsense counts as none."""
    try:
        return max(float(header or ""), 0.0)
    except ValueError:
        return None
