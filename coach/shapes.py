"""A value that does not fit its type, told to who sent it: where it stands (RFC 6901) and what would do, without the value and without a pattern.

msgspec's messages name the place as `$.focus[1]`, and neither the members of an enumeration nor in words what a pattern is for. Both are found
from the type along the place; a pattern's words are those of `wants` in the `extra` of its `msgspec.Meta`.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import inspect

WANTS = "wants"
_PLACE = re.compile(r" - at `\$([^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")
_FIELD = re.compile(r"(?:unknown|required) field `(.*)`\Z", re.DOTALL)
_VALUE = re.compile(r"(?<=value) .*", re.DOTALL)
_PATTERN = re.compile(r"Expected `str` matching regex .*", re.DOTALL)


def words(wanted: str) -> dict[str, Any]:
    """What a pattern is for, as the `extra` of its `msgspec.Meta`."""
    return {WANTS: wanted}


def escaped(name: str) -> str:
    """A name as a step of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer(message: str) -> str:
    """The RFC 6901 pointer that a msgspec message speaks of: "... - at `$.focus[0]`" is /focus/0."""
    path = "".join(f"/{escaped(step)}" for step in _steps(message))
    return f"{path}/{escaped(match[1])}" if (match := _FIELD.search(_PLACE.sub("", message))) else path


def plain(message: str, kind: Any = None) -> str:
    """What msgspec says, without the place (that is the pointer's) and without the value (that is the caller's), and what would do there."""
    bare = _VALUE.sub("", _PLACE.sub("", message))
    wanted = list(_wanted(_info(kind), _steps(message))) if kind is not None else []
    if _PATTERN.match(bare):
        told = next((one for one in wanted if isinstance(one, str)), None)
        return f"It wants {told}." if told else "It has a form that is not allowed; see /schema."
    choices = next((one for one in wanted if not isinstance(one, str)), ()) if bare == "Invalid enum value" else ()
    bare = bare.replace("`", "")
    return f"{bare}: it can be {', '.join(map(str, choices))}." if choices else f"{bare}."


def _steps(message: str) -> list[str]:
    place = match[1] if (match := _PLACE.search(message)) else ""
    return [name or index for name, index in _STEP.findall(place)]


@cache
def _info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _wanted(kind: inspect.Type, steps: Sequence[str]) -> Iterator[str | tuple[Any, ...]]:
    """What would do at a place: a pattern's words, the values that there are; several where the type is a union."""
    match kind:
        case inspect.Metadata():
            if not steps and kind.extra and WANTS in kind.extra:
                yield str(kind.extra[WANTS])
            yield from _wanted(kind.type, steps)
        case inspect.UnionType():
            for one in kind.types:
                yield from _wanted(one, steps)
        case _ if steps:
            for one in _inner(kind, steps[0]):
                yield from _wanted(one, steps[1:])
        case inspect.EnumType():
            yield tuple(one.value for one in kind.cls)
        case inspect.LiteralType():
            yield tuple(kind.values)


def _inner(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    match kind:
        case inspect.StructType():
            yield from (field.type for field in kind.fields if field.encode_name == step)
        case inspect.ListType():
            yield kind.item_type
        case inspect.DictType():
            yield kind.value_type


def lacking(kind: Any) -> list[str]:
    """The patterns of a type, wherever in it, that nobody has put into words."""
    return list(dict.fromkeys(_lacking(_info(kind), told=False)))


def _lacking(kind: inspect.Type, *, told: bool) -> Iterator[str]:
    match kind:
        case inspect.Metadata():
            yield from _lacking(kind.type, told=bool(kind.extra and WANTS in kind.extra))
        case inspect.UnionType():
            for one in kind.types:
                yield from _lacking(one, told=told)
        case inspect.StrType() if kind.pattern and not told:
            yield kind.pattern
        case inspect.StructType():
            for field in kind.fields:
                yield from _lacking(field.type, told=False)
        case inspect.ListType():
            yield from _lacking(kind.item_type, told=False)
