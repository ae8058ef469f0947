"""`TensorProto` by google.protobuf, from the few fields that count.

It is neither the suite's own reader nor TensorFlow's class, so the tests parse tensors with a third hand, and at once.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def _tensor_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="tensor_message.proto", package="tests", syntax="proto3")
    kind, message = descriptor_pb2.FieldDescriptorProto, file.message_type.add(name="TensorProto")
    shape, dim = file.message_type.add(name="Shape"), file.message_type.add(name="Dim")

    def add(to: Any, name: str, number: int, of: int, *, many: bool = False, message_type: str | None = None) -> None:
        label = kind.LABEL_REPEATED if many else kind.LABEL_OPTIONAL
        to.field.add(name=name, number=number, type=of, label=label, type_name=message_type)

    # An enumeration is an int32 on the wire.
    add(message, "dtype", 1, kind.TYPE_INT32)
    add(message, "tensor_shape", 2, kind.TYPE_MESSAGE, message_type=".tests.Shape")
    add(message, "tensor_content", 4, kind.TYPE_BYTES)
    add(message, "float_val", 5, kind.TYPE_FLOAT, many=True)
    add(message, "double_val", 6, kind.TYPE_DOUBLE, many=True)
    add(shape, "dim", 2, kind.TYPE_MESSAGE, many=True, message_type=".tests.Dim")
    add(shape, "unknown_rank", 3, kind.TYPE_BOOL)
    add(dim, "size", 1, kind.TYPE_INT64)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.TensorProto"))


TensorProto: Final = _tensor_class()


def message(shape: tuple[int, ...], *, dtype: int = 1, **fields: Any) -> Any:
    """A TensorProto of any shape and fields."""
    made = TensorProto(dtype=dtype, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made
