"""Numbers in and out: JSON members to a float32 row, float32 predictions to the shortest decimal."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from servers.core.reply import invalid_input

FLOAT32_BOUND: Final = 3.4028235677973366e38
"""Midway between the largest float32 and what would follow it: from here on, rounding gives infinity."""


def feature_row(document: Any, names: tuple[str, ...]) -> NDArray[np.float32]:
    """One row of features, float32 [1, len(names)], in the order of `names`.

    Raises ApiError `invalid_input`. Members that are not in `names` are ignored, as the article's schema does.
    """
    if not isinstance(document, dict):
        raise invalid_input("", "must be an object")
    return np.array([[_number(document, name) for name in names]], dtype=np.float32)


def _number(document: dict[str, Any], name: str) -> float:
    try:
        value = document[name]
    except KeyError:
        raise invalid_input(f"/{name}", "is required") from None
    # The parser makes every JSON number a float, so booleans and strings stop here.
    if type(value) is not float:
        raise invalid_input(f"/{name}", "must be a number")
    if not -FLOAT32_BOUND < value < FLOAT32_BOUND:
        raise invalid_input(f"/{name}", "must be finite and fit float32")
    return value


def prediction_text(value: np.float32) -> str:
    """A prediction as the shortest decimal that reads back to the same float32.

    Raises ApiError `invalid_input` where the model left the range of float32: the input was legal by itself, yet JSON
    has no infinity (RFC 8259 section 6).
    """
    if not math.isfinite(value):
        raise invalid_input("", "the prediction for these values is not finite")
    return str(value)
