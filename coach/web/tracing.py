"""Spans of a request and of what is done for it, by OpenTelemetry's conventions. Imported only where a setting asks for it; no span holds content.

What is traced stands behind a port or an adapter, and is put in place of it: nothing within knows of spans.
"""

import copy
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from litestar.types import Scope
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from coach import __version__
from coach.bootstrap import Coach
from coach.llm.failure import ModelFailed
from coach.llm.provider import Billed, Provider
from coach.logs import METHODS, logged_id
from coach.model import Challenge, Draft, Finding
from coach.ports import Library, Writer, Written
from coach.privacy import Hider
from coach.reflect import Answering
from coach.safety import Judgement, Safety
from coach.web.requests import request_id

PATIENCE = 2.0  # seconds for a collector that does not answer; the service does not wait longer when it is stopped


class Tracing:
    """Sends spans to an OTLP endpoint."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is an address; without a path it is that of a collector, to which /v1/traces is added."""
        whole = endpoint if urlsplit(endpoint).path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
        self._provider = TracerProvider(resource=Resource.create({"service.name": "coach", "service.version": __version__}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(whole, timeout=PATIENCE)))
        self._tracer = self._provider.get_tracer("coach", __version__)

    def of(self, coach: Coach) -> Coach:
        """The same coach, what it does for a request traced."""
        needs, llm = coach.needs, copy.copy(coach.llm)
        if llm is not None:
            llm.provider = _Provider(llm.provider, self._tracer)
        return replace(
            coach,
            llm=llm,
            needs=replace(
                needs,
                library=_Library(needs.library, self._tracer),
                safety=_Safety(needs.safety, self._tracer),
                bank=self._answering(needs.bank, needs.bank.writer),
                model=self._answering(needs.model, llm) if needs.model and llm else None,
            ),
        )

    def _answering(self, answering: Answering, writer: Writer) -> Answering:
        return replace(answering, writer=_Writer(writer, self._tracer))

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Span]:
        """The span of a request, within the caller's trace if `traceparent` names one (W3C Trace Context)."""
        sent = dict(scope.get("headers", ())).get(b"traceparent", b"").decode("latin-1")  # not `tracestate`, in which anything may stand
        within = TraceContextTextMapPropagator().extract({"traceparent": sent})
        method = str(scope.get("method"))
        method = method if method in METHODS else "HTTP"
        told = {"http.request.method": method.replace("HTTP", "_OTHER"), "coach.request_id": logged_id(request_id(scope))}
        with (
            _span(self._tracer, method, told, within, SpanKind.SERVER) as span,
            trace.use_span(span, record_exception=False, set_status_on_exception=False),
        ):
            yield span

    @staticmethod
    def answered(span: Span, method: str, route: str, status: int) -> None:
        """How a request was answered (HTTP semantic conventions). `method` is one of METHODS, or any other word."""
        span.set_attribute("http.response.status_code", status)
        if route != "unmatched":
            span.update_name(f"{method if method in METHODS else 'HTTP'} {route}")
            span.set_attribute("http.route", route)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(Status(StatusCode.ERROR))

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


@contextmanager
def _span(tracer: Tracer, name: str, told: Mapping[str, Any], within: Any = None, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """A span that an error ends; of the error only the class is told, since a message could hold anything."""
    span = tracer.start_span(name, within, kind, told)
    try:
        yield span
    except Exception as error:
        span.set_attribute("error.type", str(error.trouble) if isinstance(error, ModelFailed) else type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        span.end()


class _Library:
    """`retrieve`: from the question to the passages."""

    def __init__(self, of: Library, tracer: Tracer) -> None:
        self._of, self._tracer = of, tracer

    @property
    def version(self) -> str:
        return self._of.version

    @property
    def stays(self) -> bool:
        return self._of.stays

    async def find(self, text: str, limit: int, hide: Hider = Hider(), collections: tuple[str, ...] = ()) -> Finding:  # noqa: B008 (frozen)
        with _span(self._tracer, "retrieve", {"coach.limit": limit}) as span:
            found = await self._of.find(text, limit, hide, collections)
            span.set_attribute("coach.passages", len(found.passages))
            return found


class _Safety(Safety):
    """`weigh`: what kind of text it is. What it was found to be is not told."""

    def __init__(self, of: Safety, tracer: Tracer) -> None:
        vars(self).update(vars(of))
        self._tracer = tracer

    def judge(self, text: str, language: str) -> Judgement:
        with _span(self._tracer, "weigh", {}):
            return super().judge(text, language)


class _Writer:
    """`draft`: all that is written for an answer; and in it `judge`: a draft, from when it is there until the next one is asked for."""

    def __init__(self, of: Writer, tracer: Tracer) -> None:
        self._of, self._tracer = of, tracer

    @property
    def engine(self) -> str:
        return self._of.engine

    @property
    def model(self) -> str | None:
        return self._of.model

    @property
    def prompt(self) -> str | None:
        return self._of.prompt

    async def draft(
        self, challenge: Challenge, finding: Awaitable[Finding], language: str, asked: Sequence[Draft] = ()
    ) -> AsyncGenerator[Written, None]:
        with _span(self._tracer, "draft", {"coach.engine": self._of.engine}) as span:
            within = trace.set_span_in_context(span)
            async with aclosing(self._of.draft(challenge, finding, language, asked)) as items:
                async for item in items:
                    if not isinstance(item, Draft):
                        yield item
                        continue
                    with _span(self._tracer, "judge", {}, within):
                        yield item


class _Provider(Provider):
    """`chat`: one call of the model (GenAI semantic conventions), its retry included."""

    def __init__(self, of: Provider, tracer: Tracer) -> None:
        vars(self).update(vars(of))
        self._tracer = tracer

    async def ask(self, messages: list[dict[str, str]], schema: Mapping[str, Any], deadline: float) -> AsyncGenerator[str | Billed, None]:
        told: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": self.options.model, "server.address": self.host}
        told |= {"gen_ai.request.max_tokens": self.options.max_output}
        with _span(self._tracer, f"chat {self.options.model}", told, kind=SpanKind.CLIENT) as span:
            async with aclosing(super().ask(messages, schema, deadline)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Billed):
                        span.set_attributes({"gen_ai.usage.input_tokens": piece.input, "gen_ai.usage.output_tokens": piece.output})
                    yield piece
