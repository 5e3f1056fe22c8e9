"""How often a key and an address may ask, and how many of the model's tokens a key may spend in a day. In memory, or in Redis."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool

from coach.errors import RateLimited
from coach.keys import Key
from coach.llm import meter
from coach.settings import Settings
from coach.web.shared import Shared

MINUTE = 60
REDIS_WAIT = 2.0  # seconds: a busy process is slow to hear that it is connected, and to read an answer
CONNECTIONS = 32
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Allowance:
    """What a request may still spend: of which key, and whether its tokens for today are used up."""

    key: Key | None = None
    spent: bool = False


_now: ContextVar[Allowance] = ContextVar("allowance", default=Allowance())  # noqa: B039 (frozen); of the request that is answered, by whatever door


def asking() -> Key | None:
    """Whose request is being answered; None where it is nobody's in particular."""
    return _now.get().key


def within_budget() -> bool:
    """Whether the request being answered may still ask the model."""
    return not _now.get().spent


class _Counting:
    """Counts in one place: requests in a sliding window (two windows, weighted), tokens by the day."""

    def __init__(self, storage: MemoryStorage | RedisStorage) -> None:
        self._minutes = SlidingWindowCounterRateLimiter(storage)
        self._days = FixedWindowRateLimiter(storage)

    async def request(self, item: RateLimitItem, *who: str) -> tuple[bool, int, int]:
        """Count one: whether it is allowed, how many are left, and the seconds until there is room again."""
        allowed = await self._minutes.hit(item, *who)
        stats = await self._minutes.get_window_stats(item, *who)
        return allowed, stats.remaining, max(1, ceil(stats.reset_time - time.time()))

    async def tokens(self, budget: int, name: str, cost: int = 0) -> bool:
        """Count what was spent today, in UTC; whether anything is left."""
        item, who = RateLimitItemPerDay(budget), ("tokens", name, datetime.now(UTC).date().isoformat())
        if cost:
            await self._days.hit(item, *who, cost=cost)
        return await self._days.test(item, *who)


class Limits:
    """The limits of the settings, and of each key. Where Redis does not answer, this process counts by itself."""

    def __init__(self, settings: Settings, pool: BlockingConnectionPool | None = None) -> None:
        """Nothing is connected yet."""
        self._settings = settings
        self._counted = Shared(_Counting(MemoryStorage()), _Counting(_shared(pool)) if pool else None)

    async def arrive(self, address: str) -> Headers:
        """Count a request from an address; where it stands. Raises RateLimited."""
        return await self._count("address", address, self._settings.address_rate)

    async def admit(self, key: Key) -> Headers:
        """Count a request of a key, and see what is left of its tokens; where it stands. Raises RateLimited."""
        headers = await self._count("key", key.name, key.per_minute or self._settings.rate)
        budget = self._budget(key)
        left = not budget or await self._counted.ask(lambda counting: counting.tokens(budget, key.name))
        _now.set(Allowance(key, not left))
        meter.start()
        return headers

    async def spend(self, tokens: int) -> None:
        """Count what an answer has cost the key that asked for it."""
        key = _now.get().key
        if key and tokens and (budget := self._budget(key)):
            await self._counted.ask(lambda counting: counting.tokens(budget, key.name, tokens))

    def _budget(self, key: Key) -> int:
        return key.tokens_a_day or self._settings.tokens_a_day

    async def _count(self, policy: str, name: str, most: int) -> Headers:
        allowed, left, reset = await self._counted.ask(lambda counting: counting.request(RateLimitItemPerMinute(most), policy, name))
        headers = (("ratelimit-policy", f'"{policy}";q={most};w={MINUTE}'), ("ratelimit", f'"{policy}";r={left};t={reset}'))
        if not allowed:
            raise RateLimited(reset, headers)
        return headers


def pool_of(settings: Settings) -> BlockingConnectionPool | None:
    """Connections to Redis or Valkey, if the settings name one; nothing is connected yet."""
    if not settings.redis:
        return None
    return BlockingConnectionPool.from_url(
        settings.redis, max_connections=CONNECTIONS, timeout=REDIS_WAIT, socket_connect_timeout=REDIS_WAIT, socket_timeout=REDIS_WAIT
    )


def _shared(pool: BlockingConnectionPool) -> RedisStorage:
    ours: Any = {"connection_pool": pool}  # what its own types leave out
    return RedisStorage("async+redis://", wrap_exceptions=True, implementation="redispy", key_prefix="coach", **ours)


def until_midnight() -> int:
    """Seconds until the next day begins, in UTC."""
    now = datetime.now(UTC)
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return ceil((tomorrow - now).total_seconds())
