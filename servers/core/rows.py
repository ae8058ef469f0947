"""Numbers in JSON: members and instances to float32 rows, float32 predictions to the shortest decimals."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from servers.core.reply import ApiError, invalid_input
from servers.core.row_counts import MAX_ROWS

FLOAT32_BOUND: Final = 3.4028235677973366e38
"""Midway between the largest float32 and what would follow it: from here on, rounding gives infinity."""

INSTANCES: Final = "instances"
"""The member that holds a batch, by the row format of TensorFlow Serving's REST API."""

_FITS: Final = "must be finite and fit float32"


def feature_row(document: Any, names: tuple[str, ...]) -> NDArray[np.float32]:
    """One row of features, float32 [1, len(names)], in the order of `names`.

    Raises ApiError `invalid_input`. Members that are not in `names` are ignored, as the article's schema does.
    """
    if not isinstance(document, dict):
        raise invalid_input("", "must be an object")
    return np.array([[_number(document, name) for name in names]], dtype=np.float32)


def instance_rows(document: dict[str, Any], names: tuple[str, ...]) -> NDArray[np.float32]:
    """The batch in `document["instances"]`, float32 [N, len(names)] with N from 1 to 1024.

    An instance is a number where one feature is asked for, else an array of as many numbers, in the order of `names`.
    Raises ApiError `invalid_input` at the first instance, or number in it, that is not acceptable.
    """
    if any(name in document for name in names):
        raise invalid_input(f"/{INSTANCES}", "must not stand beside the members of a single row")
    instances = document[INSTANCES]
    if type(instances) is not list or not 1 <= len(instances) <= MAX_ROWS:
        raise invalid_input(f"/{INSTANCES}", f"must be an array of 1 to {MAX_ROWS} instances")
    width = len(names)
    numbers = instances if width == 1 else _flat(instances, width)
    # The parser makes every JSON number a float, so this refuses booleans and strings, as fast as C can loop.
    if set(map(type, numbers)) != {float}:
        at = next(at for at, number in enumerate(numbers) if type(number) is not float)
        raise invalid_input(_pointer(at, width), "must be a number")
    wide = np.array(numbers, dtype=np.float64)
    at_fault = first_beyond_float32(wide)
    if at_fault is not None:
        raise invalid_input(_pointer(at_fault, width), _FITS)
    return wide.astype(np.float32).reshape(-1, width)


def first_beyond_float32(values: NDArray[np.floating[Any]]) -> int | None:
    """The index of the first value of a flat array that is not finite or does not fit float32; None without one."""
    # A NaN compares false with everything, so it counts as not fitting.
    fits = np.abs(values.astype(np.float64, copy=False)) < FLOAT32_BOUND
    return None if fits.all() else int(fits.argmin())


def first_not_finite(predictions: NDArray[np.float32]) -> int | None:
    """The row of the first prediction [N, 1] that is not finite; None where all are."""
    finite = np.isfinite(predictions[:, 0])
    return None if finite.all() else int(finite.argmin())


def not_finite(pointer: str) -> ApiError:
    """A model left the range of float32: the input was legal by itself, yet JSON has no infinity (RFC 8259 section 6).

    A tensor could hold one; it is refused there too, so that one input has one outcome in every encoding.
    """
    return invalid_input(pointer, "the prediction for these values is not finite")


def prediction_text(value: np.float32) -> str:
    """A prediction as the shortest decimal that reads back to the same float32.

    Raises ApiError `invalid_input` where it is not finite.
    """
    if not math.isfinite(value):
        raise not_finite("")
    return str(value)


def prediction_texts(predictions: NDArray[np.float32]) -> list[str]:
    """`prediction_text` of every row of [N, 1]; raises ApiError `invalid_input` at the first instance without one."""
    row = first_not_finite(predictions)
    if row is not None:
        raise not_finite(f"/{INSTANCES}/{row}")
    return list(map(str, predictions[:, 0]))


def _number(document: dict[str, Any], name: str) -> float:
    try:
        value = document[name]
    except KeyError:
        raise invalid_input(f"/{name}", "is required") from None
    # The parser makes every JSON number a float, so booleans and strings stop here.
    if type(value) is not float:
        raise invalid_input(f"/{name}", "must be a number")
    if not -FLOAT32_BOUND < value < FLOAT32_BOUND:
        raise invalid_input(f"/{name}", _FITS)
    return value


def _flat(instances: list[Any], width: int) -> list[Any]:
    for at, instance in enumerate(instances):
        if type(instance) is not list or len(instance) != width:
            raise invalid_input(f"/{INSTANCES}/{at}", f"must be an array of {width} numbers")
    return list(chain.from_iterable(instances))


def _pointer(at: int, width: int) -> str:
    """The JSON Pointer (RFC 6901) of the number `at` in the flattened instances."""
    return f"/{INSTANCES}/{at}" if width == 1 else f"/{INSTANCES}/{at // width}/{at % width}"
