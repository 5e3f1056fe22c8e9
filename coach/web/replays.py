"""Answers that are remembered for a day under the caller's own name for the request, in memory or in Redis.

An answer may hold what somebody wrote. It is encrypted with a key made of the caller's secret and the name (AES-256-GCM), neither of which is kept:
nobody can read it but who asks again.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import BlockingConnectionPool, Redis

from coach.errors import RequestInFlight, RequestMismatch
from coach.web.shared import Shared

DAY = 86_400  # seconds for which an answer is remembered
LEASE = 180  # seconds after which a request that was not ended is taken for dead; no answer takes so long
MOST_BYTES = 64_000_000  # of a process's own memory
_NONCE, _HASH = 12, 32
_UNDER_WAY, _DONE = b"0", b"1"


@dataclass(frozen=True, slots=True)
class Named:
    """A request as the caller named it: under what its answer stands, whose it is, what opens it, and what was asked."""

    place: str
    owner: str
    key: bytes = field(repr=False)
    asked: bytes = field(repr=False)

    @classmethod
    def of(cls, caller: str, secret: str, name: str, asked: bytes) -> "Named":
        """`asked` is all of the request that makes a difference."""
        whole = f"{caller}\0{secret}\0{name}".encode()
        place, key = (hashlib.sha256(part + whole).digest() for part in (b"place", b"key"))
        return cls(place.hex(), hashlib.sha256(caller.encode()).hexdigest(), key, hashlib.sha256(asked).digest())


class Answer(msgspec.Struct, frozen=True):
    """What was answered, byte by byte. `kept` names the reflection or session that it belongs to, if one is kept."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    kept: str | None = None


class Memory:
    """In this process. The oldest answers are forgotten where they become too many."""

    def __init__(self) -> None:
        """Empty."""
        self._found: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()
        self._bytes = 0

    async def claim(self, place: str, owner: str, value: bytes) -> bytes | None:
        """Put a value where there is none; else what is there."""
        self._forget()
        until, _, there = self._found.get(place, (0.0, "", b""))
        if until > time.monotonic():
            return there
        await self.put(place, owner, value, LEASE)
        return None

    async def put(self, place: str, owner: str, value: bytes, seconds: int = DAY) -> None:
        """Put a value, in place of what was there."""
        await self.drop(place)
        self._found[place] = (time.monotonic() + seconds, owner, value)
        self._bytes += len(value)
        while self._bytes > MOST_BYTES:
            await self.drop(next(iter(self._found)))

    async def drop(self, place: str) -> None:
        """Forget one."""
        _, _, value = self._found.pop(place, (0.0, "", b""))
        self._bytes -= len(value)

    async def drop_owner(self, owner: str) -> None:
        """Forget all of a caller's."""
        for place in [place for place, (_, whose, _) in self._found.items() if whose == owner]:
            await self.drop(place)

    def _forget(self) -> None:
        now = time.monotonic()
        while self._found and next(iter(self._found.values()))[0] < now:
            self._bytes -= len(self._found.popitem(last=False)[1][2])


class InRedis:
    """In Redis, for all processes."""

    def __init__(self, pool: BlockingConnectionPool) -> None:
        """Nothing is asked yet. Errors of every method: RedisError."""
        self._redis = Redis(connection_pool=pool)

    async def claim(self, place: str, owner: str, value: bytes) -> bytes | None:
        """Put a value where there is none; else what is there. One of many at once gets the place."""
        there: Any = await self._redis.set(f"coach:replay:{place}", value, nx=True, ex=LEASE, get=True)
        if there is None:
            async with self._redis.pipeline(transaction=False) as both:
                both.sadd(f"coach:replays:{owner}", place)
                both.expire(f"coach:replays:{owner}", DAY + LEASE)
                await both.execute()
        return None if there is None else bytes(there)

    async def put(self, place: str, owner: str, value: bytes, seconds: int = DAY) -> None:  # noqa: ARG002 (as in Memory)
        """Put a value, in place of what was there."""
        await self._redis.set(f"coach:replay:{place}", value, ex=seconds)

    async def drop(self, place: str) -> None:
        """Forget one."""
        await self._redis.delete(f"coach:replay:{place}")

    async def drop_owner(self, owner: str) -> None:
        """Forget all of a caller's."""
        places: set[Any] = await self._redis.smembers(f"coach:replays:{owner}")
        await self._redis.delete(f"coach:replays:{owner}", *(f"coach:replay:{place.decode()}" for place in places))


class Replays:
    """Remembers answers. Where Redis does not answer, this process remembers by itself for a while."""

    def __init__(self, pool: BlockingConnectionPool | None = None) -> None:
        """In Redis if there is a pool of connections to it."""
        self._kept: Shared[Memory | InRedis] = Shared(Memory(), InRedis(pool) if pool else None)

    async def claim(self, named: Named) -> Answer | None:
        """The answer to a request that was answered; None where it is to be answered now, and is taken for that.

        Errors: RequestMismatch where another request has the name, RequestInFlight while it is being answered.
        """
        there = await self._kept.ask(lambda place: place.claim(named.place, named.owner, _UNDER_WAY + named.asked))
        if there is None:
            return None
        if there[1 : 1 + _HASH] != named.asked:
            raise RequestMismatch
        if there[:1] == _UNDER_WAY:
            raise RequestInFlight
        nonce, sealed = there[1 + _HASH : 1 + _HASH + _NONCE], there[1 + _HASH + _NONCE :]
        return msgspec.msgpack.decode(AESGCM(named.key).decrypt(nonce, sealed, named.asked), type=Answer)

    async def remember(self, named: Named, answer: Answer) -> None:
        """Keep what was answered."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + AESGCM(named.key).encrypt(nonce, msgspec.msgpack.encode(answer), named.asked)
        await self._kept.ask(lambda place: place.put(named.place, named.owner, _DONE + named.asked + sealed))

    async def forget(self, named: Named) -> None:
        """Let the next who asks be answered anew."""
        await self._kept.ask(lambda place: place.drop(named.place))

    async def forget_all(self, named: Named) -> None:
        """Forget all that was answered to a caller."""
        await self._kept.ask(lambda place: place.drop_owner(named.owner))
