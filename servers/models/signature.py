"""The serving signature of a SavedModel as data: what goes in and what comes out. Imports no TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from servers.core.row_counts import MAX_ROWS

Kind = Literal["number", "integer", "boolean", "string"]
"""What JSON calls an element of a tensor."""

KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("float16", "float32", "float64"), "number"),
    **{f"{sign}int{bits}": "integer" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "bool": "boolean",
    "string": "string",
}
"""Element types that JSON can carry, by TensorFlow's names."""

DATATYPES: Final = {
    "bool": "BOOL",
    "string": "BYTES",
    "bfloat16": "BF16",
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
    **{f"{sign}int{bits}": f"{sign}int{bits}".upper() for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""The same in the Open Inference Protocol."""

SERVING: Final = "serving_default"
"""The signature that is meant where a request names none, to TensorFlow Serving."""

CLASSIFY, REGRESS = (f"tensorflow/serving/{method}" for method in ("classify", "regress"))
"""Methods of signatures that take serialized examples."""

_DTYPES: Final = {
    "DT_HALF": "float16",
    "DT_BFLOAT16": "bfloat16",
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    **{f"DT_{sign.upper()}INT{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "DT_BOOL": "bool",
    "DT_STRING": "string",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One named input or output; `None` in a shape is a size that the model leaves open.

    The shape of an output is None where the model does not say even the rank.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def kind(self) -> Kind:
        """What JSON calls its elements."""
        return KINDS[self.dtype]

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """The shape of an input, which always has a rank."""
        if self.shape is None:
            raise ValueError(f"{self.name} has no rank")
        return self.shape

    def __str__(self) -> str:
        sizes = "?" if self.shape is None else ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.dtype} [{sizes}]"

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal tensor."""
        return {"name": self.name, "dtype": self.dtype, "shape": None if self.shape is None else list(self.shape)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Tensor:
        """The inverse of `to_json`."""
        shape = document["shape"]
        return cls(name=document["name"], dtype=document["dtype"], shape=None if shape is None else tuple(shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs and outputs in the order of their names.

    `by_row` says whether every output has a row for each row of the input; `independent` whether each row is answered
    as it would be alone. Both are found out by asking the model.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    by_row: bool
    independent: bool

    @property
    def rows(self) -> tuple[int, int] | None:
        """Fewest and most rows of one request; None where its inputs have no dimension of rows in common."""
        return rows_of(self.inputs) if self.by_row else None

    @property
    def batched(self) -> bool:
        """Whether rows may be padded, or taken one by one, without changing an answer."""
        return self.independent and self.rows == (1, MAX_ROWS)

    @property
    def open_inputs(self) -> tuple[Tensor, ...]:
        """Inputs that leave open more than the number of rows."""
        skipped = 1 if self.batched else 0
        return tuple(tensor for tensor in self.inputs if None in tensor.sizes[skipped:])

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal signature."""
        return {
            "name": self.name,
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "by_row": self.by_row,
            "independent": self.independent,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Signature:
        """The inverse of `to_json`."""
        return cls(
            name=document["name"],
            inputs=tuple(map(Tensor.from_json, document["inputs"])),
            outputs=tuple(map(Tensor.from_json, document["outputs"])),
            by_row=document["by_row"],
            independent=document["independent"],
        )


def rows_of(inputs: tuple[Tensor, ...]) -> tuple[int, int] | None:
    """How many rows inputs of these shapes take, their first dimension being the rows; None where it cannot be."""
    firsts = {tensor.sizes[0] if tensor.sizes else 0 for tensor in inputs}
    if len(firsts) != 1:
        return None
    (first,) = firsts
    if first is None:
        return 1, MAX_ROWS
    return (first, first) if first else None


def elements(shape: tuple[int, ...]) -> int:
    """How many elements a tensor of this shape has."""
    return math.prod(shape)


def signature_of(name: str, definition: dict[str, Any]) -> Signature | None:
    """The signature of a definition, as `describe.read_signature_defs` tells it.

    None where JSON cannot carry its tensors, or nothing goes in or comes out. Nobody has asked this one anything, so of
    its rows is taken what its shapes say.
    """
    inputs, outputs = _tensors(definition["inputs"]), _tensors(definition["outputs"])
    if not inputs or not outputs or any(tensor.shape is None for tensor in inputs):
        return None
    rows = rows_of(inputs)
    firsts = {tensor.shape[:1] for tensor in outputs if tensor.shape is not None}
    by_row = rows is not None and firsts <= {inputs[0].sizes[:1], (None,)}
    return Signature(name=name, inputs=inputs, outputs=outputs, by_row=by_row, independent=False)


def _tensors(told: dict[str, Any]) -> tuple[Tensor, ...] | None:
    """The tensors in the order of their names; None where one is of a type that JSON cannot carry."""
    found = []
    for name, info in sorted(told.items()):
        dtype = _DTYPES.get(info["dtype"])
        if dtype not in KINDS or "name" not in info:
            return None
        shape = info["tensor_shape"]
        sizes = tuple(size if (size := int(dim["size"])) >= 0 else None for dim in shape["dim"])
        found.append(Tensor(name=name, dtype=dtype, shape=None if shape["unknown_rank"] else sizes))
    return tuple(found)
