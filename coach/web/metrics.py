"""Counts and durations as Prometheus reads them. An answer is watched by its events as they pass; no label is made of what a caller sent."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from coach.bootstrap import Coach
from coach.errors import AlreadyAnswered, ConversationFull, InputError, ModelUnavailable
from coach.llm.failure import Trouble
from coach.model import Asked, Closed, Event, Noticed, Opened, Outcome, Signposted
from coach.settings import LOOPBACK

TEXT = "text/plain; version=0.0.4"  # Litestar adds the charset
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own: where several processes leave their figures
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40)
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self) -> None:
        """All at nothing."""
        self.registry = mine = CollectorRegistry()
        ProcessCollector(registry=mine)
        self.requests = Counter("coach_http_requests", "Requests, by route and class of status.", ["route", "status"], registry=mine)
        self.answers = Counter(
            "coach_answers", "Answers: complete, partial (too few questions), signpost, cut, failed, refused, left.", ["outcome"], registry=mine
        )
        self.refused = Counter("coach_drafts_refused", "Drafts that were refused, by rule.", ["rule"], registry=mine)
        self.troubles = Counter("coach_provider_errors", "Answers that the model failed, by what it did.", ["kind"], registry=mine)
        self.notices = Counter("coach_notices", "Notices in answers, by code: what was done instead.", ["code"], registry=mine)
        self.first = Histogram("coach_first_question_seconds", "From the request to the first question.", ["engine"], registry=mine, buckets=_SECONDS)
        self.whole = Histogram("coach_answer_seconds", "From the request to the end of the answer.", ["engine"], registry=mine, buckets=_SECONDS)
        self.open = Gauge("coach_answers_open", "Answers under way.", registry=mine, multiprocess_mode="livesum")
        self.waiting = Gauge("coach_answers_waiting", "Write-ups that wait to be read.", registry=mine, multiprocess_mode="livesum")
        self.purges = Counter("coach_purges", "Purges of what has expired.", ["outcome"], registry=mine)
        self.purged = Counter("coach_purged", "What was purged.", registry=mine)

    def text(self) -> bytes:
        """As Prometheus reads it: of all processes that answer at this address."""
        folder = os.environ.get(FOLDER)
        if not folder:
            return generate_latest(self.registry)
        for left in Path(folder).glob("gauge_live*_*.db"):
            if not alive(process := int(left.stem.rpartition("_")[2])):
                mark_process_dead(process, folder)  # type: ignore[no-untyped-call]
        every = CollectorRegistry()
        MultiProcessCollector(every, folder)  # type: ignore[no-untyped-call]
        return generate_latest(every)

    def purge(self, count: int | None) -> None:
        """One purge: how much it erased, None if it could not."""
        self.purges.labels("failed" if count is None else "ok").inc()
        self.purged.inc(count or 0)

    @contextmanager
    def watch(self) -> Iterator["Watch"]:
        """One answer, from its request on; whatever ends it counts."""
        watch = Watch(self)
        self.open.inc()
        try:
            yield watch
        except (GeneratorExit, asyncio.CancelledError):
            watch.outcome = watch.outcome or "left"
            raise
        except (InputError, AlreadyAnswered, ConversationFull):
            watch.outcome = "refused"
            raise
        except ModelUnavailable as error:
            watch.troubled(error.trouble)
            raise
        finally:
            self.open.dec()
            self.answers.labels(watch.outcome or "failed").inc()
            self.whole.labels(watch.engine).observe(time.perf_counter() - watch.began)


class Watch:
    """What one answer was like, by its events."""

    def __init__(self, metrics: Metrics) -> None:
        """Nothing has come."""
        self._metrics = metrics
        self.began = time.perf_counter()
        self.engine = "none"
        self.outcome = ""  # until it has ended
        self._ends = "complete"
        self._asked = False

    def see(self, event: Event) -> None:
        """One more event has passed."""
        match event:
            case Opened():
                self.engine = event.provenance.engine
            case Asked() if not self._asked:
                self._asked = True
                self._metrics.first.labels(self.engine).observe(time.perf_counter() - self.began)
            case Noticed():
                self._metrics.notices.labels(event.notice.code).inc()
                self._ends = "partial" if event.notice.code == "fewer-questions" else self._ends
                if event.notice.trouble:
                    self.troubled(event.notice.trouble)
            case Signposted():
                self._ends = "signpost"
            case Closed():
                self.outcome = "cut" if event.outcome is Outcome.SHUTTING_DOWN else self._ends
                for rule, count in event.refused.items():
                    self._metrics.refused.labels(rule).inc(count)
            case _:
                pass

    def troubled(self, kind: str) -> None:
        """The model did not do."""
        self._metrics.troubles.labels(kind if kind in set(Trouble) else "other").inc()


def alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@get("/metrics", include_in_schema=False, media_type=TEXT, sync_to_thread=True)
def metrics(request: Request[Any, Any, Any], coach: NamedDependency[Coach], measured: NamedDependency[Metrics]) -> Response[bytes]:
    """The figures, for who may see them; for others there is nothing at this address."""
    if not may_read(request, coach.settings.metrics):
        raise HTTPException(status_code=404)
    measured.waiting.set(coach.library.waiting)
    return Response(measured.text(), media_type=TEXT, headers={"cache-control": "no-store"})


def may_read(request: Request[Any, Any, Any], setting: str) -> bool:
    """Whether a request may see the figures. What a proxy on this machine passes on does not come from this machine."""
    here = request.client is not None and request.client.host in LOOPBACK and not any(name in request.headers for name in _FORWARDED)
    return setting == "any" or (setting == "on" and here)
