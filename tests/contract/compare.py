"""What of a new OpenAPI document would break who wrote a client against an old one, and whether it is noted. No well-kept tool for 3.1 installs.

A client sends what the old document allows, and reads what it promised: requests may grow wider, answers narrower, never the other way round.
Fields, addresses, events and errors may be added; readers pass over what they do not know.
"""

import re
from collections.abc import Iterator
from typing import Any

from tests.contract.calls import operations

Json = dict[str, Any]
LEAST, MOST = ("minimum", "exclusiveMinimum", "minLength", "minItems"), ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


class Comparison:
    """Two documents."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._begun: set[tuple[str, str, bool]] = set()

    def faults(self) -> Iterator[tuple[str, str]]:
        """(operation, what a client would trip over)."""
        before, after = operations(self._old), operations(self._new)
        where = {(method, path): name for name, (method, path, _) in after.items()}
        for name, (method, path, old) in before.items():
            if (method, path) not in where:
                yield name, f"{method.upper()} {path} is gone"
            elif name not in after:
                yield name, f"its operationId is now {where[method, path]}"
            else:
                self._begun.clear()
                yield from ((name, fault) for fault in self._operation(old, after[name][2]))

    def _operation(self, old: Json, new: Json) -> Iterator[str]:
        yield from self._security(old.get("security", []), new.get("security", []))
        yield from self._parameters(old, new)
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            if status not in new["responses"]:
                yield f"{status} is gone"
                continue
            found = new["responses"][status]
            yield from (f"{status}: header {one} is gone" for one in response.get("headers", {}) if one not in found.get("headers", {}))
            yield from self._contents(response.get("content", {}), found.get("content", {}), status)

    @staticmethod
    def _security(old: list[Json], new: list[Json]) -> Iterator[str]:
        yield from (f"{one or 'nobody'} no longer opens it" for one in old if one not in new)
        if new and not old:
            yield "it was open, and now wants somebody"

    def _parameters(self, old: Json, new: Json) -> Iterator[str]:
        before, after = (
            {(one["in"], one["name"]): one for one in (self._at(document, each) for each in operation.get("parameters", []))}
            for document, operation in ((self._old, old), (self._new, new))
        )
        yield from (f"parameter {name} is gone" for place, name in before if (place, name) not in after)
        for key, one in after.items():
            if one.get("required") and not before.get(key, {}).get("required"):
                yield f"parameter {key[1]} is newly required"
            if key in before:
                yield from self._takes(one["schema"], before[key]["schema"], f"parameter {key[1]}", sent=True)

    def _body(self, old: Json | None, new: Json | None) -> Iterator[str]:
        if new and new.get("required") and not (old and old.get("required")):
            yield "a body is newly required"
        if old:
            for kind, one in old["content"].items():
                if not new or kind not in new["content"]:
                    yield f"a body of {kind} is no longer taken"
                else:
                    yield from self._takes(new["content"][kind]["schema"], one["schema"], "body", sent=True)

    def _contents(self, old: Json, new: Json, status: str) -> Iterator[str]:
        for kind, one in old.items():
            if kind not in new:
                yield f"{status}: {kind} is gone"
                continue
            yield from self._takes(one["schema"], new[kind]["schema"], status, sent=False)
            for event, schema in one.get("x-events", {}).items():
                if event not in new[kind].get("x-events", {}):
                    yield f"{status}: event {event} is gone"
                else:
                    yield from self._takes(schema, new[kind]["x-events"][event], f"event {event}", sent=False)

    def _takes(self, wide: Json, narrow: Json, place: str, *, sent: bool) -> Iterator[str]:
        """Why `wide` does not take all that `narrow` may be. With `sent` the wide one is the new document's, else the old one's."""
        pair = (wide.get("$ref", ""), narrow.get("$ref", ""), sent)
        if all(pair[:2]):
            if pair in self._begun:
                return
            self._begun.add(pair)
        wide, narrow = self._at(self._new if sent else self._old, wide), self._at(self._old if sent else self._new, narrow)
        branches = [self._branches(one, self._new if here else self._old) for one, here in ((wide, sent), (narrow, not sent))]
        if len(branches[0]) == len(branches[1]) == 1:
            yield from self._alone(*branches[0], *branches[1], place, sent=sent)
            return
        for one in branches[1]:
            tried = [list(self._alone(other, one, place, sent=sent)) for other in branches[0]]
            if all(tried):
                yield min(tried, key=len)[0]

    def _alone(self, wide: Json, narrow: Json, place: str, *, sent: bool) -> Iterator[str]:
        """The same of two that are no choices."""
        if "contentSchema" in wide:
            return  # a stream: its events are compared by name
        for word in ("type", "pattern", "format", "const", "contentMediaType"):
            if word in wide and wide[word] != narrow.get(word) and (wide.get("type"), narrow.get("type")) != ("number", "integer"):
                yield f"{place}: {word} {'is now' if sent else 'was'} {wide[word]}"
        if "enum" in wide and not set(narrow.get("enum", [None])) <= set(wide["enum"]):
            yield f"{place}: one of {wide['enum']} {'alone now' if sent else 'before'}"
        for word in (*LEAST, *MOST):
            if word in wide and (word not in narrow or (narrow[word] < wide[word] if word in LEAST else narrow[word] > wide[word])):
                yield f"{place}: {word} {'is now' if sent else 'was'} {wide[word]}"
        if sent and wide.get("default") != narrow.get("default"):
            yield f"{place}: left out it means {wide.get('default')!r} now, {narrow.get('default')!r} before"
        yield from self._fields(wide, narrow, place, sent=sent)
        for inner in ("items", "additionalProperties"):
            if isinstance(wide.get(inner), dict) and isinstance(narrow.get(inner), dict):
                yield from self._takes(wide[inner], narrow[inner], f"{place}/*", sent=sent)

    def _fields(self, wide: Json, narrow: Json, place: str, *, sent: bool) -> Iterator[str]:
        yield from (f"{place}/{one} is {'newly' if sent else 'no longer'} required" for one in _missing(wide, narrow, "required"))
        gone = _missing(narrow, wide, "properties") if sent else _missing(wide, narrow, "properties")
        yield from (f"{place}/{one} is gone" for one in gone)
        if wide.get("additionalProperties") is False and sent and narrow.get("additionalProperties") is not False and "properties" in narrow:
            yield f"{place}: unknown fields are no longer taken"
        for name, one in wide.get("properties", {}).items():
            if name in narrow.get("properties", {}):
                yield from self._takes(one, narrow["properties"][name], f"{place}/{name}", sent=sent)

    @staticmethod
    def _at(document: Json, schema: Json) -> Json:
        """What a reference points to, with what stands beside it; anything else as it is."""
        if "$ref" not in schema:
            return schema
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}

    def _branches(self, schema: Json, document: Json) -> list[Json]:
        """The choices of a schema, each with what stands beside the choice."""
        choices = schema.get("anyOf") or schema.get("oneOf")
        if not choices:
            return [schema]
        beside = {name: value for name, value in schema.items() if name == "default"}
        return [{**self._at(document, one), **beside} for one in choices]


def _missing(these: Json, those: Json, word: str) -> list[str]:
    return [one for one in these.get(word, ()) if one not in those.get(word, ())]


def unnoted(old: Json, new: Json, changelog: str) -> list[str]:
    """What would break a client and is not noted.

    The note stands in the changelog, under `### Incompatible` of the version that is under way, and names the operation in backticks. Where the old
    document's version was released, the version has to be another one.
    """
    version, before = new["info"]["version"], old["info"]["version"]
    sections = dict(re.findall(r"^## \[([^\]]+)\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL))
    under_way = sections.get("Unreleased", "") + sections.get(version, "")
    noted = "".join(re.findall(r"^### Incompatible\n(.*?)(?=^### |\Z)", under_way, re.MULTILINE | re.DOTALL))
    faults = list(Comparison(old, new).faults())
    told = [f"{name}: {fault}" for name, fault in faults if f"`{name}`" not in noted]
    if faults and before in sections and before == version:
        told.append(f"{version} was released: coach.__version__ has to go on")
    return told
