"""A serialized `tensorflow.TensorProto` in, and another one out; what does not parse, and what contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case, Expectation
from conformance.contract import MAX_ROWS
from conformance.expect import PREDICT, PROTOBUF, answered, invalid, post, refused, tensor_answered, unsupported
from conformance.http_request import HttpRequest
from conformance.recipes import Recipe, Repeat
from conformance.tensor_messages import DT_DOUBLE, doubles, floats, tensor

_MESSAGE: Final = "docs/contract.md#tensors"
_WIRE: Final = "docs/contract.md#malformed-messages"
_DT_INT32: Final = 3
_NAN: Final = float("nan")
_INFINITY: Final = float("inf")
_LARGEST: Final = 3.4028234663852886e38
_PATH: Final = "/predict"
_ADVANCED: Final = "/advanced_predict"


def _case(name: str, proves: str, request: HttpRequest | None, expects: Expectation, clause: str = _MESSAGE) -> Case:
    path = _PATH if request is None else request.target
    return Case(
        id=f"protobuf-{name}",
        proves=proves,
        clause=clause,
        endpoint=path.strip("/"),
        request=request,
        expects=expects,
    )


def _post(body: Recipe, path: str = _PATH, kind: str = PROTOBUF) -> HttpRequest:
    return post(path, body, kind)


def _alike(name: str, proves: str, body: Recipe, path: str = _PATH) -> Case:
    plain = _PLAIN if path == _PATH else _PLAIN_PAIRS
    return _case(name, proves, _post(body, path), tensor_answered(2, same_as=plain))


def _invalid(name: str, proves: str, body: Recipe, pointer: str, path: str = _PATH) -> Case:
    return _case(name, proves, _post(body, path), invalid(pointer))


def _malformed(name: str, proves: str, body: Recipe) -> Case:
    return _case(name, proves, _post(body), refused("malformed_protobuf"), _WIRE)


def _shaped(*sizes: int, unknown_rank: bool = False) -> bytes:
    """Two good values under any shape."""
    return tensor(shape=sizes, content=floats(24.5, 31.0), unknown_rank=unknown_rank)


_TWO: Final = tensor(shape=(2, 1), content=floats(24.5, 31.0))
_PLAIN: Final = _post(_TWO)
_PAIRS: Final = tensor(shape=(2, 2), content=floats(24.5, 90.0, 31.0, 101.0))
_PLAIN_PAIRS: Final = _post(_PAIRS, _ADVANCED)
_LISTED: Final = tensor(shape=(2, 1), float_val=(24.5, 31.0))
_UNPACKED: Final = tensor(shape=(2, 1)) + b"".join(b"\x2d" + floats(value) for value in (24.5, 31.0))
_IN_PIECES: Final = tensor(shape=(2,)) + tensor(dtype=None, shape=(1,), content=floats(24.5, 31.0))
_REPEATED_FOUR: Final = _post(tensor(shape=(4, 1), content=floats(24.5, 31.0, 31.0, 31.0)))

_GOOD: Final = (
    _case("figures", "Every reference tensor is answered with the predictions of its rows.", None, tensor_answered()),
    Case(
        id="protobuf-advanced-figures",
        proves="Every reference tensor of pairs is answered with the predictions of its rows.",
        clause=_MESSAGE,
        endpoint="advanced_predict",
        request=None,
        expects=tensor_answered(),
    ),
    _case("two", "A tensor of two rows is answered with a tensor of two rows.", _PLAIN, tensor_answered(2)),
    _case(
        "one",
        "A tensor of one row is answered with one.",
        _post(tensor(shape=(1, 1), content=floats(24.5))),
        tensor_answered(1),
    ),
    _case(
        "full",
        "A tensor of 1024 rows is answered with as many.",
        _post(tensor(shape=(MAX_ROWS, 1), content=floats(24.5) * MAX_ROWS)),
        tensor_answered(MAX_ROWS),
    ),
    _case("pairs", "A tensor of two pairs is answered with one column.", _PLAIN_PAIRS, tensor_answered(2)),
    _case(
        "parameter",
        "A parameter of the media type changes nothing.",
        _post(_TWO, kind="Application/X-Protobuf; messageType=tensorflow.TensorProto"),
        tensor_answered(2, same_as=_PLAIN),
        "RFC 9110 section 8.3.1",
    ),
    _alike("float-val", "The values in float_val are the same values.", _LISTED),
    _alike("unpacked", "A repeated field that is not packed is the same field.", _UNPACKED),
    _alike(
        "double",
        "A tensor of doubles is the same tensor.",
        tensor(dtype=DT_DOUBLE, shape=(2, 1), content=doubles(24.5, 31.0)),
    ),
    _alike(
        "double-val",
        "The values in double_val are the same values.",
        tensor(dtype=DT_DOUBLE, shape=(2, 2), double_val=(24.5, 90.0, 31.0, 101.0)),
        _ADVANCED,
    ),
    _alike("version", "A version number changes nothing.", b"\x18\x00" + _TWO),
    _alike("unknown-field", "A field that the message does not have is ignored.", _TWO + b"\xf2\x7f\x03abc"),
    _alike("split-shape", "A shape in two pieces is merged.", _IN_PIECES),
    _case(
        "repeated-value",
        "The last of too few values in float_val is repeated, as in TensorFlow.",
        _post(tensor(shape=(4, 1), float_val=(24.5, 31.0))),
        tensor_answered(4, same_as=_REPEATED_FOUR),
    ),
    Case(
        id="protobuf-recovery",
        proves="The next good request after two malformed messages is answered on the same connection.",
        clause="docs/contract.md#recovery",
        endpoint="predict",
        request=PREDICT,
        expects=answered(_PATH, same_as=PREDICT),
        before=(_post(b"\xff"), _post(b"\xff")),
    ),
)

_MALFORMED: Final = (
    _malformed("garbage", "A byte that is no key is malformed.", b"\xff"),
    _malformed("cut", "A message without its end is malformed.", _TWO[:-1]),
    _malformed("json", "A JSON text is no message.", b'{"feature":24.5}'),
    _malformed("field-zero", "A field of number zero is malformed.", b"\x00\x00"),
    _malformed("wire-type", "A wire type that nobody knows is malformed.", _TWO + b"\x0f"),
    _malformed("endless-varint", "A varint without an end is malformed.", b"\x08" + b"\x80" * 20),
    _malformed("length", "A length beyond the message is malformed.", b"\x22\xff\xff\xff\xff\x07abc"),
    _malformed(
        "wrong-packing", "A packed field that ends within a value is malformed.", _shaped(2, 1) + b"\x2a\x03abc"
    ),
)

_INVALID: Final = (
    _invalid("empty", "An empty message has no dtype that is known.", b"", "/dtype"),
    _invalid(
        "no-dtype",
        "A tensor without a dtype is an error there.",
        tensor(dtype=None, shape=(1, 1), float_val=(24.5,)),
        "/dtype",
    ),
    _invalid(
        "int32", "A tensor of integers is an error at its dtype.", tensor(dtype=_DT_INT32, shape=(1, 1)), "/dtype"
    ),
    _invalid("unknown-dtype", "A dtype that nobody knows is an error.", tensor(dtype=999, shape=(1, 1)), "/dtype"),
    _invalid("negative-dtype", "A negative dtype is an error.", tensor(dtype=-1, shape=(1, 1)), "/dtype"),
    _invalid(
        "no-shape",
        "A tensor without a shape is an error there.",
        tensor(shape=None, float_val=(24.5,)),
        "/tensor_shape",
    ),
    _invalid("scalar", "A scalar is no matrix.", tensor(shape=(), float_val=(24.5,)), "/tensor_shape"),
    _invalid("vector", "A vector is no matrix.", _shaped(2), "/tensor_shape"),
    _invalid("cube", "A tensor of three dimensions is no matrix.", _shaped(2, 1, 1), "/tensor_shape"),
    _invalid("row", "A row is not the column that one feature makes.", _shaped(1, 2), "/tensor_shape"),
    _invalid("column", "A column is not the pairs that two features make.", _shaped(2, 1), "/tensor_shape", _ADVANCED),
    _invalid("no-rows", "A tensor without rows is an error.", tensor(shape=(0, 1)), "/tensor_shape"),
    _invalid("negative-size", "A negative size is an error.", _shaped(-1, 1), "/tensor_shape"),
    _invalid("negative-both", "Two negative sizes make no positive count.", _shaped(-2, -1), "/tensor_shape"),
    _invalid(
        "huge-size",
        "A size of 2 to the 62nd is an error and takes no memory.",
        tensor(shape=(2**62, 1), float_val=(24.5,)),
        "/tensor_shape",
    ),
    _invalid(
        "wrapping-size",
        "Two sizes whose product wraps to zero are an error.",
        tensor(shape=(2**32, 2**32)),
        "/tensor_shape",
    ),
    _invalid(
        "over-full",
        "A tensor of 1025 rows is one too many.",
        tensor(shape=(MAX_ROWS + 1, 1), float_val=(24.5,)),
        "/tensor_shape",
    ),
    _invalid("unknown-rank", "A shape of unknown rank is an error.", _shaped(2, 1, unknown_rank=True), "/tensor_shape"),
    _invalid(
        "short-content",
        "A content shorter than the shape asks for is an error.",
        tensor(shape=(2, 1), content=floats(24.5)),
        "/tensor_content",
    ),
    _invalid(
        "long-content",
        "A content longer than the shape asks for is an error.",
        tensor(shape=(1, 1), content=floats(24.5, 31.0)),
        "/tensor_content",
    ),
    _invalid(
        "ragged-content",
        "A content that ends within a value is an error.",
        tensor(shape=(2, 1), content=floats(24.5, 31.0)[:-1]),
        "/tensor_content",
    ),
    _invalid(
        "double-content",
        "A content of floats under DT_DOUBLE is an error.",
        tensor(dtype=DT_DOUBLE, shape=(2, 1), content=floats(24.5, 31.0)),
        "/tensor_content",
    ),
    _invalid(
        "both",
        "A tensor with its values twice is an error.",
        tensor(shape=(1, 1), content=floats(24.5), float_val=(24.5,)),
        "/tensor_content",
    ),
    _invalid(
        "no-values", "A tensor without values is an error, not a tensor of zeros.", tensor(shape=(1, 1)), "/float_val"
    ),
    _invalid(
        "too-many-values",
        "A tensor with more values than elements is an error.",
        tensor(shape=(1, 1), float_val=(24.5, 31.0)),
        "/float_val",
    ),
    _invalid(
        "other-field",
        "A float_val under DT_DOUBLE is not its value.",
        tensor(dtype=DT_DOUBLE, shape=(1, 1), float_val=(24.5,)),
        "/double_val",
    ),
    _invalid(
        "nan-content",
        "A NaN in the content is an error.",
        tensor(shape=(2, 1), content=floats(24.5, _NAN)),
        "/tensor_content",
    ),
    _invalid(
        "infinite-content",
        "An infinity in the content is an error.",
        tensor(shape=(1, 1), content=floats(-_INFINITY)),
        "/tensor_content",
    ),
    _invalid(
        "nan-value",
        "A NaN in float_val is an error at its place.",
        tensor(shape=(2, 1), float_val=(24.5, _NAN)),
        "/float_val/1",
    ),
    _invalid(
        "infinite-value",
        "An infinity in double_val is an error at its place.",
        tensor(dtype=DT_DOUBLE, shape=(1, 1), double_val=(_INFINITY,)),
        "/double_val/0",
    ),
    _invalid(
        "over-float32",
        "A double beyond float32 is an error at its place.",
        tensor(dtype=DT_DOUBLE, shape=(1, 2), double_val=(24.5, 1e39)),
        "/double_val/1",
        _ADVANCED,
    ),
    _case(
        "many-sizes",
        "A message of a hundred thousand sizes is refused like any other.",
        _post(Repeat(unit=b"\x12\x02\x12\x00", times=100_000)),
        Expectation(status=400, code="invalid_input"),
    ),
    _case(
        "largest-float32",
        "The largest float32 is answered with a finite number or refused, never with infinity.",
        _post(tensor(shape=(1, 1), content=floats(_LARGEST))),
        Expectation(status=400, code="invalid_input", or_else=tensor_answered(1)),
    ),
)

_MEDIA: Final = tuple(
    _case(f"media-{name}", proves, request, unsupported(_PATH), "RFC 9110 section 15.5.16")
    for name, proves, request in (
        ("plain", "A message under application/protobuf is refused.", _post(_TWO, kind="application/protobuf")),
        (
            "octets",
            "A message under application/octet-stream is refused.",
            _post(_TWO, kind="application/octet-stream"),
        ),
        ("gzip", "A compressed message is refused.", replace(_PLAIN, headers=(("Content-Encoding", "gzip"),))),
    )
)

CASES: Final = (*_GOOD, *_MALFORMED, *_INVALID, *_MEDIA)
