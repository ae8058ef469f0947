"""The members of a journal record, by type. A broken one raises RecordError with the member's name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class RecordError(ValueError):
    """A journal record lacks a member or holds one of the wrong type."""


def text(record: Mapping[str, Any], name: str) -> str:
    """A string."""
    value = record.get(name)
    if not isinstance(value, str):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be a string, not {value!r}")
    return value


def integer(record: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """An integer; `default` where the member is missing."""
    value = record.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be an integer, not {value!r}")
    return value


def number(record: Mapping[str, Any], name: str) -> float | None:
    """A finite float, or None where the member is null or missing."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be a number or null, not {value!r}")
    return float(value)


def mapping(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object; an empty one where the member is null or missing."""
    value = record.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be an object, not {value!r}")
    return value


def sequence(record: Mapping[str, Any], name: str) -> list[Any]:
    """An array; an empty one where the member is null or missing."""
    value = record.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be an array, not {value!r}")
    return value
