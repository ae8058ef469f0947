"""Inputs made up from a signature, for a user who brings no payload. Imports no TensorFlow.

They say nothing of what the model is for: floating-point numbers from 0 to 0.99, integers 0 and 1, which an embedding
or a category surely has. Where a model refuses all of those, or answers with NaN: ones, 1 to 9, -1 to 1, zeros. Sizes
that the model leaves open are 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.models.signature import elements
from servers.models.user_model import UserModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from servers.models.signature import Tensor

_SMALL: Final = 4096
"""Elements up to which an input is cheap to have many of."""

_MANY, _FEW = 16, 4


def made_up(inputs: tuple[Tensor, ...]) -> Iterator[list[tuple[NDArray[Any], ...]]]:
    """Families of different sets of inputs, each set for one request; the same on every call.

    The first family is the one to use; the others are for a model that can do nothing with it. Raises UserModelError
    for strings.
    """
    for tensor in inputs:
        if tensor.kind == "string":
            raise UserModelError(
                f"input {tensor} takes strings, which cannot be made up from its signature",
                "give a request of yours: --payload request.json",
            )
    shapes = [tuple(1 if size is None else size for size in tensor.sizes) for tensor in inputs]
    small = sum(map(elements, shapes)) <= _SMALL
    for values in (_usual, _ones, _digits, _signed, _zeros):
        # Seeded, so that every process asks the same.
        rng = np.random.default_rng(20_240_229)
        found: dict[bytes, tuple[NDArray[Any], ...]] = {}
        for _ in range(_MANY if small else _FEW):
            made = tuple(values(rng, tensor, shape) for tensor, shape in zip(inputs, shapes, strict=True))
            found[b"".join(array.tobytes() for array in made)] = made
        yield list(found.values())


def _usual(rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    if tensor.kind == "number":
        # Two decimals keep a picture's worth of numbers short in JSON.
        return (rng.integers(0, 100, size=shape) / 100).astype(tensor.dtype)
    return rng.integers(0, 2, size=shape).astype(tensor.dtype)


def _ones(_rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.ones(shape, dtype=tensor.dtype)


def _zeros(_rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.zeros(shape, dtype=tensor.dtype)


def _digits(rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.integers(1, 10, size=shape).astype(tensor.dtype)


def _signed(rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    if tensor.kind == "number":
        return (rng.integers(-100, 101, size=shape) / 100).astype(tensor.dtype)
    return rng.integers(0, 10, size=shape).astype(tensor.dtype)
