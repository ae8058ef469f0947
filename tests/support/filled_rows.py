"""Rows of a summary by hand: what a test is about is named, and everything else is blank."""

from __future__ import annotations

from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

from msgspec import Struct, structs

Row = TypeVar("Row", bound=Struct)

BLANKS: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: True}


def filled(kind: type[Row], **known: Any) -> Row:
    """A row of that type: None where that may be, else nothing of its type, in every member that is not named."""
    return kind(
        **{one.name: _blank(one.type) for one in structs.fields(kind) if one.required and one.name not in known},
        **known,
    )


def _blank(kind: Any) -> Any:
    if NoneType in get_args(kind):
        return None
    if isinstance(kind, type) and issubclass(kind, Struct):
        return filled(kind)
    return BLANKS[kind] if kind in BLANKS else (get_origin(kind) or kind)()
