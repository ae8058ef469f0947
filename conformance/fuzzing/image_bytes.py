"""Pictures and what can be wrong with them: chunks and markers first, bytes last."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from random import Random
from typing import Final

from conformance.fuzzing.mutate import chance, damaged, shuffled_items
from conformance.recipes import DrawnPicture, build

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_SIDES_PX: Final = (0, 1, 7, 24, 255, 8192, 8193, 65535, 2**31 - 1, 2**32 - 1)
_MODES: Final = {"PNG": ("RGB", "L", "RGBA", "P", "1", "LA", "I;16"), "JPEG": ("RGB", "L", "CMYK")}
_MARKERS: Final = (
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xc0",
    b"\xff\xc2",
    b"\xff\xe1",
    b"\xff\xfe",
    b"\xff\xdd",
)


def picture(random: Random) -> tuple[bytes, str]:
    """A JPEG or PNG, whole or not, and its media type."""
    kind = "PNG" if chance(random, 0.6) else "JPEG"
    data = _drawn(kind, random.choice(_MODES[kind]), random.choice((1, 8, 24)), random.choice((1, 9, 24)))
    if chance(random, 0.35):
        data = _png_edited(random, data) if kind == "PNG" else _jpeg_edited(random, data)
    if chance(random, 0.3):
        data = damaged(random, data)
    return data, f"image/{kind.lower()}"


@cache
def _drawn(kind: str, mode: str, width_px: int, height_px: int) -> bytes:
    return build(DrawnPicture(format=kind, mode=mode, width_px=width_px, height_px=height_px))


def _png_edited(random: Random, data: bytes) -> bytes:
    """One edit to the chunks, their checksums made right again, so that the decoder reads on."""
    chunks = _chunks(data)
    at = random.randint(0, len(chunks) - 1)
    kind, content = chunks[at]
    match random.randint(0, 3):
        case 0:
            header = bytearray(chunks[0][1])
            struct.pack_into(">I", header, random.choice((0, 4)), random.choice(_SIDES_PX))
            chunks[0] = (b"IHDR", bytes(header))
        case 1:
            header = bytearray(chunks[0][1])
            header[random.randint(8, 12)] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
            chunks[0] = (b"IHDR", bytes(header))
        case 2:
            chunks[at] = (kind, damaged(random, content))
        case _:
            chunks = shuffled_items(random, chunks)
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    at = len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def _jpeg_edited(random: Random, data: bytes) -> bytes:
    """A marker put in, or the sides in the frame header changed."""
    frame = data.find(b"\xff\xc0")
    if frame >= 0 and chance(random, 0.5):
        edited = bytearray(data)
        struct.pack_into(">H", edited, frame + random.choice((5, 7)), random.choice(_SIDES_PX) & 0xFFFF)
        return bytes(edited)
    at = random.randint(0, len(data))
    return data[:at] + random.choice(_MARKERS) + struct.pack(">H", random.choice((0, 2, 16, 65535))) + data[at:]
