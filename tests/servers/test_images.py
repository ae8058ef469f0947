"""Pictures: what decoding holds at the limits, what is refused by which name, and why JPEG's draft mode is off."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

from servers.core import images
from servers.core.images import MAX_PIXELS, SIDE, decode_image
from servers.core.picture_files import read_jpeg
from servers.core.reply import ApiError
from servers.models.datasets import dataset
from servers.models.payloads import payloads
from servers.models.reference import ATOL, reference
from servers.models.renderings import Rendering, draw, encode
from servers.repository import REPOSITORY

_SIDES: Final = (5000, 4000)
_MEASURED: Final = """
import re, sys
from servers.core.images import decode_image
def held_kib():
    # The most ever held by this program: getrusage would tell of the one that started it, too.
    return int(re.search(r"VmHWM:\\s*([0-9]+) kB", open("/proc/self/status").read())[1])
data = sys.stdin.buffer.read()
decode_image(bytes.fromhex({small!r}))
before = held_kib()
decode_image(data, 224, 224, {mode!r})
print(held_kib() - before)
"""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, depth: int, colour: int, *, interlaced: bool = False, rows: bytes = b"") -> bytes:
    """A black PNG, or one of these rows; an interlaced one has its passes' rows in one."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    squeezed = zlib.compressobj(1)
    row = bytes(1 + (width * channels * depth + 7) // 8)
    pieces = [squeezed.compress(rows or row * height), squeezed.compress(bytes(8 * height) if interlaced else b"")]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = _chunk(b"PLTE", bytes(range(6))) if colour == 3 else b""
    data = _chunk(b"IDAT", b"".join([*pieces, squeezed.flush()]))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + palette + data + _chunk(b"IEND", b"")


def _jpeg(mode: str, width: int, height: int, **how: object) -> bytes:
    sink = io.BytesIO()
    Image.new(mode, (width, height)).save(sink, "JPEG", quality=10, **how)
    return sink.getvalue()


_LARGEST: Final = {
    "png-colour-alpha-16": (lambda: _png(*_SIDES, 16, 6), "RGB"),
    "png-colour-alpha-8-interlaced": (lambda: _png(*_SIDES, 8, 6, interlaced=True), "RGB"),
    "png-grey-alpha-16": (lambda: _png(*_SIDES, 16, 4), "RGB"),
    "png-palette": (lambda: _png(*_SIDES, 8, 3), "RGB"),
    "png-one-bit": (lambda: _png(*_SIDES, 1, 0), "RGB"),
    "png-colour-as-grey": (lambda: _png(*_SIDES, 8, 2), "L"),
    "jpeg-baseline": (lambda: _jpeg("RGB", *_SIDES), "RGB"),
    "jpeg-cmyk": (lambda: _jpeg("CMYK", *_SIDES), "RGB"),
    "jpeg-progressive": (lambda: _jpeg("RGB", 3800, 3000, progressive=True), "RGB"),
    "jpeg-progressive-full-colour": (lambda: _jpeg("RGB", 3200, 2500, progressive=True, subsampling=0), "RGB"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell what was held at most")
@pytest.mark.parametrize("name", _LARGEST)
def test_the_largest_pictures_are_decoded_within_96_mib(name: str) -> None:
    """A picture of each kind just under the limit makes a process hold at most 96 MiB more than a small one did."""
    make, mode = _LARGEST[name]
    code = _MEASURED.format(mode=mode, small=_png(2, 2, 8, 2).hex())
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, input=make(), capture_output=True, check=True, timeout=60
    )
    held_mib = int(done.stdout) / 1024
    assert 16 < held_mib <= 96


def test_a_pixel_over_the_limit_is_refused_before_it_is_decoded() -> None:
    """20 000 000 pixels are the most, and of a progressive JPEG half the samples count."""
    assert _SIDES[0] * _SIDES[1] == MAX_PIXELS
    for large in (
        _png(5000, 4001, 8, 0, rows=b"\0"),
        _jpeg("RGB", 3300, 2500, progressive=True, subsampling=0),
        _jpeg("CMYK", 2600, 2600, progressive=True),
    ):
        with pytest.raises(ApiError, match="over 8192 pixels a side or 20000000"):
            decode_image(large)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_large_picture_has_the_pixels_of_a_small_one(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed where it lies, a strip at a time, comes out as what is copied first, in every kind of file."""
    draw = np.random.default_rng(0)
    noise = Image.fromarray(draw.integers(0, 256, (150, 90, 3), dtype=np.uint8))
    files = []
    for kind, modes in {"PNG": ("1", "L", "P", "LA", "RGBA", "RGB"), "JPEG": ("L", "RGB", "CMYK")}.items():
        for one in modes:
            sink = io.BytesIO()
            noise.convert(one).save(sink, kind)
            files.append(sink.getvalue())
    raw = b"".join(b"\0" + draw.bytes(90 * 8) for _ in range(150))
    files += [_png(90, 150, 16, 6, rows=raw), _png(180, 150, 16, 4, rows=raw), _png(360, 150, 16, 0, rows=raw)]
    copied = [decode_image(file, 31, 20, mode) for file in files]
    monkeypatch.setattr(images, "FEW_PIXELS", 0)
    for file, small in zip(files, copied, strict=True):
        np.testing.assert_array_equal(decode_image(file, 31, 20, mode), small)


def _frame(marker: int, bits: int, height: int, factors: bytes) -> bytes:
    """A JPEG up to its first scan; each byte of `factors` is a channel's."""
    channels = b"".join(bytes((at, factor, 0)) for at, factor in enumerate(factors))
    frame = struct.pack(">BHHB", bits, height, 8, len(factors)) + channels
    scan = bytes((len(factors), *(0 for _ in range(2 * len(factors))), 0, 63, 0))
    parts = ((marker, frame), (0xDA, scan))
    return b"\xff\xd8" + b"".join(struct.pack(">BBH", 255, kind, len(data) + 2) + data for kind, data in parts)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (_frame(0xC1, 12, 8, b"\x11"), "12 bits"),
        (_frame(0xC3, 8, 8, b"\x11"), "lossless"),
        (_frame(0xC5, 8, 8, b"\x11"), "hierarchical"),
        (_frame(0xC0, 8, 8, b"\x11\x11"), "2 channels"),
        (_frame(0xC0, 8, 0, b"\x11"), "DNL"),
        (_frame(0xC0, 8, 8, b"\x31\x21\x11"), "no whole part"),
        (_frame(0xC0, 8, 8, b"\x11")[:-9], "cut short"),
        (b"\xff\xd8\xff\xd9", "cut short"),
        (b"", "empty"),
        (b"GIF89a", "a GIF"),
        (b"BM\0\0", "a BMP"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"II*\0\0\0", "a TIFF"),
        (b"data:image/png;base64,iVBOR", "a data URL"),
        (b"iVBORw0KGgoAAAA", "base64 text of a PNG"),
        (b"\xef\xbb\xbf<svg>", "an SVG"),
        (b"\x89PNG\n\x1a\n", "line ends were changed"),
        (_png(2, 2, 8, 0)[:-5], "cut short"),
        (_png(2, 2, 8, 0)[:-1] + b"\0", "a checksum is wrong"),
        (_png(2, 2, 3, 0), "a kind that the standard does not know"),
        (_png(0, 2, 8, 0), "no pixels"),
        (_png(9, 2, 8, 0, rows=b"\0"), "do not decompress"),
    ],
)
def test_what_is_refused_is_called_what_it_is(data: bytes, why: str) -> None:
    """Each kind of bytes that is no picture here is named, and only what is damaged or cut short is called so."""
    with pytest.raises(ApiError, match=why) as refused:
        decode_image(data)
    assert refused.value.code == "invalid_image"


def test_a_header_is_read_as_the_decoder_reads_it() -> None:
    """Fill bytes and markers without a length are passed over, and of Adobe's marker only a whole one counts."""
    sink = io.BytesIO()
    Image.new("CMYK", (9, 7)).save(sink, "JPEG")
    data = sink.getvalue()
    assert read_jpeg(data).adobe
    assert not read_jpeg(data.replace(b"Adobe", b"Abode")).adobe
    filled = data[:2] + b"\xff\xff\x01\xff" + data[2:]
    np.testing.assert_array_equal(decode_image(filled), decode_image(data))


def test_every_byte_of_a_png_counts() -> None:
    """No bit of a PNG can be turned without its being found: each stands under a checksum, which is looked at."""
    sink = io.BytesIO()
    Image.effect_noise((9, 7), 50).save(sink, "PNG")
    data = sink.getvalue()
    for at in range(len(data) * 8):
        turned = bytearray(data)
        turned[at // 8] ^= 1 << at % 8
        with pytest.raises(ApiError):
            decode_image(bytes(turned))
    assert decode_image(data).shape == (224, 224, 3)


_FIRST_SCALED: Final = 2 * SIDE
"""The decoder scales down by two as soon as what it gives is no smaller than what is asked for."""


def _decoded(data: bytes, *, draft: bool) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if draft:
            image.draft("RGB", (SIDE, SIDE))
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _large(side: int, count: int) -> list[bytes]:
    inks, _ = dataset("digits").part(held_out=True)
    sharp = Rendering(side=side, format="JPEG", mode="RGB", resample=Image.Resampling.NEAREST)
    return [encode(draw(ink, sharp), sharp) for ink in inks[:count]]


def test_draft_mode_would_change_nothing_that_is_measured() -> None:
    """Every JPEG among the payloads is below twice the model's side, where the draft is the whole picture."""
    pictures = [one for one in payloads("classify", "raw", 32) if one.content_type == "image/jpeg"]
    assert pictures
    for one in pictures:
        assert one.image is not None
        assert one.image.side < _FIRST_SCALED
        np.testing.assert_array_equal(_decoded(one.body, draft=True), decode_image(one.body))


@pytest.mark.parametrize("side", [_FIRST_SCALED, 1024])
def test_draft_mode_would_leave_the_tolerance(side: int) -> None:
    """On large JPEGs the core's pixels are those of the whole picture; the draft's move logits beyond the tolerance."""
    files = _large(side, 8)
    whole = np.stack([decode_image(file) for file in files])
    np.testing.assert_array_equal(whole, np.stack([_decoded(file, draft=False) for file in files]))
    drafted = np.stack([_decoded(file, draft=True) for file in files])
    moved = np.abs(reference("digits_cnn", whole / 255.0) - reference("digits_cnn", drafted / 255.0))
    assert (moved.max(axis=1) > 10 * ATOL).all()
