"""The serving signature of a SavedModel as data: what goes in and what comes out. Imports no TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from servers.core.row_counts import MAX_ROWS

Kind = Literal["number", "integer", "boolean", "string"]
"""What JSON calls an element of a tensor."""

KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("bfloat16", "float16", "float32", "float64"), "number"),
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

    The shape of an output is None where the model does not say even the rank. `ragged` is how many of an output's
    dimensions after the first have rows of different lengths; its values then come with as many row splits.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    ragged: int = 0

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
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "dtype": self.dtype, "shape": shape} | (
            {"ragged": self.ragged} if self.ragged else {}
        )

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Tensor:
        """The inverse of `to_json`."""
        shape = document["shape"]
        return cls(
            name=document["name"],
            dtype=document["dtype"],
            shape=None if shape is None else tuple(shape),
            ragged=document.get("ragged", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs and outputs in the order of their names.

    `by_row` says whether every output has a row for each row of the input; `independent` whether each row is answered
    as it would be alone. Both are found out by asking the model. `scale` is what the levels of a picture become, as
    `Scale` reads it; None where nobody has said.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    by_row: bool
    independent: bool
    scale: str | None = None

    @property
    def flat_outputs(self) -> tuple[Tensor, ...]:
        """The dense tensors that the outputs are made of: a ragged one of its values, then its row splits."""
        found: list[Tensor] = []
        for tensor in self.outputs:
            if not tensor.ragged:
                found.append(tensor)
                continue
            inner = (tensor.shape or ())[tensor.ragged + 1 :]
            found.append(Tensor(name=tensor.name, dtype=tensor.dtype, shape=(None, *inner)))
            splits = (f"{tensor.name}/row_splits_{at}" for at in range(tensor.ragged))
            found += [Tensor(name=name, dtype="int64", shape=(None,)) for name in splits]
        return tuple(found)

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

    def fixed(self, shapes: tuple[tuple[int, ...], ...]) -> Signature:
        """The same with every size that its inputs leave open as in `shapes`; a number of rows in common stays open."""
        rows = rows_of(self.inputs) == (1, MAX_ROWS) and len({shape[0] for shape in shapes}) == 1
        return replace(
            self,
            inputs=tuple(
                replace(tensor, shape=(None, *shape[1:]) if rows else shape)
                for tensor, shape in zip(self.inputs, shapes, strict=True)
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal signature."""
        return {
            "name": self.name,
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "by_row": self.by_row,
            "independent": self.independent,
            "scale": self.scale,
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
            scale=document["scale"],
        )


_LEVELS: Final = 255.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a model takes for a picture's levels from 0 to 255: `(level - mean) / deviation`, by channel or for all."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> Scale:
        """A scale by its name, or by `MEAN/DEVIATION` in levels, one number or one a channel. Raises ValueError."""
        if text in _SCALES:
            return _SCALES[text]
        mean, _, deviation = text.partition("/")
        try:
            found = cls(mean=tuple(map(float, mean.split(","))), deviation=tuple(map(float, deviation.split(","))))
        except ValueError:
            raise ValueError(f"{text!r} is none of {', '.join(_SCALES)}, MEAN/DEVIATION") from None
        finite = all(map(math.isfinite, (*found.mean, *found.deviation)))
        if not finite or 0.0 in found.deviation or not {len(found.mean), len(found.deviation)} <= {1, 3}:
            raise ValueError(f"{text!r}: MEAN and DEVIATION are 1 or 3 finite numbers in levels of 0 to 255, none of 0")
        return found


_SCALES: Final = {
    "0..255": Scale(mean=(0.0,), deviation=(1.0,)),
    "0..1": Scale(mean=(0.0,), deviation=(_LEVELS,)),
    "-1..1": Scale(mean=(_LEVELS / 2,), deviation=(_LEVELS / 2,)),
    # Means and deviations of the ImageNet training set, RGB, as torchvision and Keras' mode `torch` have them.
    "imagenet": Scale(mean=(123.675, 116.28, 103.53), deviation=(58.395, 57.12, 57.375)),
}
SCALES: Final = tuple(_SCALES)
"""The scales that have a name."""


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
