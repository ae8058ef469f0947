"""A PNG's container, read strictly: which picture its header tells of, and the compressed pixels.

Only what decides the pixels goes on to the decoder. Text, profiles, gamma, transparency and animation stand in chunks
beside it; left to a library that reads them, one of them can make a whole picture count as damaged.

Source: PNG Specification, third edition (W3C), sections 5, 11 and 13.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from servers.core.reply import invalid_image

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

GREY: Final = 0
COLOUR: Final = 2
PALETTE: Final = 3
GREY_ALPHA: Final = 4
COLOUR_ALPHA: Final = 6

_DEPTHS: Final = {
    GREY: (1, 2, 4, 8, 16),
    COLOUR: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    COLOUR_ALPHA: (8, 16),
}
_AROUND_BYTES: Final = 12
"""Length, type and checksum of a chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Png:
    """A PNG whose chunks are all there and unharmed. `palette` has three bytes a colour, `idat` is one zlib stream."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes
    idat: bytes


def sides(data: bytes) -> tuple[int, int]:
    """Width and height as the header claims them, before anything else is looked at."""
    if len(data) < 33:
        raise invalid_image("a PNG that is cut short")
    if data[8:16] != b"\x00\x00\x00\x0dIHDR":
        raise invalid_image("a damaged PNG: it does not begin with its header")
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def read(data: bytes) -> Png:
    """The PNG in `data`, whose `sides` were found acceptable, and nothing behind its end; raises `invalid_image`."""
    depth, colour, compression, filtering, interlace = data[24:29]
    palette = b""
    pieces: list[bytes] = []
    ended = False
    for kind, content in _chunks(data):
        if kind == b"IDAT":
            if ended:
                raise invalid_image("a damaged PNG: its pixels are not in one piece")
            pieces.append(content)
            continue
        ended = bool(pieces)
        if kind == b"PLTE":
            palette = content
        elif not kind[0] & 0x20 and kind not in (b"IHDR", b"IEND"):
            raise invalid_image("a PNG with a critical chunk that the standard does not know")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise invalid_image("a PNG of a kind that the standard does not know")
    if not pieces:
        raise invalid_image("a PNG without pixels")
    if colour == PALETTE and (not palette or len(palette) % 3 or len(palette) > 768):
        raise invalid_image("a damaged PNG: it has no palette")
    return Png(
        width=int.from_bytes(data[16:20]),
        height=int.from_bytes(data[20:24]),
        depth=depth,
        colour=colour,
        interlaced=bool(interlace),
        palette=palette,
        idat=pieces[0] if len(pieces) == 1 else b"".join(pieces),
    )


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Type and content of each chunk up to the last, their checksums right."""
    view = memoryview(data)
    found: list[tuple[bytes, bytes]] = []
    at = len(SIGNATURE)
    while not found or found[-1][0] != b"IEND":
        length = int.from_bytes(view[at : at + 4])
        end = at + _AROUND_BYTES + length
        if end > len(data):
            raise invalid_image("a PNG that is cut short")
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise invalid_image("a damaged PNG: a checksum is wrong")
        kind = bytes(view[at + 4 : at + 8])
        # What is not needed is not copied: a chunk beside the pixels may be as long as the body.
        found.append((kind, bytes(view[at + 8 : end - 4]) if kind in (b"IDAT", b"PLTE") else b""))
        at = end
    return found
