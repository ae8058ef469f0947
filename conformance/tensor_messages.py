"""`tensorflow.TensorProto` on the wire: the few fields that requests and answers of the contract are made of.

The suite runs where neither TensorFlow nor the protobuf package is, so the wire format is written and read here
(https://protobuf.dev/programming-guides/encoding): a field is a varint key, its number shifted left by three bits plus
its wire type, and then a varint (0), 8 bytes (1), a length and as many bytes (2), or 4 bytes (5).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

DT_FLOAT: Final = 1
DT_DOUBLE: Final = 2

_FORMATS: Final = {
    DT_FLOAT: "f",
    DT_DOUBLE: "d",
    3: "i",
    4: "B",
    5: "h",
    6: "b",
    9: "q",
    10: "?",
    17: "H",
    19: "e",
    22: "I",
    23: "Q",
}
"""How `struct` reads the elements of each DataType that is a number or a boolean."""

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_DTYPE, _SHAPE, _CONTENT, _FLOAT_VAL, _DOUBLE_VAL = 1, 2, 4, 5, 6
_DIM, _UNKNOWN_RANK = 2, 3
_SIZE: Final = 1
_LONGEST_VARINT: Final = 10


class NotTensorError(ValueError):
    """The bytes are no TensorProto, or none that an answer may be."""


def tensor(
    *,
    dtype: int | None = DT_FLOAT,
    shape: Sequence[int] | None,
    content: bytes | None = None,
    float_val: Sequence[float] = (),
    double_val: Sequence[float] = (),
    unknown_rank: bool = False,
) -> bytes:
    """A serialized TensorProto of these fields, consistent or not; None, or nothing, leaves a field out."""
    message = b"" if dtype is None else _key(_DTYPE, _VARINT) + _varint(dtype)
    if shape is not None:
        dims = b"".join(_delimited(_DIM, _key(_SIZE, _VARINT) + _varint(size)) for size in shape)
        message += _delimited(_SHAPE, dims + (_key(_UNKNOWN_RANK, _VARINT) + b"\x01" if unknown_rank else b""))
    if content is not None:
        message += _delimited(_CONTENT, content)
    if float_val:
        message += _delimited(_FLOAT_VAL, struct.pack(f"<{len(float_val)}f", *float_val))
    if double_val:
        message += _delimited(_DOUBLE_VAL, struct.pack(f"<{len(double_val)}d", *double_val))
    return message


def floats(*values: float) -> bytes:
    """Values as the `tensor_content` of DT_FLOAT."""
    return struct.pack(f"<{len(values)}f", *values)


def doubles(*values: float) -> bytes:
    """Values as the `tensor_content` of DT_DOUBLE."""
    return struct.pack(f"<{len(values)}d", *values)


def read(body: bytes) -> dict[str, Any]:
    """The members `dtype`, `tensor_shape` (a list of sizes) and `tensor_content` (nested by the shape) of an answer.

    An answer is a matrix of DT_FLOAT with its values in `tensor_content`, and has no other field. Raises
    NotTensorError.
    """
    found = read_any(body)
    if found["dtype"] != DT_FLOAT:
        raise NotTensorError(f"dtype {found['dtype']} is not DT_FLOAT")
    if len(found["tensor_shape"]) != 2:
        raise NotTensorError(f"shape {found['tensor_shape']} is no matrix")
    return found


def read_any(body: bytes) -> dict[str, Any]:
    """As `read`, of any rank and any type of number: what a user's own model may answer. Raises NotTensorError."""
    found: dict[int, Any] = {}
    for number, value in _fields(body):
        if number not in (_DTYPE, _SHAPE, _CONTENT) or number in found:
            raise NotTensorError(f"field {number} is not of an answer, or is there twice")
        found[number] = value
    dtype, content = found.get(_DTYPE, 0), found.get(_CONTENT, b"")
    sizes = list(_sizes(found.get(_SHAPE, b"")))
    if dtype not in _FORMATS:
        raise NotTensorError(f"dtype {dtype} is no type of number")
    width = struct.calcsize(_FORMATS[dtype])
    if not isinstance(content, bytes) or len(content) != width * math.prod(sizes):
        raise NotTensorError(f"shape {sizes} and the tensor_content do not make a tensor")
    values = struct.unpack(f"<{len(content) // width}{_FORMATS[dtype]}", content)
    return {"dtype": dtype, "tensor_shape": sizes, "tensor_content": _nested(list(values), sizes)}


def _nested(values: list[Any], sizes: Sequence[int]) -> Any:
    """The values in rows within rows, the outermost first."""
    if not sizes:
        return values[0]
    if len(sizes) == 1:
        return values
    width = math.prod(sizes[1:])
    return [_nested(values[at * width : (at + 1) * width], sizes[1:]) for at in range(sizes[0])]


def _sizes(shape: Any) -> Iterator[int]:
    for number, dim in _fields(shape):
        if number != _DIM:
            raise NotTensorError("the shape has no certain rank")
        size = dict(_fields(dim)).get(_SIZE, 0)
        if not isinstance(size, int):
            raise NotTensorError("a size is not a number")
        yield size


def _fields(message: Any) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field of a message; 4 and 8 bytes stay bytes."""
    if not isinstance(message, bytes):
        raise NotTensorError("a number where a message belongs")
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(kind)
        if kind == _BYTES:
            size, at = _read_varint(message, at)
        if number == 0 or size is None or at + size > len(message):
            raise NotTensorError(f"malformed field {number} of wire type {kind}")
        yield number, message[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise NotTensorError("a varint without an end")


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # a negative number is written as its two's complement of 64 bits
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _delimited(number: int, data: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(data)) + data
