"""Every line of the log: made of keys that are known to be safe, each with a kind of value that no text of a person is, whatever was logged.

It is an allow list. A message that is not listed is written as `unlisted`, with where it came from and without its words; a key that is not listed,
or a value that is not of its key's kind, is left out. Standard logging goes in front, structlog makes the lines behind it.
"""

import hashlib
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from traceback import walk_tb
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from coach.errors import CoachError
from coach.llm.failure import Trouble

ACCESS = "request"
KEYLESS = "nobody holds a key, so this machine alone is answered; after `coach keys create NAME` and a new start it listens where the settings say"
MOST_FRAMES = 6

LISTED: Mapping[str, tuple[str, tuple[str, ...]]] = {  # a message as it is logged: the event, and the keys of its arguments
    ACCESS: (ACCESS, ()),
    "serving": ("serving", ()),
    "draining": ("draining", ()),
    "cut %d answers": ("cut", ("count",)),
    "stopped": ("stopped", ()),
    "uncaught": ("uncaught", ()),
    "a worker did not start": ("a worker did not start", ()),
    "worker %d died; another takes its place": ("worker died", ("pid",)),
    "purged=%d": ("purged", ("count",)),
    "nothing was purged: %s": ("nothing was purged", ("code",)),
    "unexpected %s request_id=%s": ("unexpected", ("error",)),
    "stream broke off: %s": ("stream broke off", ("error",)),
    "the encoder is not available: %s": ("the encoder is not available", ("code",)),
    "no index yet: %s": ("no index yet", ("error",)),
    "the index cannot be written; everything is kept in memory": ("the index cannot be written", ()),
    "drafts=%d asked=%d refused=%s": ("drafted", ("drafts", "asked", "refused")),
    "model failed: %s": ("model failed", ("trouble",)),
    "nothing can be kept for now: %s": ("nothing can be kept for now", ("code",)),
    "not kept: %s": ("not kept", ("code",)),
    "an answer was not kept: %s": ("an answer was not kept", ("code",)),
    "erased texts may be left in the files until the next sweep: %s": ("erased texts may be left until the next sweep", ("code",)),
    "the guard judges by its phrases alone: %s": ("the guard judges by its phrases alone", ("error",)),
    "the keys cannot be read; those known before still count: %s": ("the keys cannot be read", ("code",)),
    "Redis does not answer, this process goes by itself for a while: %s": ("Redis does not answer", ("error",)),
    "nothing can be delivered for now: %s": ("nothing can be delivered for now", ("code",)),
    "webhook %s is off: it failed for a day, or wants no more": ("webhook off", ("webhook",)),
    KEYLESS: (KEYLESS, ()),
    "a collection could not be opened after it was written: %s": ("a collection could not be opened after it was written", ("error",)),
    "tool: unexpected %s": ("unexpected", ("error",)),
    "unexpected %s": ("unexpected", ("error",)),
    # of uvicorn's
    "Exception in ASGI application\n": ("unexpected", ()),
    "Invalid HTTP request received.": ("not HTTP", ()),
    "Cancel %s running task(s), timeout graceful shutdown exceeded": ("cancelled at the end", ("count",)),
}
UNWRITTEN = ("flag=%s",)  # beside an access line with a key's name it would tell who was in a crisis

_EVENTS = frozenset({"unlisted", *(event for event, _ in LISTED.values())})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_ROUTE = re.compile(r"unmatched|/[A-Za-z0-9_./{}:-]{0,120}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RULE = re.compile(r"[a-z_-]{1,24}")
_TIME = re.compile(r"[0-9T:.Z-]{20,32}")
_ID = re.compile(r"(?:req|id)_[A-Za-z0-9_-]{12}|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-HJKMNP-TV-Z]{26}")

_WEBHOOK = re.compile(r"w_[0-9a-hjkmnp-tv-z]{26}")

Kind = Callable[[Any], bool]


def logged_id(identifier: str) -> str:
    """A request's id as it is logged: as it is where a machine made it; else, as anything may stand in it, `id_` and the start of its SHA-256."""
    return identifier if _ID.fullmatch(identifier) else f"id_{hashlib.sha256(identifier.encode()).hexdigest()[:12]}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shaped(pattern: re.Pattern[str]) -> Kind:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


_CAUSE = _shaped(re.compile(r"SQLITE_[A-Z_]{1,32}|[0-9A-Z]{5}"))  # as a database names what went wrong; five signs: SQLSTATE


def _counts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) and _RULE.fullmatch(name) and _number(count) for name, count in value.items())


