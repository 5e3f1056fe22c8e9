"""Cut the encoder's ONNX file in two at an inner value, so that the guard need not run the layers that it does not read."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from coach.encoder.wire import Field, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, message, opened


@dataclass(frozen=True, slots=True)
class Halves:
    """Two models: what leaves the first under the names `carried` goes into the second."""

    front: bytes
    back: bytes
    carried: Sequence[str]


def cut(model: bytes, seen: Collection[str]) -> Halves:
    """The front computes the values named in `seen` and gives them out; the back goes on from there to the model's own outputs.

    Errors: ValueError if the file is not ONNX or does not name the values.
    """
    around, parts = opened(model)
    nodes = [part for part in parts if part.number == GraphProto.NODE]
    maker = {name: place for place, node in enumerate(nodes) for name in node.named(NodeProto.OUTPUT)}
    before = _needed(seen, maker, nodes)
    after = _needed([name for part in parts if part.number == GraphProto.OUTPUT for name in part.named(ValueInfoProto.NAME)], maker, nodes) - before
    entering = {name for place in after for name in nodes[place].named(NodeProto.INPUT) if maker.get(name) in before}
    typed = {name: part.payload for part in parts if part.number == GraphProto.VALUE_INFO for name in part.named(ValueInfoProto.NAME)}
    if missing := (entering | set(seen)) - typed.keys():
        fault = f"the model does not say of what type these values are: {', '.join(sorted(missing))}"
        raise ValueError(fault)

    def half(places: set[int], inputs: Iterable[memoryview], outputs: Iterable[memoryview]) -> bytes:
        kept = [nodes[place] for place in sorted(places)]
        used = {name for node in kept for name in node.named(NodeProto.INPUT)}
        constants = [part for part in parts if part.number == GraphProto.INITIALIZER and used.intersection(part.named(TensorProto.NAME))]
        inner = b"".join((
            *(part.raw for part in (*kept, *constants)),
            *(message(GraphProto.INPUT, payload) for payload in inputs),
            *(message(GraphProto.OUTPUT, payload) for payload in outputs),
        ))  # fmt: skip
        return b"".join((*(field.raw for field in around if field.number != ModelProto.GRAPH), message(ModelProto.GRAPH, inner)))

    carried = sorted(entering)
    own_inputs = [part.payload for part in parts if part.number == GraphProto.INPUT]
    own_outputs = [part.payload for part in parts if part.number == GraphProto.OUTPUT]
    return Halves(
        half(before, own_inputs, [typed[name] for name in sorted(entering | set(seen))]),
        half(after, [typed[name] for name in carried], own_outputs),
        carried,
    )


def _needed(names: Iterable[str], maker: dict[str, int], nodes: Sequence[Field]) -> set[int]:
    """The places of all nodes that these values depend on."""
    found: set[int] = set()
    open_ends = list(names)
    while open_ends:
        place = maker.get(open_ends.pop())
        if place is not None and place not in found:
            found.add(place)
            open_ends += nodes[place].named(NodeProto.INPUT)
    return found
