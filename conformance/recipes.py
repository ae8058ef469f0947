"""Recipes for request bodies: small frozen values that say how bytes are made, and `build`, which makes them.

A case stays data (printable, comparable, a few bytes long) even where its body is eight megabytes or a
picture, and nothing is drawn before a case runs.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import quote_from_bytes

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """`unit`, `times` times over."""

    unit: bytes
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One part after the other."""

    parts: tuple[Recipe, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """The first `keep_bytes` bytes of a part; a negative number leaves that many out at the end."""

    of: Recipe
    keep_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Base64:
    """A part in base64, standard alphabet, padded (RFC 4648 section 4)."""

    of: Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Escaped:
    """A part percent-encoded, every byte but letters, digits and `_.-~` (RFC 3986 section 2.1).

    `small` writes the hexadecimal digits as small letters, which mean the same.
    """

    of: Recipe
    small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPicture:
    """A deterministic picture that Pillow encodes: a slope both ways, so that no two corners are alike.

    `format` is a Pillow format name, `mode` a Pillow mode; sides are in pixels.
    """

    format: str
    mode: str = "RGB"
    width_px: int = 24
    height_px: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedPng:
    """A PNG whose header claims any size, checksum and all, while its data hold one row: a bomb's fuse."""

    width_px: int
    height_px: int


Recipe: TypeAlias = bytes | Repeat | Join | Truncated | Base64 | Escaped | DrawnPicture | ClaimedPng


_ESCAPE: Final = re.compile(rb"%..")


def build(part: Recipe) -> bytes:
    """The bytes that a recipe stands for."""
    match part:
        case bytes():
            return part
        case Repeat():
            return part.unit * part.times
        case Join():
            return b"".join(build(each) for each in part.parts)
        case Truncated():
            return build(part.of)[: part.keep_bytes]
        case Base64():
            return base64.b64encode(build(part.of))
        case Escaped():
            text = quote_from_bytes(build(part.of), safe="").encode()
            return _ESCAPE.sub(lambda escape: escape[0].lower(), text) if part.small else text
        case DrawnPicture():
            return _drawn(part)
        case ClaimedPng():
            return _claimed(part)


@lru_cache(maxsize=32)
def _drawn(picture: DrawnPicture) -> bytes:
    from PIL import Image  # noqa: PLC0415 - Pillow takes longer to import than all of the cases together

    image = Image.new("L", (picture.width_px, picture.height_px))
    image.putdata([(7 * x + 3 * y) % 256 for y in range(picture.height_px) for x in range(picture.width_px)])
    sink = io.BytesIO()
    image.convert(picture.mode).save(sink, format=picture.format)
    return sink.getvalue()


def _claimed(png: ClaimedPng) -> bytes:
    header = struct.pack(">IIBBBBB", png.width_px, png.height_px, 8, 0, 0, 0, 0)
    row = zlib.compress(bytes(64))
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", row) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_KINDS: Final = {kind.__name__: kind for kind in (Repeat, Join, Truncated, Base64, Escaped, DrawnPicture, ClaimedPng)}


def part_to_json(part: Recipe) -> dict[str, Any]:
    """The recipe as a JSON object; ASCII bytes stay readable, others are in base64."""
    if isinstance(part, bytes):
        if part.isascii():
            return {"text": part.decode("ascii")}
        return {"base64": base64.b64encode(part).decode("ascii")}
    document: dict[str, Any] = {"part": type(part).__name__}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, tuple):
            document[field.name] = [part_to_json(each) for each in value]
        else:
            document[field.name] = value if isinstance(value, str | int) else part_to_json(value)
    return document


def part_from_json(document: dict[str, Any]) -> Recipe:
    """The inverse of `part_to_json`; raises KeyError on a part that does not exist."""
    if "text" in document:
        return str(document["text"]).encode("ascii")
    if "base64" in document:
        return base64.b64decode(document["base64"])
    arguments: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            arguments[name] = part_from_json(value)
        elif isinstance(value, list):
            arguments[name] = tuple(part_from_json(each) for each in value)
        elif name != "part":
            arguments[name] = value
    kind: Any = _KINDS[document["part"]]
    made: Recipe = kind(**arguments)
    return made
