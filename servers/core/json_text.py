"""JSON in, strictly: RFC 8259 without the freedoms that let two parsers read one text differently.

The standard library's parser does the work. It is told to refuse NaN and Infinity (they are no JSON), repeated members
(RFC 8259 section 4: the outcome is unpredictable), lone surrogates (RFC 7493 section 2.1) and a byte order mark
(section 8.1), and depth is counted before it recurses.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final, NoReturn

from servers.core.reply import ApiError

MAX_DEPTH: Final = 64
"""Most arrays and objects that may stand inside one another."""

_INTEGER_CHARACTERS: Final = 20
"""As many as -2**63 and 2**64 - 1 have."""

_MARKS: Final = (
    (codecs.BOM_UTF8, ""),
    # That of UTF-16 begins as this one does.
    (codecs.BOM_UTF32_LE, ", and is UTF-32"),
    (codecs.BOM_UTF32_BE, ", and is UTF-32"),
    (codecs.BOM_UTF16_LE, ", and is UTF-16"),
    (codecs.BOM_UTF16_BE, ", and is UTF-16"),
)

_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


class _RefusedError(ValueError):
    """A text that the standard parser would let through."""


def parse(body: bytes, *, integers: bool = False) -> Any:
    """The value of a JSON text.

    Numbers become floats: most endpoints know no other kind, and `int` refuses more than 4300 digits. `integers` keeps
    those of up to 20 characters, which hold every 64-bit one, as integers. Raises ApiError `malformed_json`.
    """
    try:
        text = body.decode("utf-8")
        # One bracket a level at least, so few brackets cannot be deep; most bodies stop here.
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _refuse_depth(text)
        value = (_WITH_INTEGERS if integers else _DECODER).decode(text)
        # One character first: looking for two takes as long as parsing, and a picture in base64 has neither.
        if "\\" in text and "\\u" in text:
            _refuse_lone_surrogates(value)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        text = f"The body is not acceptable JSON text: {_why(body, error)}"
        raise ApiError(status=400, code="malformed_json", text=text) from error
    return value


def _why(body: bytes, error: ValueError) -> str:
    """What is the matter with the text, in words that hold nothing of it."""
    if not body:
        return "it is empty"
    mark = next((name for bytes_, name in _MARKS if body.startswith(bytes_)), None)
    if mark is not None:
        return f"it starts with a byte order mark{mark}"
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON from character {error.pos} on"
    return "an escape is half a character" if isinstance(error, UnicodeEncodeError) else "it is not UTF-8"


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise _RefusedError("a member is repeated")
    return value


def _constant(_name: str) -> NoReturn:
    raise _RefusedError("it has a NaN or an Infinity")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _INTEGER_CHARACTERS else float(digits)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=float)
_WITH_INTEGERS: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)


def _refuse_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _RefusedError(f"more than {MAX_DEPTH} arrays and objects are inside one another")
        elif first in "]}":
            depth -= 1


def _refuse_lone_surrogates(value: Any) -> None:
    # A lone surrogate is a str that UTF-8 cannot hold, so encoding finds it (UnicodeEncodeError is a ValueError).
    json.dumps(value, ensure_ascii=False).encode("utf-8")
