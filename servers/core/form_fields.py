"""Form bodies: the one field or file part that an endpoint asks for, its base64, and nothing guessed.

Multipart is parsed by the `multipart` package (RFC 7578); urlencoded forms by the standard library (WHATWG URL).
"""

from __future__ import annotations

import binascii
import re
import string
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from servers.core.reply import ApiError, invalid_input

MAX_PARTS: Final = 64
"""Most fields or parts in a form; a form with more is an attack or a mistake."""

_Value = TypeVar("_Value")

_LEGAL: Final = bytes(range(ord(" "), ord("~") + 1))
_ALPHABET: Final = (string.ascii_letters + string.digits + "+/=").encode()

_SLIPS: Final = (
    (b"\r\n", "without line breaks"),
    (b" \t", "without spaces (in a form a + is sent as %2B)"),
    (b"-_", "with + and / as the standard alphabet has them, not the URL-safe - and _"),
)
"""Characters that are no base64, and what is said of a text that has one of them."""

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_BASE64_ESCAPES: Final = tuple(
    (escape, character)
    for case in (bytes.upper, bytes.lower)
    for escape, character in ((case(b"%%%02x" % ord(character)), character) for character in (b"+", b"/", b"="))
)
"""What the alphabet of base64 needs of percent-encoding: one in twenty characters of a picture."""


class Base64Error(ValueError):
    """A text that is no base64. The message is a rule, such as "must be base64 without line breaks"."""


def base64_bytes(text: bytes) -> bytes:
    """The bytes that `text` stands for; raises Base64Error.

    The standard alphabet, padded, and not a character more (RFC 4648 sections 3.3 and 4).
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Base64Error(f"must be base64 {_rule(text)}") from None


def _rule(text: bytes) -> str:
    if text[:5].lower() == b"data:":
        return "without the data: prefix"
    if text.startswith(b"\xef\xbb\xbf"):
        return "and starts with a byte order mark"
    strange = text.translate(None, _ALPHABET)
    for characters, rule in _SLIPS:
        if any(character in strange for character in characters):
            return rule
    if strange:
        return "in the standard alphabet, and has characters outside it"
    return "in the standard alphabet, padded with = to a multiple of four characters"


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
    """The content of the part `name` and whether it is a file; raises as `urlencoded_field` does.

    A file has a file name (`filename` or `filename*`, even an empty one), or a media type that is no text.
    """
    # A boundary is 1 to 70 characters (RFC 2046 section 5.1.1).
    if not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise _malformed("no usable boundary")
    found: list[tuple[MultipartSegment, bytearray]] = []
    wanted = False
    parts = 0
    try:
        with _parser(boundary, len(body)) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    parts += 1
                    wanted = event.name == name
                    if wanted:
                        found.append((event, bytearray()))
                elif event is not None and wanted:
                    found[-1][1].extend(event)
                if parts > MAX_PARTS:
                    raise _malformed(f"more than {MAX_PARTS} parts")
    except MultipartError as error:
        raise _malformed("not multipart/form-data") from error
    segment, content = _only(found, name)
    return _transferred(segment, bytes(content), name)


def _parser(boundary: str, length: int) -> PushMultipartParser:
    return PushMultipartParser(
        boundary,
        content_length=length,
        # Limits of its own would be met below the contract's, and of the headers only ASCII is read.
        max_header_size=length,
        max_header_count=length,
        header_charset="latin-1",
    )


def _transferred(segment: MultipartSegment, content: bytes, name: str) -> tuple[bytes, bool]:
    """The content without its transfer encoding, which is old (RFC 7578 section 4.7), and whether it is a file."""
    encoding = segment.header("Content-Transfer-Encoding", "").strip().lower()
    if encoding == "base64":
        try:
            return base64_bytes(content.replace(b"\r\n", b"")), True
        except Base64Error as error:
            raise invalid_input(f"/{name}", str(error)) from None
    if encoding not in ("", "7bit", "8bit", "binary"):
        raise _malformed("a part has a Content-Transfer-Encoding other than 7bit, 8bit, binary and base64")
    if segment.filename is not None or not (segment.content_type or "text/plain").startswith("text/"):
        return content, True
    return content, "filename*" in parse_options_header(segment.header("Content-Disposition", ""))[1]


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
