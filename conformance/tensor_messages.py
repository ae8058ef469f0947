"""`tensorflow.TensorProto` by google.protobuf, with the few fields that requests and answers of the contract have.

The suite runs where TensorFlow is not, so the message class is made here. Bytes that are no message, or that say a
thing twice, stand as bytes in the cases.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

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


def _message_class() -> Any:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="conformance.proto", package="conformance", syntax="proto3")

    def made(name: str, *fields: tuple[str, int, int], many: frozenset[str] = frozenset()) -> Any:
        found = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = kinds.LABEL_REPEATED if field in many else kinds.LABEL_OPTIONAL
            type_name = {"dim": ".conformance.Dim", "tensor_shape": ".conformance.Shape"}.get(field)
            found.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)

    made("Dim", ("size", 1, kinds.TYPE_INT64))
    made("Shape", ("dim", 2, kinds.TYPE_MESSAGE), ("unknown_rank", 3, kinds.TYPE_BOOL), many=frozenset({"dim"}))
    made(
        "TensorProto",
        ("dtype", 1, kinds.TYPE_INT64),  # an enumeration is a varint on the wire; an int64 holds those beyond its range
        ("tensor_shape", 2, kinds.TYPE_MESSAGE),
        ("tensor_content", 4, kinds.TYPE_BYTES),
        ("float_val", 5, kinds.TYPE_FLOAT),
        ("double_val", 6, kinds.TYPE_DOUBLE),
        many=frozenset({"float_val", "double_val"}),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("conformance.TensorProto"))


TensorProto: Final = _message_class()


class NotTensorError(ValueError):
    """The bytes are no TensorProto, or none that an answer may be."""


def tensor(
    *,
    shape: Sequence[int] | None,
    dtype: int | None = DT_FLOAT,
    content: bytes | None = None,
    float_val: Sequence[float] = (),
    double_val: Sequence[float] = (),
    unknown_rank: bool = False,
) -> bytes:
    """A serialized TensorProto of these fields, consistent or not; None, or nothing, leaves a field out."""
    message = TensorProto(dtype=dtype, tensor_content=content, float_val=float_val, double_val=double_val)
    if shape is not None:
        message.tensor_shape.SetInParent()  # a scalar's shape is there, and empty
        message.tensor_shape.unknown_rank = unknown_rank
        for size in shape:
            message.tensor_shape.dim.add(size=size)
    written: bytes = message.SerializeToString(deterministic=True)
    return written


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
    try:
        message = TensorProto.FromString(body)
    except DecodeError as error:
        raise NotTensorError("not a message") from error
    message.DiscardUnknownFields()
    if message.float_val or message.double_val or message.tensor_shape.unknown_rank:
        raise NotTensorError("values outside tensor_content, or a shape without a certain rank")
    # What the known fields do not account for is a field that an answer does not have, or one that is there twice.
    if message.ByteSize() != len(body):
        raise NotTensorError("a field is not of an answer, or is there twice")
    dtype, content, sizes = message.dtype, message.tensor_content, [dim.size for dim in message.tensor_shape.dim]
    if dtype not in _FORMATS:
        raise NotTensorError(f"dtype {dtype} is no type of number")
    width = struct.calcsize(_FORMATS[dtype])
    if min(sizes, default=0) < 0 or len(content) != width * math.prod(sizes):
        raise NotTensorError(f"shape {sizes} and the tensor_content do not make a tensor")
    values = struct.unpack(f"<{len(content) // width}{_FORMATS[dtype]}", content)
    return {"dtype": dtype, "tensor_shape": sizes, "tensor_content": _nested(list(values), sizes)}


DATATYPES: Final = {
    "BOOL": "?",
    **{
        f"{sign}INT{bits}": code
        for sign, codes in (("", "bhiq"), ("U", "BHIQ"))
        for bits, code in zip((8, 16, 32, 64), codes, strict=True)
    },
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""How `struct` reads the elements of each datatype of the Open Inference Protocol but BYTES."""


def json_bytes(body: bytes) -> int:
    """How many bytes of an answer the JSON at its beginning takes; 0 where there is none."""
    text = body.decode("latin-1")
    try:
        return json.JSONDecoder().raw_decode(text)[1]
    except ValueError:
        return 0


def bare(values: Sequence[Any], datatype: str) -> bytes:
    """Elements as bytes of the Open Inference Protocol: little-endian, strings after their length."""
    if datatype == "BYTES":
        texts = [base64.b64decode(each["b64"]) if isinstance(each, dict) else each.encode() for each in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in texts)
    return struct.pack(f"<{len(values)}{DATATYPES[datatype]}", *values)


def read_inference(body: bytes) -> dict[str, Any]:
    """The `outputs` of an answer with binary tensors: a flat list of values by name. Raises NotTensorError."""
    at = json_bytes(body)
    try:
        told = json.loads(body[:at])["outputs"]
        found = {}
        for one in told:
            size = one["parameters"]["binary_data_size"]
            found[one["name"]] = _elements(body[at : at + size], one["name"], one["datatype"], math.prod(one["shape"]))
            at += size
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise NotTensorError(f"no outputs in bytes behind their description: {error}") from error
    if at != len(body):
        raise NotTensorError(f"{len(body) - at} bytes are of no output")
    return {"outputs": found}


def _elements(content: bytes, name: str, datatype: str, count: int) -> list[Any]:
    """The elements as JSON has them: bytes that are no text, and those of a name that ends so, in base64."""
    if datatype != "BYTES":
        return list(struct.unpack(f"<{count}{DATATYPES[datatype]}", content))
    found: list[Any] = []
    while content:
        (length,) = struct.unpack_from("<I", content)
        each, content = content[4 : 4 + length], content[4 + length :]
        text = None if name.endswith("_bytes") else _text_of(each)
        found.append({"b64": base64.b64encode(each).decode()} if text is None else text)
    if len(found) != count:
        raise ValueError(f"{len(found)} strings where the shape says {count}")
    return found


def _text_of(each: bytes) -> str | None:
    try:
        return each.decode()
    except UnicodeDecodeError:
        return None


def _nested(values: list[Any], sizes: Sequence[int]) -> Any:
    """The values in rows within rows, the outermost first."""
    if not sizes:
        return values[0]
    if len(sizes) == 1:
        return values
    width = math.prod(sizes[1:])
    return [_nested(values[at * width : (at + 1) * width], sizes[1:]) for at in range(sizes[0])]
