"""The containers of PNG and JPEG, read strictly: which picture a file holds, before any decoder of pixels sees it.

Of a PNG only what decides the pixels goes on to the decoder. Text, profiles, gamma, transparency and animation stand
in chunks beside it; left to a library that reads them, one of them can make a whole picture count as damaged. Of a JPEG
the header is read up to its first scan: libraries call all kinds that they do not decode damaged, here each has a name.

Sources: PNG Specification, third edition (W3C), sections 5, 11 and 13; ITU-T T.81, annex B, and T.872 (the Adobe
marker). Which kinds of JPEG are decoded is libjpeg-turbo's doing.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from servers.core.reply import ApiError, invalid_image

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

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


def png_sides(data: bytes) -> tuple[int, int]:
    """Width and height as the header claims them, before anything else is looked at."""
    if len(data) < 33:
        raise invalid_image("a PNG that is cut short")
    if data[8:16] != b"\x00\x00\x00\x0dIHDR":
        raise invalid_image("a damaged PNG: it does not begin with its header")
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def read_png(data: bytes) -> Png:
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
    at = len(PNG_SIGNATURE)
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


JPEG_SIGNATURE: Final = b"\xff\xd8\xff"

_SEQUENTIAL: Final = (0xC0, 0xC1, 0xC9)
_PROGRESSIVE: Final = (0xC2, 0xCA)
_LOSSLESS: Final = (0xC3, 0xCB)
_HIERARCHICAL: Final = (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF)
_ALONE: Final = (0x01, *range(0xD0, 0xD8))
"""Markers without a length and a content."""

_SCAN: Final = 0xDA
_ADOBE: Final = 0xEE


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    """What a JPEG's header says.

    `adobe`: its four channels are stored inverted, as Adobe's programs do. `kept_samples` is how many the decoder holds
    beside the pixels, two bytes each: all of them where no row is whole before the last scan, else none.
    """

    width: int
    height: int
    channels: int
    adobe: bool
    kept_samples: int


def read_jpeg(data: bytes) -> Jpeg:
    """The header of the JPEG in `data`; raises ApiError `invalid_image`."""
    frame: tuple[int, bytes] | None = None
    adobe = False
    at = 2
    while True:
        marker, content, at = _segment(data, at)
        if marker in _HIERARCHICAL:
            raise invalid_image("a hierarchical JPEG, which is not decoded")
        if marker in _LOSSLESS:
            raise invalid_image("a lossless JPEG, which is not decoded")
        if marker in _SEQUENTIAL or marker in _PROGRESSIVE:
            if frame is not None:
                raise _damaged()
            frame = (marker, content)
        elif marker == _ADOBE:
            adobe = adobe or (content.startswith(b"Adobe") and len(content) >= 12)
        elif marker == _SCAN:
            if frame is None or not content:
                raise _damaged()
            return _jpeg(*frame, adobe=adobe, channels_of_first_scan=content[0])


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The marker at `at`, what it holds, and where the next one is."""
    while True:
        if data[at : at + 1] not in (b"\xff", b""):
            raise _damaged()
        while data[at : at + 1] == b"\xff":
            at += 1
        if at + 3 > len(data):
            raise invalid_image("a JPEG that is cut short")
        marker = data[at]
        at += 1
        if marker not in _ALONE:
            break
    length = int.from_bytes(data[at : at + 2])
    # A stuffed zero, a second start, and an end without a picture.
    if marker in (0x00, 0xD8, 0xD9) or length < 2:
        raise _damaged()
    if at + length > len(data):
        raise invalid_image("a JPEG that is cut short")
    return marker, data[at + 2 : at + length], at + length


def _jpeg(marker: int, frame: bytes, *, adobe: bool, channels_of_first_scan: int) -> Jpeg:
    channels = frame[5] if len(frame) > 5 else 0
    if not channels or len(frame) != 6 + 3 * channels:
        raise _damaged()
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    if frame[0] != 8:
        raise invalid_image(f"a JPEG of {frame[0]} bits, and only 8 are decoded")
    if not height and width:
        raise invalid_image("a JPEG whose height comes after its pixels (DNL), which is not decoded")
    if channels not in (1, 3, 4):
        raise invalid_image(f"a JPEG of {channels} channels, and only 1, 3 or 4 are decoded")
    factors = [(each >> 4, each & 15) for each in frame[7::3]]
    across, down = max(one for one, _ in factors), max(one for _, one in factors)
    if not all(1 <= one <= 4 and 1 <= other <= 4 for one, other in factors):
        raise _damaged()
    if any(across % one or down % other for one, other in factors):
        raise invalid_image("a JPEG with channels that are no whole part of the largest, which is not decoded")
    kept = marker in _PROGRESSIVE or channels_of_first_scan < channels
    samples = sum(-(-width * one // across) * -(-height * other // down) for one, other in factors)
    return Jpeg(width=width, height=height, channels=channels, adobe=adobe, kept_samples=samples if kept else 0)


def _damaged() -> ApiError:
    return invalid_image("a damaged JPEG")
