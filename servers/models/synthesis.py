"""Inputs made up from a signature, for a user who brings no payload. Imports no TensorFlow.

They say nothing of what the model is for: floating-point numbers from 0 to 0.99, integers 0 and 1, which an embedding
or a category surely has. Sizes that the model leaves open are 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.models.signature import elements
from servers.models.user_model import UserModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.models.signature import Tensor

_SMALL: Final = 4096
"""Elements up to which an input is cheap to have many of."""

_MANY, _FEW = 16, 4


def made_up(inputs: tuple[Tensor, ...]) -> list[tuple[NDArray[Any], ...]]:
    """Different sets of inputs, each for one request; the same on every call. Raises UserModelError for strings."""
    for tensor in inputs:
        if tensor.kind == "string":
            raise UserModelError(
                f"input {tensor} takes strings, which cannot be made up from its signature",
                "give a request of yours: --payload request.json",
            )
    shapes = [tuple(1 if size is None else size for size in tensor.sizes) for tensor in inputs]
    small = sum(map(elements, shapes)) <= _SMALL
    # Seeded, so that every process asks the same.
    rng = np.random.default_rng(20_240_229)
    found: dict[bytes, tuple[NDArray[Any], ...]] = {}
    for _ in range(_MANY if small else _FEW):
        made = tuple(_values(rng, tensor, shape) for tensor, shape in zip(inputs, shapes, strict=True))
        found[b"".join(array.tobytes() for array in made)] = made
    return list(found.values())


def _values(rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    if tensor.kind == "number":
        # Two decimals keep a picture's worth of numbers short in JSON.
        return (rng.integers(0, 100, size=shape) / 100).astype(tensor.dtype)
    return rng.integers(0, 2, size=shape).astype(tensor.dtype)
