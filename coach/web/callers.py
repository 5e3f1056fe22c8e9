"""Who asks for what is kept: the holder of a key, of one reflection's token, or whoever sits at this machine."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from coach.bootstrap import Coach
from coach.errors import NotKept, Unauthorized
from coach.kept import Kept
from coach.memory import Caller, Memory, find
from coach.settings import LOOPBACK

LOCAL = "local"  # who owns what is kept where the service listens to this machine alone and nobody was given a key
TOKEN = "ct_"  # noqa: S105 (how one begins)
_SCHEME = "bearer "


def bearer(request: Request[Any, Any, Any]) -> str:
    """What was sent as `Authorization: Bearer`; empty where nothing was."""
    sent = request.headers.get("authorization", "")
    return sent[len(_SCHEME) :].strip() if sent.lower().startswith(_SCHEME) else ""


async def who(request: Request[Any, Any, Any], coach: NamedDependency[Coach], held: NamedDependency[Memory]) -> Caller:
    """Who asks. Raises Unauthorized for a key that is not known, JournalFault."""
    return await caller(request, coach, held)


async def caller(request: Request[Any, Any, Any], coach: Coach, memory: Memory) -> Caller:
    """The same, for who has no need of Litestar's injection."""
    secret = bearer(request)
    if secret.startswith(TOKEN):
        return Caller(token=secret)
    if secret:
        owner = await memory.journal.owner_of(secret)
        if owner is None:
            raise Unauthorized
        return Caller(owner)
    alone = coach.settings.host in LOOPBACK and not await memory.journal.has_keys()
    return Caller(LOCAL if alone else None)


async def held(memory: NamedDependency[Memory | None]) -> Memory:
    """The memory, where there is one. Raises NotKept."""
    if memory is None:
        raise NotKept
    return memory


async def owner(who: NamedDependency[Caller]) -> str:
    """The owner. Raises Unauthorized for who is none."""
    if who.owner is None:
        raise Unauthorized
    return who.owner


async def kept(identifier: FromPath[str], who: NamedDependency[Caller], held: NamedDependency[Memory]) -> Kept:
    """The reflection of the address. Raises NotKept."""
    return await find(identifier, who, held)


DEPENDENCIES = {"who": Provide(who), "held": Provide(held), "owner": Provide(owner), "kept": Provide(kept)}
