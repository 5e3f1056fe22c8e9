"""Cut the encoder's ONNX file in two at an inner value, so that the guard need not run the layers that it does not read.

Only what that takes of Protocol Buffers (the wire format) and of ONNX (onnx.proto: ModelProto, GraphProto, NodeProto) is here: the package
`onnx` would cost 30 MB of memory in every process for this one step.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

_GRAPH = 7  # ModelProto
_NODE, _CONSTANT, _INPUT, _OUTPUT, _VALUE = 1, 5, 11, 12, 13  # GraphProto
_TAKES, _GIVES = 1, 2  # NodeProto
_NAME, _CONSTANT_NAME = 1, 8  # ValueInfoProto, TensorProto
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5  # wire types


@dataclass(frozen=True, slots=True)
class Halves:
    """Two models: what leaves the first under the names `carried` goes into the second."""

    front: bytes
    back: bytes
    carried: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Field:
    """`raw` is the whole field as it stands in the file, `payload` what is in it if it is a message or a string."""

    number: int
    payload: memoryview
    raw: memoryview

    def named(self, number: int) -> list[str]:
        """Strings inside this message."""
        return [str(field.payload, "utf-8") for field in _fields(self.payload) if field.number == number]


def cut(model: bytes, seen: Collection[str]) -> Halves:
    """The front computes the values named in `seen` and gives them out; the back goes on from there to the model's own outputs.

    Errors: ValueError if the file is not ONNX or does not name the values.
    """
    try:
        around = list(_fields(memoryview(model)))
        (graph,) = (field.payload for field in around if field.number == _GRAPH)
        parts = list(_fields(graph))
    except (IndexError, ValueError):
        message = "this is not ONNX: its fields cannot be read"
        raise ValueError(message) from None
    nodes = [part for part in parts if part.number == _NODE]
    maker = {name: place for place, node in enumerate(nodes) for name in node.named(_GIVES)}
    before = _needed(seen, maker, nodes)
    after = set(range(len(nodes))) - before
    entering = {name for place in after for name in nodes[place].named(_TAKES) if maker.get(name) in before}
    typed = {name: part.payload for part in parts if part.number == _VALUE for name in part.named(_NAME)}
    if missing := (entering | set(seen)) - typed.keys():
        message = f"the model does not say of what type these values are: {', '.join(sorted(missing))}"
        raise ValueError(message)

    def half(places: set[int], inputs: Iterable[memoryview], outputs: Iterable[memoryview]) -> bytes:
        kept = [nodes[place] for place in sorted(places)]
        used = {name for node in kept for name in node.named(_TAKES)}
        constants = [part for part in parts if part.number == _CONSTANT and used.intersection(part.named(_CONSTANT_NAME))]
        inner = b"".join((
            *(part.raw for part in (*kept, *constants)),
            *(_message(_INPUT, payload) for payload in inputs),
            *(_message(_OUTPUT, payload) for payload in outputs),
        ))  # fmt: skip
        return b"".join((*(field.raw for field in around if field.number != _GRAPH), _message(_GRAPH, inner)))

    carried = sorted(entering)
    own_inputs = [part.payload for part in parts if part.number == _INPUT]
    own_outputs = [part.payload for part in parts if part.number == _OUTPUT]
    return Halves(
        half(before, own_inputs, [typed[name] for name in sorted(entering | set(seen))]),
        half(after, [typed[name] for name in carried], own_outputs),
        carried,
    )


def _needed(names: Iterable[str], maker: dict[str, int], nodes: Sequence[_Field]) -> set[int]:
    """The places of all nodes that these values depend on."""
    found: set[int] = set()
    open_ends = list(names)
    while open_ends:
        place = maker.get(open_ends.pop())
        if place is not None and place not in found:
            found.add(place)
            open_ends += nodes[place].named(_TAKES)
    return found


def _fields(message: memoryview) -> Iterator[_Field]:
    place = 0
    while place < len(message):
        start = place
        key, place = _varint(message, place)
        wire = key & 7
        if wire == _DELIMITED:
            length, place = _varint(message, place)
            size = length
        elif wire == _VARINT:
            _, end = _varint(message, place)
            size = end - place
        elif wire in {_EIGHT_BYTES, _FOUR_BYTES}:
            size = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(wire)
        if place + size > len(message):
            raise IndexError(place)
        yield _Field(key >> 3, message[place : place + size], message[start : place + size])
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _message(number: int, payload: bytes | memoryview) -> bytes:
    head = bytearray([number << 3 | _DELIMITED])
    length = len(payload)
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + bytes(payload)
