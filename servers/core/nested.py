"""Tensors as nested JSON: checked against their signature on the way in, shortest decimals on the way out.

The form is that of TensorFlow Serving's REST API (https://www.tensorflow.org/tfx/serving/api_rest): arrays within
arrays; text as a string; bytes that are no text as `{"b64": "..."}`, and so every string of an output whose name ends
in `_bytes`.
"""

from __future__ import annotations

import binascii
import json
from dataclasses import replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.reply import invalid_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Arrays
    from servers.models.signature import Kind, Tensor

B64: Final = "b64"
_BYTES: Final = "_bytes"
_TYPES: Final[dict[Kind, frozenset[type]]] = {
    "number": frozenset({float, int}),
    "integer": frozenset({float, int}),
    "boolean": frozenset({bool}),
    "string": frozenset({str, dict}),
}
_RULES: Final[dict[Kind, str]] = {
    "number": "must be a number",
    "integer": "must be an integer",
    "boolean": "must be true or false",
    "string": 'must be a string, or {"b64": "..."} with base64 in the standard alphabet',
}
_SAFE_INTEGER: Final = 2.0**53
"""Above it a double no longer tells every integer apart (RFC 8259 section 6)."""


def array_of(value: Any, sizes: tuple[int | None, ...], tensor: Tensor, pointer: str) -> NDArray[Any]:
    """`value` as an array of `sizes`, None standing for any size from 1, with the element type of `tensor`.

    Raises ApiError `invalid_input` at `pointer`, or below it where one element is at fault.
    """
    flat: list[Any] = [value]
    shape: list[int] = []
    for size in sizes:
        # Level by level, so that every check is one loop in C over the whole level.
        if set(map(type, flat)) != {list}:
            raise invalid_input(pointer, _shape_rule(sizes))
        lengths = set(map(len, flat))
        if len(lengths) != 1 or lengths == {0} or (size is not None and lengths != {size}):
            raise invalid_input(pointer, _shape_rule(sizes))
        shape.append(len(flat[0]))
        flat = list(chain.from_iterable(flat))
    if not set(map(type, flat)) <= _TYPES[tensor.kind]:
        allowed = _TYPES[tensor.kind]
        at = next(at for at, each in enumerate(flat) if type(each) not in allowed)
        raise invalid_input(pointer + _below(at, shape), _RULES[tensor.kind])
    return _elements(flat, shape, tensor, pointer).reshape(shape)


def text_of(array: NDArray[Any], tensor: Tensor, pointer: str) -> str:
    """An output as JSON text. Raises ApiError `invalid_input` where a number is not finite: JSON has none such.

    `pointer` is what of the request it answers.
    """
    if tensor.ragged:
        return _ragged_text(array.tolist(), replace(tensor, ragged=0), pointer)
    if tensor.kind == "number" and not np.isfinite(array).all():
        raise invalid_input(pointer, "the prediction for these values is not finite")
    if array.size == 0:
        return json.dumps(array.tolist(), separators=(",", ":"))
    texts = _texts(array.ravel(), tensor)
    for size in reversed(array.shape):
        texts = [f"[{','.join(texts[start : start + size])}]" for start in range(0, len(texts), size)]
    return texts[0]


def whole(flat: Arrays, outputs: tuple[Tensor, ...]) -> Arrays:
    """An array for each output, made of `Signature.flat_outputs`.

    A ragged one has an element of its own for each row: the arrays of its innermost rows, within lists.
    """
    if not any(tensor.ragged for tensor in outputs):
        return flat
    left = iter(flat)
    return tuple([_grouped(next(left), [next(left) for _ in range(tensor.ragged)]) for tensor in outputs])


def _grouped(values: NDArray[Any], splits: list[NDArray[Any]]) -> NDArray[Any]:
    """`splits` from the outermost in, as RaggedTensor's `nested_row_splits`; without any, the values themselves."""
    if not splits:
        return values
    found: Any = values
    for ends in reversed(splits):
        found = [found[start:end] for start, end in pairwise(ends.tolist())]
    rows = np.empty(len(found), dtype=np.object_)
    for at, row in enumerate(found):
        rows[at] = row
    return rows


