"""Tensors on the wire: what an answer may be is read, and all else is told as none."""

from __future__ import annotations

import pytest

from conformance.tensor_messages import DT_DOUBLE, NotTensorError, doubles, floats, read, read_any, tensor

GOOD = tensor(shape=(2, 1), content=floats(1.5, -2.0))


def test_an_answer_is_read_in_rows() -> None:
    """Type, sizes and values come back, nested by the shape; other types and ranks are for a user's model."""
    assert read(GOOD) == {"dtype": 1, "tensor_shape": [2, 1], "tensor_content": [[1.5], [-2.0]]}
    wide = read_any(tensor(dtype=DT_DOUBLE, shape=(1, 2, 1), content=doubles(1, 2)))
    assert wide["tensor_content"] == [[[1.0], [2.0]]]
    assert read_any(tensor(shape=(), content=floats(3)))["tensor_content"] == 3.0


def test_fields_stand_in_their_order_on_the_wire() -> None:
    """The bytes are those that the format prescribes: key, length and content of each field."""
    assert GOOD.hex() == "0801" + "1208" + "12020802" + "12020801" + "2208" + floats(1.5, -2.0).hex()
    assert tensor(dtype=None, shape=None) == b""
    assert tensor(dtype=None, shape=()) == b"\x12\x00"
    assert tensor(dtype=-1, shape=None) == b"\x08" + b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        GOOD[:-1],
        GOOD + b"\x18\x00",
        GOOD + b"\x08\x01",
        GOOD + b"\xf2\x7f\x03abc",
        tensor(shape=(2, 1), float_val=(1.5, -2.0)),
        tensor(shape=(2, 1), content=floats(1.5)),
        tensor(shape=(-2, -1), content=floats(1.5, -2.0)),
        tensor(shape=(2, 1), content=floats(1.5, -2.0), unknown_rank=True),
        tensor(dtype=DT_DOUBLE, shape=(2, 1), content=doubles(1.5, -2.0)),
        tensor(dtype=7, shape=(2, 1), content=floats(1.5, -2.0)),
        tensor(shape=(2,), content=floats(1.5, -2.0)),
    ],
)
def test_what_no_answer_may_be_is_told(body: bytes) -> None:
    """Malformed bytes, other fields, repeated ones, lengths that do not fit, another type or rank are no answer."""
    with pytest.raises(NotTensorError):
        read(body)
