"""A JPEG's header, read strictly up to its first scan: which picture it is, and what its decoder must keep.

What a library would say of all these is "damaged"; here each kind that is not decoded is refused by its name.

Source: ITU-T T.81, annex B, and T.872 (the Adobe marker); which kinds are decoded is libjpeg-turbo's doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servers.core.reply import ApiError, invalid_image

SIGNATURE: Final = b"\xff\xd8\xff"

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


def read(data: bytes) -> Jpeg:
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
