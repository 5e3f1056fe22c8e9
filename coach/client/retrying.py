"""When a request is sent again, and after how long."""

import random
import time
from dataclasses import dataclass

from coach.client.errors import ClientError, InFlight, NoAnswer, Refused, Throttled, TooSlow, Unavailable

NEVER_SENT = frozenset({"LocalProtocolError", "UnsupportedProtocol"})  # an address or a key that cannot be sent
LASTING = frozenset({"store-key-wrong", "collection-broken"})  # waiting does not help: somebody has to do something


@dataclass(frozen=True)
class Retries:
    """How often, and for how long. Seconds; `most` counts what follows the first try.

    A pause is random, up to `first` doubled with each try and at most `longest` ("full jitter"), and never shorter than the service's Retry-After.
    No pause is begun that would end more than `within` after the request: the error is raised then, with its `retry_after`.
    """

    most: int = 4
    within: float = 60.0
    first: float = 0.25
    longest: float = 8.0


class Tries:
    """The tries of one request."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._begun = time.monotonic()
        self._made = 0

    def pause(self, error: ClientError) -> float:
        """Seconds until the next try. Raises the error where there is none."""
        bounds = self._retries
        asked = error.retry_after if isinstance(error, Refused) and error.retry_after else 0.0
        drawn = random.uniform(0, min(bounds.longest, bounds.first * 2**self._made))  # noqa: S311 (no secret hangs on it)
        spent = time.monotonic() - self._begun
        if not again(error) or self._made >= bounds.most or spent + asked + drawn > bounds.within:
            raise error
        self._made += 1
        return asked + drawn


def again(error: ClientError) -> bool:
    """Whether the same request may fare better later. Every POST carries an Idempotency-Key, so that sending it twice does it once."""
    if isinstance(error, NoAnswer):
        # who is too slow may still be at work on it, and a second request would only add to that
        return not isinstance(error, TooSlow) and error.cause not in NEVER_SENT
    return isinstance(error, Throttled | InFlight) or (isinstance(error, Unavailable) and error.code not in LASTING)
