"""JSON as the contract writes it: UTF-8, keys sorted, compact, no newline, floats as short as they can be.

The standard parser reads; numbers keep their text, so that writing the value again gives the very bytes
that canonical JSON would have, and a difference is a fault of form.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final, NoReturn, Self


class Number(float):
    """A JSON number with its spelling."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """Reads `text`, which the JSON grammar has accepted."""
        made = super().__new__(cls, text)
        made.text = text
        return made


class NotJsonError(ValueError):
    """The bytes are no strict JSON text."""


def read(body: bytes) -> Any:
    """The value of a strict JSON text (RFC 8259), every number a `Number`; raises NotJsonError."""
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise NotJsonError(str(error)) from error


def form_fault(body: bytes, value: Any) -> str | None:
    """What keeps `body`, whose value is `value`, from being canonical; None where nothing does."""
    text = body.decode("utf-8")
    if text in (_written(value, ascii_only=False), _written(value, ascii_only=True)):
        return None
    if text != text.strip():
        return "white space around the value"
    return "keys not sorted" if _unsorted(value) else "white space or escapes that could be left out"


def float32_fault(number: Number) -> str | None:
    """What keeps a number from being the shortest decimal of a float32; None where nothing does.

    Nine significant digits tell every float32 apart (IEEE 754-2019 section 5.12.2), so the search ends there.
    """
    try:
        nearest = struct.pack("<f", number)
    except OverflowError:
        return f"{number.text} is outside float32"
    spelled = (f"{float(number):.{digits - 1}e}" for digits in range(1, 10))
    shortest = next((n for n, text in enumerate(spelled, 1) if _float32(text) == nearest), 9)
    digits = _significant_digits(number.text)
    return None if digits <= shortest else f"{number.text} has {digits} digits where {shortest} do for float32"


def _float32(text: str) -> bytes | None:
    try:
        return struct.pack("<f", float(text))
    except OverflowError:  # rounding to few digits can leave the range
        return None


def _significant_digits(text: str) -> int:
    mantissa = text.lower().partition("e")[0]
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    return max(1, len((whole + fraction).strip("0")))


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("repeated member")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=Number, parse_int=Number
)


def _written(value: Any, *, ascii_only: bool) -> str:
    match value:
        case dict():
            pairs = (
                f"{json.dumps(key, ensure_ascii=ascii_only)}:{_written(value[key], ascii_only=ascii_only)}"
                for key in sorted(value)
            )
            return "{" + ",".join(pairs) + "}"
        case list():
            return "[" + ",".join(_written(each, ascii_only=ascii_only) for each in value) + "]"
        case Number():
            return value.text
        case _:
            return json.dumps(value, ensure_ascii=ascii_only)


def _unsorted(value: Any) -> bool:
    if isinstance(value, dict):
        return list(value) != sorted(value) or any(_unsorted(each) for each in value.values())
    return isinstance(value, list) and any(_unsorted(each) for each in value)
