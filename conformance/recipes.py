"""Recipes for request bodies: small frozen values that say how bytes are made, and `build`, which makes them.

A case stays data (printable, comparable, a few bytes long) even where its body is eight megabytes or a
picture, and nothing is drawn before a case runs.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias
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


class DigitPng(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """A digit in a PNG of any colour type and depth; with one `level_bits`, and grey or not, all are one picture.

    `colour` and `depth` are those of its header. Levels are those of `level_bits` bits, 1 to `depth`, spread over the
    depth. `beside` are chunks (type and content) before the palette, `pieces` is how many IDAT chunks it has.
    """

    colour: int
    depth: int
    level_bits: int = 4
    interlaced: bool = False
    beside: tuple[tuple[bytes, bytes], ...] = ()
    pieces: int = 1


class DigitJpeg(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """The same digit in a JPEG of a Pillow mode, as Pillow saves it; `subsampling` is Pillow's.

    `segments` are put before all others, marker and content each. Four channels are ink, stored inverted and marked as
    Adobe's; without the mark (`adobe` False) they are stored as ink.
    """

    mode: str = "RGB"
    progressive: bool = False
    subsampling: int = 2
    restart_blocks: int = 0
    adobe: bool = True
    segments: tuple[tuple[int, bytes], ...] = ()


class ClaimedPng(Struct, frozen=True, kw_only=True, tag_field="recipe"):
    """A PNG whose header claims any size, checksum and all, while its data hold one row: a bomb's fuse."""

    width_px: int
    height_px: int


Recipe: TypeAlias = (
    bytes | Repeat | Join | Truncated | Base64 | Escaped | DrawnPicture | DigitPng | DigitJpeg | ClaimedPng
)


def _seven_segments(*strokes: tuple[int, int, int, int]) -> tuple[tuple[float, ...], ...]:
    """Bright strokes (left, top, right, bottom) on a ground that is dark and not black: 28 by 28, from 0 to 1."""
    return tuple(
        tuple(
            1.0 if any(left <= x < right and top <= y < bottom for left, top, right, bottom in strokes) else 0.2
            for x in range(28)
        )
        for y in range(28)
    )


_DIGIT: Final = _seven_segments((7, 4, 10, 15), (17, 4, 20, 24), (7, 12, 20, 15))
"""A four."""

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
        case _:
            return _PICTURES[type(part)](part)


@lru_cache(maxsize=32)
def _drawn(picture: DrawnPicture) -> bytes:
    from PIL import Image  # noqa: PLC0415 - Pillow takes longer to import than all of the cases together

    image = Image.new("L", (picture.width_px, picture.height_px))
    image.putdata([(7 * x + 3 * y) % 256 for y in range(picture.height_px) for x in range(picture.width_px)])
    sink = io.BytesIO()
    image.convert(picture.mode).save(sink, format=picture.format)
    return sink.getvalue()


