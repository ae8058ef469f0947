"""`tensorflow.TensorProto` on the wire: the few fields that requests and answers of the contract are made of.

The suite runs where neither TensorFlow nor the protobuf package is, so the wire format is written and read here
(https://protobuf.dev/programming-guides/encoding): a field is a varint key, its number shifted left by three bits plus
its wire type, and then a varint (0), 8 bytes (1), a length and as many bytes (2), or 4 bytes (5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

DT_FLOAT: Final = 1
DT_DOUBLE: Final = 2

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
    found: dict[int, Any] = {}
    for number, value in _fields(body):
        if number not in (_DTYPE, _SHAPE, _CONTENT) or number in found:
            raise NotTensorError(f"field {number} is not of an answer, or is there twice")
        found[number] = value
    dtype, content = found.get(_DTYPE, 0), found.get(_CONTENT, b"")
    sizes = list(_sizes(found.get(_SHAPE, b"")))
    if dtype != DT_FLOAT:
        raise NotTensorError(f"dtype {dtype} is not DT_FLOAT")
    if len(sizes) != 2 or not isinstance(content, bytes) or len(content) != 4 * sizes[0] * sizes[1]:
        raise NotTensorError(f"shape {sizes} and the tensor_content do not make a matrix")
    values = struct.unpack(f"<{len(content) // 4}f", content)
    rows = [list(values[start : start + sizes[1]]) for start in range(0, len(values), sizes[1] or 1)]
    return {"dtype": dtype, "tensor_shape": sizes, "tensor_content": rows}


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
