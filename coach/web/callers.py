"""Who asks for what is kept, as the gate found it, and the reflection that is meant."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from coach.errors import NotKept, Unauthorized
from coach.kept import Kept
from coach.memory import Caller, Memory, find
from coach.web import gate


def bearer(request: Request[Any, Any, Any]) -> str:
    """What was sent as `Authorization: Bearer`; empty where nothing was."""
    return gate.bearer(dict(request.scope["headers"]))


def who(request: Request[Any, Any, Any]) -> Caller:
    """Who asks."""
    found: Caller = request.scope["state"]["caller"]
    return found


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


DEPENDENCIES = {"who": Provide(who, sync_to_thread=False), "held": Provide(held), "owner": Provide(owner), "kept": Provide(kept)}
