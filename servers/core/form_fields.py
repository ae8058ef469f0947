"""Form bodies: the one field or file part that an endpoint asks for, and nothing guessed.

Multipart is parsed by the `multipart` package (RFC 7578); urlencoded forms by the standard library (WHATWG URL).
"""

from __future__ import annotations

import re
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from servers.core.reply import ApiError, invalid_input

MAX_PARTS: Final = 64
"""Most fields or parts in a form; a form with more is an attack or a mistake."""

_Value = TypeVar("_Value")

_LEGAL: Final = bytes(range(ord(" "), ord("~") + 1))
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_BASE64_ESCAPES: Final = tuple(
    (escape, character)
    for case in (bytes.upper, bytes.lower)
    for escape, character in ((case(b"%%%02x" % ord(character)), character) for character in (b"+", b"/", b"="))
)
"""What the alphabet of base64 needs of percent-encoding: one in twenty characters of a picture."""


def urlencoded_field(body: bytes, name: str) -> bytes:
    """The value of the field `name`; raises ApiError `malformed_form`, or `invalid_input` if not there exactly once."""
    # Two passes in C: one pattern for both would be asked at every character of a picture.
    if body.translate(None, _LEGAL) or _BAD_ESCAPE.search(body):
        raise _malformed("not percent-encoded ASCII")
    if body.count(b"&") >= MAX_PARTS:
        raise _malformed(f"more than {MAX_PARTS} fields")
    found: list[bytes] = []
    for pair in body.split(b"&"):
        key, _, value = pair.partition(b"=")
        if _unquoted(key) == name.encode():
            found.append(value)
    return _unquoted(_only(found, name))


def multipart_part(body: bytes, boundary: str, name: str) -> tuple[bytes, bool]:
    """The content of the part `name` and whether it is a file; raises as `urlencoded_field` does."""
    # A boundary is 1 to 70 characters (RFC 2046 section 5.1.1).
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise _malformed("no usable boundary")
    found: list[tuple[bytes, bool]] = []
    content = bytearray()
    wanted = is_file = False
    parts = 0
    try:
        with PushMultipartParser(boundary, content_length=len(body)) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    parts += 1
                    wanted = event.name == name
                    is_file = event.filename is not None
                    content = bytearray()
                elif event is None:
                    if wanted:
                        found.append((bytes(content), is_file))
                elif wanted:
                    content += event
                if parts > MAX_PARTS:
                    raise _malformed(f"more than {MAX_PARTS} parts")
    except MultipartError as error:
        raise _malformed("not multipart/form-data") from error
    return _only(found, name)


def _unquoted(text: bytes) -> bytes:
    """The text decoded; its escapes are known to be whole, so none can arise out of what another one stood for."""
    text = text.replace(b"+", b" ")
    for escape, character in _BASE64_ESCAPES:
        if b"%" not in text:
            break
        text = text.replace(escape, character)
    return unquote_to_bytes(text) if b"%" in text else text


def _only(found: list[_Value], name: str) -> _Value:
    if len(found) != 1:
        raise invalid_input(f"/{name}", "is required, and only once")
    return found[0]


def _malformed(why: str) -> ApiError:
    return ApiError(status=400, code="malformed_form", text=f"The form does not parse: {why}")
