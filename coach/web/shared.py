"""What several processes share in Redis or Valkey, and each does by itself for a while where that does not answer."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from limits.errors import StorageError
from redis.exceptions import RedisError

REST = 5.0  # seconds for which Redis is not asked after it did not answer
Place = TypeVar("Place")
Found = TypeVar("Found")

log = logging.getLogger("coach.web")


class Shared(Generic[Place]):
    """Two places that do the same: one for all processes, and one in this process alone."""

    def __init__(self, alone: Place, shared: Place | None) -> None:
        """`shared` is None where nothing is shared."""
        self._alone, self._shared = alone, shared
        self._alone_until = 0.0

    async def ask(self, work: Callable[[Place], Awaitable[Found]]) -> Found:
        """Work on the shared place, or on this process's own."""
        if self._shared is not None and time.monotonic() >= self._alone_until:
            try:
                return await work(self._shared)
            except (RedisError, StorageError) as error:
                kind = type(error.storage_error if isinstance(error, StorageError) else error)
                log.warning("Redis does not answer, this process goes by itself for a while: %s", kind.__name__)
                self._alone_until = time.monotonic() + REST
        return await work(self._alone)