def _ragged_text(value: Any, tensor: Tensor, pointer: str) -> str:
    if isinstance(value, list):
        return f"[{','.join(_ragged_text(each, tensor, pointer) for each in value)}]"
    return text_of(value, tensor, pointer)


def nested_of(array: NDArray[Any], tensor: Tensor) -> Any:
    """The value that `text_of` writes, as Python has it: what an answer is compared with."""
    return json.loads(text_of(array, tensor, ""))


def pointer_to(pointer: str, member: str) -> str:
    """The JSON Pointer (RFC 6901 section 3) of a member."""
    return f"{pointer}/{member.replace('~', '~0').replace('/', '~1')}"


def from_base64(document: dict[str, Any]) -> bytes:
    """The bytes of `{"b64": "..."}`. Raises binascii.Error, TypeError or ValueError on anything else."""
    if set(document) != {B64}:
        raise ValueError
    return binascii.a2b_base64(document[B64], strict_mode=True)


def _elements(flat: list[Any], shape: list[int], tensor: Tensor, pointer: str) -> NDArray[Any]:
    if tensor.kind == "string":
        return _strings(flat, shape, pointer)
    if tensor.kind == "boolean":
        return np.array(flat, dtype=np.bool_)
    if tensor.kind == "integer":
        return _integers(flat, shape, tensor, pointer)
    wide = np.array(flat, dtype=np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(tensor.dtype)
    finite = np.isfinite(narrow)
    if not finite.all():
        raise invalid_input(pointer + _below(int(finite.argmin()), shape), f"must be finite and fit {tensor.dtype}")
    return narrow


def _integers(flat: list[Any], shape: list[int], tensor: Tensor, pointer: str) -> NDArray[Any]:
    """1.0 is the integer 1, as JSON Schema has it; beyond 2**53 only digits without a point say which is meant."""
    if float in set(map(type, flat)):
        for at, each in enumerate(flat):
            if type(each) is float and (not each.is_integer() or abs(each) > _SAFE_INTEGER):
                raise invalid_input(pointer + _below(at, shape), _RULES["integer"])
        flat = list(map(int, flat))
    bounds = np.iinfo(tensor.dtype)
    if min(flat) < bounds.min or max(flat) > bounds.max:
        at = next(at for at, each in enumerate(flat) if not bounds.min <= each <= bounds.max)
        raise invalid_input(pointer + _below(at, shape), f"must fit {tensor.dtype}")
    return np.array(flat, dtype=tensor.dtype)


def _strings(flat: list[Any], shape: list[int], pointer: str) -> NDArray[Any]:
    found = np.empty(len(flat), dtype=np.object_)
    for at, each in enumerate(flat):
        try:
            found[at] = each.encode() if type(each) is str else from_base64(each)
        except (binascii.Error, TypeError, ValueError):
            raise invalid_input(pointer + _below(at, shape), _RULES["string"]) from None
    return found


def _texts(flat: NDArray[Any], tensor: Tensor) -> list[str]:
    if tensor.kind == "boolean":
        return ["true" if each else "false" for each in flat]
    if tensor.kind == "string":
        return list(map(_base64_text if tensor.name.endswith(_BYTES) else _string_text, flat))
    # NumPy writes the shortest decimal that reads back to the same number of the same type.
    texts = list(map(str, flat))
    # All but bfloat16 write 7.0, not 7: a number is told from an integer by its text.
    return (
        texts if flat.dtype.name != "bfloat16" else [each if set(each) & set(".e") else f"{each}.0" for each in texts]
    )


def _string_text(each: bytes) -> str:
    try:
        return json.dumps(each.decode(), ensure_ascii=False)
    except UnicodeDecodeError:
        return _base64_text(each)


def _base64_text(each: bytes) -> str:
    return f'{{"{B64}":"{binascii.b2a_base64(each, newline=False).decode("ascii")}"}}'


def _shape_rule(sizes: tuple[int | None, ...]) -> str:
    if not sizes:
        return "must not be an array"
    return f"must be nested arrays of shape [{', '.join('?' if size is None else str(size) for size in sizes)}]"


def _below(at: int, shape: list[int]) -> str:
    """Where the element `at` of the flattened array stands, as the end of a JSON Pointer."""
    return "".join(f"/{index}" for index in np.unravel_index(at, shape)) if shape else ""
