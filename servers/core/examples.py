"""`:classify` and `:regress` of TensorFlow Serving: features as JSON to a signature that takes serialized examples.

The signature's one input takes each example as a serialized `tensorflow.Example`; its outputs are `classes` and
`scores`, or `outputs` (https://www.tensorflow.org/tfx/serving/signature_defs).
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core import nested
from servers.core.json_text import parse
from servers.core.reply import Reply, invalid_input, json_reply
from servers.core.row_counts import MAX_ROWS
from servers.models.signature import CLASSIFY, REGRESS

if TYPE_CHECKING:
    from servers.core.mode import Arrays
    from servers.models.signature import Signature

METHODS: Final = {"classify": CLASSIFY, "regress": REGRESS}
"""By the end of the path, the method that a signature must have."""

_EXAMPLES, _CONTEXT = "examples", "context"
_INT64: Final = 2**63
_MATRIX: Final = 2


def document_of(body: bytes) -> dict[str, Any]:
    """The request. Raises ApiError where it is no JSON object."""
    document = parse(body, integers=True)
    if not isinstance(document, dict):
        raise invalid_input("", "must be an object")
    return document


def inputs(document: dict[str, Any], signature: Signature, method: str, asked: str) -> Arrays:
    """The examples of a request, serialized, as the input of `signature`, whose method is `method`. Raises ApiError.

    `asked` is `classify` or `regress`. Features of the `context` are those of every example.
    """
    if method != METHODS[asked]:
        raise invalid_input("/signature_name", f"must be a signature with the method {METHODS[asked]}")
    if [tensor.kind for tensor in signature.inputs] != ["string"]:
        raise invalid_input("/signature_name", "must be a signature whose one input takes serialized examples")
    told = document.get(_EXAMPLES)
    if type(told) is not list or not 1 <= len(told) <= MAX_ROWS:
        raise invalid_input(f"/{_EXAMPLES}", f"must be an array of 1 to {MAX_ROWS} examples")
    context = _features(document.get(_CONTEXT, {}), f"/{_CONTEXT}")
    found = np.empty(len(told), dtype=np.object_)
    for at, one in enumerate(told):
        where = f"/{_EXAMPLES}/{at}"
        own = _features(one, where)
        for name in own.keys() & context.keys():
            raise invalid_input(nested.pointer_to(where, name), f"must not be in {_CONTEXT} too")
        found[at] = _serialized(context | own)
    return (found,)


def reply(outputs: Arrays, signature: Signature, asked: str) -> Reply:
    """The answer to the examples. Raises ApiError where an output cannot be told, or is not of the method's shape."""
    by_name = {
        tensor.name: nested.nested_of(array.reshape(len(array), -1), tensor)
        for tensor, array in zip(signature.outputs, outputs, strict=True)
        if 0 < array.ndim <= _MATRIX
    }
    if asked == "regress":
        if not (values := by_name.get("outputs")) or {len(row) for row in values} != {1}:
            raise invalid_input(f"/{_EXAMPLES}", "the model answers them without one value each")
        return json_reply({"results": [value for (value,) in values]})
    classes, scores = by_name.get("classes"), by_name.get("scores")
    if not (either := classes or scores):
        raise invalid_input(f"/{_EXAMPLES}", "the model answers them with neither classes nor scores")
    labels = classes or [[""] * len(row) for row in either]
    numbers = scores or [[0.0] * len(row) for row in either]
    if [len(row) for row in labels] != [len(row) for row in numbers]:
        raise invalid_input(f"/{_EXAMPLES}", "the model answers them with other numbers of classes than of scores")
    rows = [list(map(list, zip(*row, strict=True))) for row in zip(labels, numbers, strict=True)]
    return json_reply({"results": rows})


def _features(told: Any, pointer: str) -> dict[str, tuple[str, list[Any]]]:
    """Each feature's list of `tensorflow.Feature`, and the values in it."""
    if type(told) is not dict:
        raise invalid_input(pointer, "must be an object of features")
    return {name: _feature(value, nested.pointer_to(pointer, name)) for name, value in told.items()}


def _feature(value: Any, pointer: str) -> tuple[str, list[Any]]:
    values = value if type(value) is list else [value]
    kinds = set(map(type, values))
    if kinds <= {str, dict}:
        try:
            return "bytes_list", [each.encode() if type(each) is str else nested.from_base64(each) for each in values]
        except (binascii.Error, TypeError, ValueError):
            raise invalid_input(pointer, 'must be strings, or {"b64": "..."} with base64') from None
    if kinds <= {int, bool} and all(-_INT64 <= each < _INT64 for each in values):
        return "int64_list", list(map(int, values))
    if kinds == {float}:
        with np.errstate(over="ignore"):
            narrow = np.array(values, dtype=np.float64).astype(np.float32)
        if np.isfinite(narrow).all():
            return "float_list", narrow.tolist()
    raise invalid_input(
        pointer, "must be one value or a list: strings, integers of 64 bits, or numbers with a point that fit float32"
    )


def _serialized(features: dict[str, tuple[str, list[Any]]]) -> bytes:
    from tensorflow.core.example.example_pb2 import Example  # noqa: PLC0415 - a serving process has it by now

    example = Example()
    for name, (kind, values) in features.items():
        getattr(example.features.feature[name], kind).value.extend(values)
    written: bytes = example.SerializeToString(deterministic=True)
    return written
