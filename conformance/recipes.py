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
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes

from msgspec import Struct

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


class Repeat(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """`unit`, `times` times over."""

    unit: bytes
    times: int


class Join(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """One part after the other."""

    parts: tuple[Recipe, ...]


class Truncated(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """The first `keep_bytes` bytes of a part; a negative number leaves that many out at the end."""

    of: Recipe
    keep_bytes: int


class Base64(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """A part in base64, standard alphabet, padded (RFC 4648 section 4)."""

    of: Recipe


class Escaped(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """A part percent-encoded, every byte but letters, digits and `_.-~` (RFC 3986 section 2.1).

    `small` writes the hexadecimal digits as small letters, which mean the same.
    """

    of: Recipe
    small: bool = False


class DrawnPicture(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """A deterministic picture that Pillow encodes: a slope both ways, so that no two corners are alike.

    `format` is a Pillow format name, `mode` a Pillow mode; sides are in pixels.
    """

    format: str
    mode: str = "RGB"
    width_px: int = 24
    height_px: int = 24


class ClaimedPng(Struct, frozen=True, kw_only=True, tag_field="recipe"):
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
