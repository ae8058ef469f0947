"""Protocol Buffers in and out: a serialized `tensorflow.TensorProto`, the message of TensorFlow Serving's gRPC API.

Wire format: https://protobuf.dev/programming-guides/encoding; message: tensorflow/core/framework/tensor.proto. The
message class comes with TensorFlow, which a serving process has loaded anyway. Nothing here allocates by what a message
claims: sizes are checked first, and every array is a view of bytes that were really sent or one of at most 1024 rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from servers.core.reply import ApiError, invalid_input
from servers.core.row_counts import MAX_ROWS
from servers.core.rows import first_beyond_float32, first_not_finite, not_finite

PROTOBUF: Final = "application/x-protobuf"

_DT_FLOAT: Final = 1
_DT_DOUBLE: Final = 2
# `tensor_content` is the memory of the machine that wrote it; every platform of TensorFlow's is little-endian.
_DTYPES: Final[dict[int, np.dtype[Any]]] = {_DT_FLOAT: np.dtype("<f4"), _DT_DOUBLE: np.dtype("<f8")}
_VALUES: Final = {_DT_FLOAT: "float_val", _DT_DOUBLE: "double_val"}

MAX_BYTES: Final = 64 * 1024
"""Longest message read. 1024 rows of two doubles take 18 KiB at most; a parsed message takes many times its bytes
in memory (measured: up to 15), which at the body limit would be a weapon."""


def parsed(body: bytes) -> Any:
    """The message; raises ApiError `malformed_protobuf`."""
    message_class, decode_error = _message()
    try:
        return message_class.FromString(body)
    except decode_error as error:
        raise ApiError(
            status=400, code="malformed_protobuf", text="The body is not a serialized tensorflow.TensorProto"
        ) from error


def tensor_rows(body: bytes, width: int) -> NDArray[np.float32]:
    """The rows of a serialized TensorProto, float32 [N, width] with N from 1 to 1024.

    The tensor is DT_FLOAT or DT_DOUBLE of shape [N, width]. Its values are in `tensor_content`, exactly as many as the
    shape asks for, or in `float_val` or `double_val`, where fewer stand for repetitions of the last one, as in
    TensorFlow itself (tensor.cc, `FromProtoField`); but none at all is an error here, not a tensor of zeros. Fields of
    other types are ignored. Raises ApiError `malformed_protobuf`, or `invalid_input` at the field.
    """
    if len(body) > MAX_BYTES:
        raise invalid_input("", f"must be at most {MAX_BYTES} bytes")
    message = parsed(body)
    dtype = message.dtype
    if dtype not in _DTYPES:
        raise invalid_input("/dtype", "must be DT_FLOAT or DT_DOUBLE")
    rows = _rows(message.tensor_shape, width)
    values = _values(message, rows * width)
    return values.astype(np.float32).reshape(rows, width)


def tensor_bytes(predictions: NDArray[np.float32]) -> bytes:
    """Predictions [N, 1] as a serialized TensorProto: DT_FLOAT, shape [N, 1], values in `tensor_content`.

    Raises ApiError `invalid_input` where one is not finite.
    """
    if first_not_finite(predictions) is not None:
        raise not_finite("")
    message_class, _ = _message()
    message = message_class(dtype=_DT_FLOAT, tensor_content=predictions.astype("<f4").tobytes())
    message.tensor_shape.dim.add(size=len(predictions))
    message.tensor_shape.dim.add(size=1)
    written: bytes = message.SerializeToString(deterministic=True)
    return written


def _rows(shape: Any, width: int) -> int:
    sizes = [dim.size for dim in shape.dim]
    if shape.unknown_rank or len(sizes) != 2 or sizes[1] != width or not 1 <= sizes[0] <= MAX_ROWS:
        raise invalid_input("/tensor_shape", f"must be [N, {width}] with N from 1 to {MAX_ROWS}")
    rows: int = sizes[0]
    return rows


def _values(message: Any, count: int) -> NDArray[np.floating[Any]]:
    """`count` finite values, flat, in the message's own precision."""
    dtype, field = _DTYPES[message.dtype], _VALUES[message.dtype]
    listed = getattr(message, field)
    content: bytes = message.tensor_content
    if content and listed:
        raise invalid_input("/tensor_content", f"must not stand beside {field}")
    if content:
        if len(content) != count * dtype.itemsize:
            raise invalid_input("/tensor_content", "must be as long as shape and dtype say")
        values = np.frombuffer(content, dtype=dtype)
        if first_beyond_float32(values) is not None:
            raise invalid_input("/tensor_content", "must hold finite values that fit float32")
        return values
    if not 1 <= len(listed) <= count:
        raise invalid_input(f"/{field}", "must have a value for each element, or fewer, the last being repeated")
    values = np.array(listed, dtype=dtype)
    at_fault = first_beyond_float32(values)
    if at_fault is not None:
        raise invalid_input(f"/{field}/{at_fault}", "must be finite and fit float32")
    return np.pad(values, (0, count - len(values)), mode="edge") if len(values) < count else values


@cache
def _message() -> tuple[Any, type[Exception]]:
    """The message class and the error of its parser."""
    # Imported here: the adapters and the OpenAPI document must not need TensorFlow.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # noqa: PLC0415
    from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: PLC0415

    return TensorProto, DecodeError