def _known(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """A class of errors and all that were made of it."""
    yield kind
    for child in type.__subclasses__(kind):
        yield from _known(child)


def _error(value: Any) -> bool:
    """The name of a class of errors that this process knows."""
    return isinstance(value, str) and any(kind.__name__ == value for kind in _known(BaseException))


def _code(value: Any) -> bool:
    return any(getattr(kind, "code", None) == value for kind in _known(CoachError))


def _frames(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and re.fullmatch(r"[\w.]+:\d+", item) for item in value)


SAFE: Mapping[str, Kind] = {
    "event": lambda value: value in _EVENTS,
    "level": lambda value: value in _LEVELS,
    "timestamp": _shaped(_TIME),
    "logger": lambda value: value in sys.modules,
    "request_id": _shaped(_ID),
    "method": lambda value: value in METHODS or value == "OTHER",
    "route": _shaped(_ROUTE),
    "status": _number,
    "milliseconds": _number,
    "key": _shaped(_NAME),
    "code": _code,
    "cause": lambda value: _error(value) or _CAUSE(value),
    "error": _error,
    "trouble": lambda value: value in set(Trouble),
    "count": _number,
    "drafts": _number,
    "asked": _number,
    "refused": _counts,
    "errno": _number,
    "pid": _number,
    "at": _frames,
    "webhook": _shaped(_WEBHOOK),
}


def configure(how: str, stream: TextIO | None = None) -> None:
    """Send all that is logged in this process, and all that nobody caught, to standard error or `stream`: `json`, `text` for people, or `off`."""
    out = stream or sys.stderr
    handler = logging.NullHandler() if how == "off" else logging.StreamHandler(out)
    handler.setFormatter(_formatter(how, colours=out.isatty()))
    handler.addFilter(lambda record: record.msg not in UNWRITTEN)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in list(root.manager.loggerDict):  # none keeps a way of its own to the outside
        one = logging.getLogger(name)
        one.handlers, one.propagate = [], True
    for talkative in ("httpx", "httpx2", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a message that does not fit its arguments would be printed with them
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
    structlog.configure(  # who logs with structlog comes through here as well
        [structlog.stdlib.ProcessorFormatter.wrap_for_formatter], logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.BoundLogger
    )


def _formatter(how: str, *, colours: bool) -> logging.Formatter:
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(allow=SAFE),
        read_record,
        let_through,
        structlog.processors.JSONRenderer() if how == "json" else structlog.dev.ConsoleRenderer(colors=colours),
    ]
    return structlog.stdlib.ProcessorFormatter(processors=chain, use_get_message=False, pass_foreign_args=True)


def read_record(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """What a record of standard logging says, by its message as it stands in the source: its arguments get their keys, its words stay behind."""
    record: logging.LogRecord = line["_record"]
    message = record.msg
    event, keys = LISTED.get(message, ("unlisted", ())) if isinstance(message, str) else ("unlisted", ())
    arguments = line.get("positional_args")
    for key, value in zip(keys, arguments if isinstance(arguments, tuple) else (arguments,), strict=False):
        line[key] = _plain(value)
        if isinstance(value, CoachError):
            line["cause"] = getattr(value, "cause", None)
    line.update(event=event, level=record.levelname.lower(), logger=_module(record.name))
    if event == "unlisted":
        line["at"] = [f"{record.module}:{record.lineno}"]
    if isinstance(message, OSError):
        line.update(error=type(message).__name__, errno=message.errno)
    kind, _, trace = line.get("exc_info") or (None, None, None)
    if kind:
        line.update(error=kind.__name__, at=_places(trace))
    return line


def _plain(value: Any) -> Any:
    """An error of ours is its code, a member of a vocabulary its word."""
    return value.code if isinstance(value, CoachError) else str(value) if isinstance(value, StrEnum) else value


def let_through(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Only what is on the list, and only values of its kind."""
    return {key: line[key] for key, kind in SAFE.items() if key in line and kind(line[key])}


def _module(name: str) -> str:
    """The longest part of a logger's name that is a module."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name


def _places(trace: TracebackType | None) -> list[str]:
    """Where it happened, the innermost last: modules and lines, which are the source's own."""
    return [f"{frame.f_globals.get('__name__', '')}:{line}" for frame, line in walk_tb(trace)][-MOST_FRAMES:]


def _uncaught(kind: type[BaseException], _value: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger("coach").critical("uncaught", exc_info=(kind, BaseException(), trace))  # its message is not even passed on