@lru_cache(maxsize=64)
def _digit_png(png: DigitPng) -> bytes:
    most = 2**png.level_bits - 1
    step = (2**png.depth - 1) // most
    levels = [[round(dark * most) * step for dark in row] for row in _DIGIT]
    palette: tuple[tuple[bytes, bytes], ...] = ()
    if png.colour == 3:
        levels = [[level // step for level in row] for row in levels]
        greys = [255 * index // most for index in range(most + 1)]
        palette = ((b"PLTE", b"".join(bytes(3 * [grey]) for grey in greys)),)
    # Transparent where it is brightest: who lays it on a ground loses the digit.
    alpha = [[0 if level == most * step else 2**png.depth - 1 for level in row] for row in levels]
    channels = {0: 1, 2: 3, 3: 1, 4: 1, 6: 3}[png.colour]
    rows = [
        [
            value
            for level, clear in zip(*both, strict=True)
            for value in (channels * [level] + [clear] * (png.colour > 3))
        ]
        for both in zip(levels, alpha, strict=True)
    ]
    # Transparency goes by the palette, so it comes after it.
    late = tuple(chunk for chunk in png.beside if chunk[0] == b"tRNS")
    beside = (*(chunk for chunk in png.beside if chunk not in late), *palette, *late)
    return png_file(
        rows, colour=png.colour, depth=png.depth, interlaced=png.interlaced, beside=beside, pieces=png.pieces
    )


PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row of each pass, and the steps between them."""


def png_file(
    rows: list[list[int]],
    *,
    colour: int,
    depth: int,
    interlaced: bool = False,
    beside: tuple[tuple[bytes, bytes], ...] = (),
    pieces: int = 1,
    filters: tuple[int, ...] = (0,),
    behind: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """A PNG of samples [height][width * channels]; `filters` take turns, a row each, and `behind` follow the pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width = len(rows[0]) // channels
    data = bytearray()
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        before = b""
        for at, row in enumerate(rows[top::down] if left < width else []):
            taken = [value for x in range(left, width, across) for value in row[x * channels : (x + 1) * channels]]
            packed = _packed(taken, depth)
            kind = filters[at % len(filters)]
            data += bytes([kind]) + _filtered(kind, packed, before, max(1, channels * depth // 8))
            before = packed
    squeezed = zlib.compress(bytes(data))
    cuts = [len(squeezed) * at // pieces for at in range(pieces + 1)]
    idat = tuple((b"IDAT", squeezed[start:end]) for start, end in itertools.pairwise(cuts))
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, interlaced)
    chunks = ((b"IHDR", header), *beside, *idat, *behind, (b"IEND", b""))
    return _PNG_SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _packed(values: list[int], depth: int) -> bytes:
    if depth == 16:
        return struct.pack(f">{len(values)}H", *values)
    each = 8 // depth
    padded = values + [0] * (-len(values) % each)
    return bytes(
        sum(value << (8 - depth * (place + 1)) for place, value in enumerate(padded[at : at + each]))
        for at in range(0, len(padded), each)
    )


def _filtered(kind: int, row: bytes, before: bytes, pixel: int) -> bytes:
    """A row after one of the five filters (PNG Specification section 9); `pixel` is its bytes a pixel."""
    above = before or bytes(len(row))
    left = bytes(pixel) + row
    corner = bytes(pixel) + above

    def foretold(at: int) -> int:
        if kind == 4:
            near = left[at] + above[at] - corner[at]
            return min((left[at], above[at], corner[at]), key=lambda value: abs(near - value))
        return (0, left[at], above[at], (left[at] + above[at]) // 2)[kind]

    return bytes((value - foretold(at)) % 256 for at, value in enumerate(row))


@lru_cache(maxsize=32)
def _digit_jpeg(jpeg: DigitJpeg) -> bytes:
    from PIL import Image  # noqa: PLC0415 - as above

    image = Image.new("L", (len(_DIGIT[0]), len(_DIGIT)))
    image.putdata([round(255 * dark) for row in _DIGIT for dark in row])
    image = image.convert("RGB").convert(jpeg.mode)
    if not jpeg.adobe:
        image = image.point(lambda ink: 255 - ink)
    sink = io.BytesIO()
    more = {"restart_marker_blocks": jpeg.restart_blocks} if jpeg.restart_blocks else {}
    subsampling = {"subsampling": jpeg.subsampling} if jpeg.mode == "RGB" else {}
    image.save(sink, format="JPEG", progressive=jpeg.progressive, **more, **subsampling)
    data = sink.getvalue()
    if not jpeg.adobe:
        at = data.index(b"Adobe") - 4
        data = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]
    return data[:2] + b"".join(segment(marker, content) for marker, content in jpeg.segments) + data[2:]


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG with its length (ITU-T T.81 section B.1.1.4)."""
    return struct.pack(">BBH", 255, marker, len(content) + 2) + content


def _claimed(png: ClaimedPng) -> bytes:
    header = struct.pack(">IIBBBBB", png.width_px, png.height_px, 8, 0, 0, 0, 0)
    row = zlib.compress(bytes(64))
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", row) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_PICTURES: Final[dict[type, Callable[[Any], bytes]]] = {
    DrawnPicture: _drawn,
    DigitPng: _digit_png,
    DigitJpeg: _digit_jpeg,
    ClaimedPng: _claimed,
}
