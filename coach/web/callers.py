"""Who asks for what is kept, as the gate found it, and the reflection that is meant."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from coach.bootstrap import Coach
from coach.errors import Forbidden, Malformed, NotKept, Unauthorized
from coach.kept import Kept
from coach.keys import Scope
from coach.memory import Caller, Memory, find
from coach.web import gate


def bearer(request: Request[Any, Any, Any]) -> str:
    """What was sent as `Authorization: Bearer`; empty where nothing was."""
    return gate.bearer(dict(request.scope["headers"]))


def who(request: Request[Any, Any, Any]) -> Caller:
    """Who asks."""
    found: Caller = request.scope["state"]["caller"]
    return found


def allowed(collections: Sequence[str], who: Caller) -> tuple[str, ...]:
    """Those of an organisation's own collections that somebody may use: the one place that decides it.

    Whoever sits at this machine may use all, an administrator too, and the holder of a key those that it names.
    """
    if who.owner == gate.LOCAL or (who.key and who.key.allows(Scope.ADMIN)):
        return tuple(collections)
    return tuple(name for name in collections if who.key and name in who.key.knowledge)


def usable(names: Sequence[str] | None, who: Caller, coach: Coach) -> tuple[str, ...]:
    """The collections to look in: those that a request names, or else those of the key, as far as they are there.

    Raises Malformed for one that is named and not there or not for who asks, which of these is not said.
    """
    if names is None:
        return tuple(name for name in (who.key.knowledge if who.key else ()) if coach.library.own.exists(name))
    may = allowed(names, who)
    for place, name in enumerate(names):
        if name not in may or not coach.library.own.exists(name):
            raise Malformed("There is no collection of that name for you.", f"/knowledge/{place}")
    return may


async def held(memory: NamedDependency[Memory | None]) -> Memory:
    """The memory, where there is one. Raises NotKept."""
    if memory is None:
        raise NotKept
    return memory


async def owner(who: NamedDependency[Caller]) -> str:
    """The owner. Errors: Forbidden for a publishable key, which can be none; Unauthorized for who is none."""
    if who.key and who.key.publishable:
        raise Forbidden(owner=True)
    if who.owner is None:
        raise Unauthorized
    return who.owner


async def kept(identifier: FromPath[str], who: NamedDependency[Caller], held: NamedDependency[Memory]) -> Kept:
    """The reflection of the address. Raises NotKept."""
    found = await find(identifier, who, held)
    if who.owner is None:
        return found  # its own token opens it as it was begun
    return replace(found, challenge=replace(found.challenge, knowledge=allowed(found.challenge.knowledge, who)))


DEPENDENCIES = {"who": Provide(who, sync_to_thread=False), "held": Provide(held), "owner": Provide(owner), "kept": Provide(kept)}
