"""As much of Protocol Buffers (the wire format) and of ONNX (onnx.proto) as it takes to change a model's graph.

The package `onnx` would cost 30 MB of memory in every process for the two changes that are made once, when the encoder is loaded.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5  # wire types


class ModelProto:
    """Field numbers."""

    GRAPH, OPSET_IMPORT = 7, 8


class OperatorSetIdProto:
    """Field numbers."""

    DOMAIN, VERSION = 1, 2


class GraphProto:
    """Field numbers."""

    NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13


class NodeProto:
    """Field numbers."""

    INPUT, OUTPUT, NAME, OP_TYPE, ATTRIBUTE, DOMAIN = 1, 2, 3, 4, 5, 7


class AttributeProto:
    """Field numbers, and the type of a whole number."""

    NAME, INTEGER, TYPE = 1, 3, 20
    INT = 2


class TensorProto:
    """Field numbers, and types of elements."""

    DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9
    FLOAT, UINT8, INT8 = 1, 2, 3


class ValueInfoProto:
    """Field numbers."""

    NAME = 1


@dataclass(frozen=True, slots=True)
class Field:
    """`raw` is the whole field as it stands in the file, `payload` what is in it if it is a message or a string."""

    number: int
    payload: memoryview
    raw: memoryview

    def named(self, number: int) -> list[str]:
        """The strings under a number inside this message."""
        return [str(payload, "utf-8") for payload in self.held(number)]

    def held(self, number: int) -> list[memoryview]:
        """The messages or bytes under a number inside this message."""
        return [field.payload for field in fields(self.payload) if field.number == number]

    def numbers(self, number: int) -> list[int]:
        """The whole numbers under a number inside this message, packed or one by one."""
        found: list[int] = []
        for field in fields(self.payload):
            if field.number == number:
                place = 0
                while place < len(field.payload):
                    value, place = _varint(field.payload, place)
                    found.append(value)
        return found


def opened(model: bytes) -> tuple[list[Field], list[Field]]:
    """The fields of a model and those of its graph.

    Errors: ValueError if it is not ONNX.
    """
    try:
        around = list(fields(memoryview(model)))
        (graph,) = (field.payload for field in around if field.number == ModelProto.GRAPH)
        return around, list(fields(graph))
    except (IndexError, ValueError):
        fault = "this is not ONNX: its fields cannot be read"
        raise ValueError(fault) from None


def fields(inside: memoryview) -> Iterator[Field]:
    """What a message holds. Errors: IndexError or ValueError where it is none."""
    place = 0
    while place < len(inside):
        start = place
        key, place = _varint(inside, place)
        wire = key & 7
        if wire == _DELIMITED:
            length, place = _varint(inside, place)
            size = length
        elif wire == _VARINT:
            _, end = _varint(inside, place)
            size = end - place
        elif wire in {_EIGHT_BYTES, _FOUR_BYTES}:
            size = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(wire)
        if place + size > len(inside):
            raise IndexError(place)
        yield Field(key >> 3, inside[place : place + size], inside[start : place + size])
        place += size


def _varint(inside: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = inside[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def whole(number: int, value: int) -> bytes:
    """A field that holds a whole number."""
    return _written(number << 3 | _VARINT) + _written(value)


def message(number: int, payload: bytes | memoryview) -> bytes:
    """A field that holds a message, a string or bytes."""
    return b"".join((_written(number << 3 | _DELIMITED), _written(len(payload)), payload))


def _written(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
