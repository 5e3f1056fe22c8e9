"""What can go wrong with a provider, as one small vocabulary, and for how long it is then left alone."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

FAILURES = 3  # in a row, until it is left alone
REST = 15.0  # seconds, then twice as long each time ...
LONGEST_REST = 300.0  # ... up to this
LONG_REST = 60.0  # where asking again soon cannot help
LONGEST_ASKED_FOR = 3600.0  # of the rests that a provider itself asks for


class Trouble(StrEnum):
    """Why a model did not answer as it should."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate-limited"
    QUOTA = "quota-exhausted"
    KEY = "key-refused"
    NOT_FOUND = "model-not-found"
    REJECTED = "request-rejected"
    REDIRECTED = "redirected"
    SERVER = "server-error"
    BROKEN_OFF = "broken-off"
    GARBLED = "garbled"
    TOO_MUCH = "too-much"
    EMPTY = "empty"
    REFUSED = "refused"
    FILTERED = "filtered"
    CUT_SHORT = "cut-short"
    RESTING = "resting"
    NO_ROOM = "no-room"

    @property
    def passing(self) -> bool:
        """Whether trying once more at once may help."""
        return self in {Trouble.UNREACHABLE, Trouble.RATE_LIMITED, Trouble.SERVER}

    @property
    def lasting(self) -> bool:
        """Whether it stays until somebody does something about it."""
        return self in {Trouble.QUOTA, Trouble.KEY, Trouble.NOT_FOUND}

    @property
    def of_this_request(self) -> bool:
        """Whether it says nothing about the next request."""
        return self in {Trouble.REFUSED, Trouble.FILTERED, Trouble.CUT_SHORT, Trouble.NO_ROOM, Trouble.REJECTED}


@dataclass(eq=False)
class ModelFailed(Exception):
    """A call that did not do. Holds no word of what was sent or came back."""

    trouble: Trouble
    retry_after: float | None = None
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.trouble}{f' ({self.detail})' if self.detail else ''}"


class Breaker:
    """Leaves a failing provider alone for a while, then lets one request try (Nygard, Release It, 2007)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Closed: requests go through."""
        self._clock = clock
        self._failures = 0
        self._rests = 0
        self._until = 0.0
        self._trying = False
        self.trouble: Trouble | None = None

    def enter(self) -> None:
        """Before a request. Raises ModelFailed(RESTING) while the provider is left alone, and while another request is trying it."""
        if self.resting:
            raise ModelFailed(Trouble.RESTING, max(self._until - self._clock(), 1.0), str(self.trouble))
        self._trying = bool(self._until)

    @property
    def resting(self) -> bool:
        """Whether no request would go through just now."""
        return self._until > self._clock() or (bool(self._until) and self._trying)

    def worked(self) -> None:
        """After one that was answered."""
        self._failures = self._rests = 0
        self._until, self._trying, self.trouble = 0.0, False, None

    def failed(self, failure: ModelFailed) -> None:
        """After one that was not."""
        was_trying, self._trying = self._trying, False
        if failure.trouble is Trouble.RESTING:
            return
        if failure.trouble.of_this_request:
            self._until = 0.0 if was_trying else self._until
            return
        self._failures += 1
        self.trouble = failure.trouble
        if failure.retry_after and failure.retry_after > 1:
            self._rest(min(failure.retry_after, LONGEST_ASKED_FOR))
        elif failure.trouble.lasting:
            self._rest(LONG_REST)
        elif was_trying or self._failures >= FAILURES:
            self._rest(min(REST * 2**self._rests, LONGEST_REST))

    def gave_up(self) -> None:
        """After one that nobody waited for any more: it says nothing about the provider."""
        self._trying = False

    def _rest(self, seconds: float) -> None:
        self._until = self._clock() + seconds
        self._rests += 1
        self._failures = 0
