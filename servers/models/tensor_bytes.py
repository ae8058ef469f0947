"""Rows as a serialized `tensorflow.TensorProto`, written where TensorFlow is not imported.

Wire format: https://protobuf.dev/programming-guides/encoding; message: tensorflow/core/framework/tensor.proto.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

# Field number and wire type in one byte: dtype 1, tensor_shape 2, tensor_content 4; in the shape dim 2, in that size 1.
_DTYPE, _SHAPE, _CONTENT, _DIM, _SIZE = b"\x08", b"\x12", b"\x22", b"\x12", b"\x08"
_DT_FLOAT = b"\x01"


def tensor_bytes(rows: ArrayLike) -> bytes:
    """A tensor of DT_FLOAT with its values, rounded to float32, in `tensor_content`."""
    values = np.asarray(rows, dtype="<f4")
    dims = b"".join(_delimited(_DIM, _SIZE + _varint(size)) for size in values.shape)
    return _DTYPE + _DT_FLOAT + _delimited(_SHAPE, dims) + _delimited(_CONTENT, values.tobytes())


def _delimited(key: bytes, data: bytes) -> bytes:
    return key + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits a byte, the least significant first, the high bit set on all but the last."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))
