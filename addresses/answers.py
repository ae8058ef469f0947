"""When two answers of one model count as alike, where the model itself differs a little from call to call."""

from __future__ import annotations

import json
from typing import Any


def near_json(one: bytes, other: bytes, within: float) -> bool:
    """Whether two bodies are JSON and alike but for numbers with a point, which may differ by `within`."""
    try:
        return _near(json.loads(one), json.loads(other), within)
    except ValueError:
        return False


def _near(one: Any, other: Any, within: float) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_near(a, b, within) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[name], other[name], within) for name in one)
    if type(one) is float and type(other) is float:
        return abs(one - other) <= within
    return type(one) is type(other) and bool(one == other)
