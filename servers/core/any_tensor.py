"""Tensors as bytes, of any element type and rank, held against what a signature says of them.

They come as a serialized `tensorflow.TensorProto`; or bare, as Triton's extension of the Open Inference Protocol has
them: little-endian and row by row, a boolean one byte, a string its length in four bytes and then its bytes
(https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md).

As with the regressions' tensors, nothing is allocated by what a message claims before the claim is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.middleware import MAX_BODY_BYTES
from servers.core.reply import invalid_input
from servers.core.tensor_proto import parsed
from servers.models.signature import elements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.models.signature import Tensor

MAX_TENSOR_BYTES: Final = MAX_BODY_BYTES
"""Most bytes that a tensor's elements may take. `float_val` may hold one value for all elements, so a short message
could otherwise claim any amount of memory."""

_LENGTH_BYTES: Final = 4
_STRING_BYTES: Final = 16
"""What one string is counted as: the least that an element costs in memory."""

_SIZES_RULE: Final = "must be a shape that the model takes"


def array_of(body: bytes, sizes: tuple[int | None, ...], tensor: Tensor) -> NDArray[Any]:
    """The message as an array of `sizes`, None standing for any size from 1.

    Raises ApiError `malformed_protobuf`, or `invalid_input` at the field.
    """
    import tensorflow as tf  # noqa: PLC0415 - a serving process has it by now; the adapters must not need it

    message = parsed(body)
    if message.dtype != tf.as_dtype(tensor.dtype).as_datatype_enum:
        raise invalid_input("/dtype", f"must be the type of {tensor.dtype}")
    shape = tuple(dim.size for dim in message.tensor_shape.dim)
    fits = len(shape) == len(sizes) and all(
        size >= 1 and wanted in (None, size) for size, wanted in zip(shape, sizes, strict=True)
    )
    width = _STRING_BYTES if tensor.kind == "string" else np.dtype(tensor.dtype).itemsize
    if message.tensor_shape.unknown_rank or not fits or elements(shape) * width > MAX_TENSOR_BYTES:
        raise invalid_input("/tensor_shape", _SIZES_RULE)
    try:
        found: NDArray[Any] = tf.make_ndarray(message)
    except (TypeError, ValueError):
        found = np.empty(0)
    # Values that are missing altogether would be taken for zeros.
    if found.shape != shape or not _has_values(message):
        raise invalid_input("/tensor_content", "must hold as many values as shape and dtype say")
    if tensor.kind == "number" and not np.isfinite(found).all():
        raise invalid_input("/tensor_content", "must hold finite values")
    return found


def bytes_of(array: NDArray[Any], tensor: Tensor) -> bytes:
    """An output of numbers or booleans as a message, its values in `tensor_content`.

    Raises ApiError `invalid_input` where a number is not finite, so that one input has one outcome in every encoding.
    """
    import tensorflow as tf  # noqa: PLC0415 - as above
    from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: PLC0415

    if tensor.kind == "number" and not np.isfinite(array).all():
        raise invalid_input("", "the prediction for these values is not finite")
    message = TensorProto(dtype=tf.as_dtype(tensor.dtype).as_datatype_enum)
    for size in array.shape:
        message.tensor_shape.dim.add(size=size)
    message.tensor_content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    written: bytes = message.SerializeToString(deterministic=True)
    return written


def bare_array_of(body: bytes, shape: tuple[int, ...], tensor: Tensor, pointer: str) -> NDArray[Any]:
    """Bare bytes as an array of `shape` with the element type of `tensor`. Raises ApiError at `pointer`."""
    if tensor.kind == "string":
        return _strings(body, elements(shape), pointer).reshape(shape)
    dtype = np.dtype(tensor.dtype)
    if len(body) != elements(shape) * dtype.itemsize:
        raise invalid_input(pointer, "must be as many bytes as shape and datatype come to")
    if tensor.kind == "boolean":
        levels = np.frombuffer(body, dtype=np.uint8)
        if levels.max(initial=0) > 1:
            raise invalid_input(pointer, "must be bytes of 0 and 1")
        return levels.astype(np.bool_).reshape(shape)
    found = np.frombuffer(body, dtype=dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    if tensor.kind == "number" and not np.isfinite(found).all():
        raise invalid_input(pointer, "must hold finite values")
    return found


def bare_bytes_of(array: NDArray[Any], tensor: Tensor, pointer: str) -> bytes:
    """An output as bare bytes. Raises ApiError at `pointer` where a number is not finite, as `bytes_of` does."""
    if tensor.kind == "string":
        return b"".join(len(each).to_bytes(_LENGTH_BYTES, "little") + each for each in array.reshape(-1))
    if tensor.kind == "number" and not np.isfinite(array).all():
        raise invalid_input(pointer, "the prediction for these values is not finite")
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def _has_values(message: Any) -> bool:
    return any(field.name == "tensor_content" or field.name.endswith("_val") for field, _ in message.ListFields())


def _strings(body: bytes, count: int, pointer: str) -> NDArray[Any]:
    found: list[bytes] = []
    at = 0
    while at < len(body) and len(found) < count:
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(body[at:start], "little")
        found.append(body[start:at])
    if at != len(body) or len(found) != count:
        raise invalid_input(pointer, "must be as many strings as the shape says, each after its length in four bytes")
    made = np.empty(count, dtype=np.object_)
    made[:] = found
    return made
