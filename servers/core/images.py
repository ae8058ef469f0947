"""Bytes of an untrusted JPEG or PNG to the pixels that the model sees.

The order is the defence (Pillow handbook, "Security"): magic bytes, header only, caps on what the header claims,
and only then the decoder. The containers are read here (`files.py`, `jpeg_file.py`), and of Pillow only its decoders
of pixels are asked: what its readers of whole files do beside that (16 bits cut off at 255, CMYK always taken for
inverted, limits on text and profiles) gives another picture than the file holds, or none. TensorFlow's own image
decoders have no caps and never see a user's bytes; `bench.py fuzz pictures` holds these pixels against theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from servers.core import picture_files as files
from servers.core.picture_files import Jpeg, Png
from servers.core.reply import invalid_image

SIDE: Final = 224
"""Side of the square that the CNN takes, in pixels."""

MAX_SIDE: Final = 8192
"""Longest side accepted, in pixels."""

MAX_PIXELS: Final = 20_000_000
"""Most pixels accepted. Pillow holds four bytes of each: 80 MB, the most that one request may make the decoder hold.
Where a JPEG's samples are kept beside its pixels, two bytes each, half their number counts too."""

FEW_PIXELS: Final = 4_000_000
"""Up to here a second copy in another mode is no matter; a larger picture is changed where it lies."""

_ROWS_AT_ONCE: Final = 64

_SAMPLES: Final = {
    (files.GREY, 1): ("1", "1"),
    (files.GREY, 2): ("L", "L;2"),
    (files.GREY, 4): ("L", "L;4"),
    (files.GREY, 8): ("L", "L"),
    # Of two bytes the first: the high byte of 16 bits, or a level without the alpha behind it.
    (files.GREY, 16): ("L", "L;16B"),
    (files.GREY_ALPHA, 8): ("L", "L;16B"),
    # Four bytes a pixel, of which the first is the level's high byte.
    (files.GREY_ALPHA, 16): ("RGB", "RGBX"),
    (files.COLOUR, 8): ("RGB", "RGB"),
    (files.COLOUR, 16): ("RGB", "RGB;16B"),
    (files.COLOUR_ALPHA, 8): ("RGB", "RGBX"),
    (files.COLOUR_ALPHA, 16): ("RGB", "RGBX;16B"),
}
"""Pillow's mode for the pixels of a PNG, and for the bytes that they are unpacked from, by colour type and depth."""

_OTHER_FORMATS: Final = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"\x00\x00\x01\x00", "an ICO"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL", "a JPEG XL"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"%PDF", "a PDF"),
    (b"<svg", "an SVG"),
    (b"<", "markup"),
    (b"data:", "a data URL"),
    (b"iVBORw0KGgo", "the base64 text of a PNG"),
    (b"/9j/", "the base64 text of a JPEG"),
    (b"{", "JSON"),
    (b"--", "a multipart form"),
    (b"\x89PNG", "a PNG whose line ends were changed on the way"),
)

Resize = Callable[[Image.Image, int, int], NDArray[np.uint8]]
"""The levels of a picture made so many pixels wide and high: [height, width, 3] of an RGB one, [height, width] of L."""


def by_pillow(image: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """Pillow's bicubic filter, which the article uses and all others are held against."""
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)


def is_picture(data: bytes) -> bool:
    """Whether the bytes begin as a JPEG or a PNG does, which no text can."""
    return data.startswith((files.JPEG_SIGNATURE, files.PNG_SIGNATURE))


def decode_image(
    data: bytes, width: int = SIDE, height: int = SIDE, mode: str = "RGB", resize: Resize = by_pillow
) -> NDArray[np.uint8]:
    """The pixels of one image as a model takes them; the sizes are the classifier's where none are given.

    Returns uint8 [height, width, 3] where the mode is RGB, [height, width] where it is L, resized with Pillow's
    bicubic filter (the article's `convert("RGB").resize(...)`) or one that gives the same pixels. 16 bits are cut to
    their high byte, gamma, profiles and orientation are ignored, alpha is dropped, and of an animation the picture that
    a reader of still ones shows counts. The grey of a JPEG is its own luma.

    Pillow's draft mode, which lets the JPEG decoder scale down by itself, is left out, fast as it is: it is another
    filter. It begins at twice the side, and there it changes pixels by up to 30 levels of 255 and logits by up to 0.12,
    a thousand times what the reference allows (docs/design-notes.md).

    Raises ApiError `invalid_image` where the bytes are not a whole JPEG or PNG, exceed a cap, or are of a kind that is
    not decoded.
    """
    if data.startswith(files.PNG_SIGNATURE):
        _require_room(*files.png_sides(data))
        png = files.read_png(data)
        image = _png_pixels(png)
        if png.colour == files.PALETTE:
            return _coloured(image, _tables(png, mode), width, height, resize)
        grey = png.colour in (files.GREY, files.GREY_ALPHA)
    elif data.startswith(files.JPEG_SIGNATURE):
        jpeg = files.read_jpeg(data)
        _require_room(jpeg.width, jpeg.height, jpeg.kept_samples)
        image = _jpeg_pixels(jpeg, data, mode)
        grey = image.mode == "L"
    else:
        raise invalid_image(_named(data))
    if image.width * image.height > FEW_PIXELS:
        return _resized_in_place(image, width, height, mode, grey=grey)
    if grey and image.mode == "RGB":
        image = image.getchannel(0)
    return resize(image if image.mode == mode else image.convert(mode), width, height)


def _named(data: bytes) -> str:
    """What the bytes are instead of a JPEG or PNG."""
    if not data:
        return "it is empty"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "not a JPEG or PNG image but a WebP"
    if data[4:8] == b"ftyp":
        return "not a JPEG or PNG image but a HEIC, an AVIF or a video"
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    found = next((name for magic, name in _OTHER_FORMATS if head.startswith(magic)), None)
    return "not a JPEG or PNG image" + (f" but {found}" if found else "")


def _require_room(width: int, height: int, kept_samples: int = 0) -> None:
    if not width or not height:
        raise invalid_image("it has no pixels")
    if max(width, height) > MAX_SIDE or width * height + kept_samples // 2 > MAX_PIXELS:
        kept = ", half the samples of a JPEG in several scans among them" if kept_samples else ""
        raise invalid_image(f"over {MAX_SIDE} pixels a side or {MAX_PIXELS} pixels in all{kept}")


def _png_pixels(png: Png) -> Image.Image:
    """The picture in mode L, 1 or RGB; where it has a palette, the index of each pixel as a level of grey."""
    mode, packed = _SAMPLES[files.GREY if png.colour == files.PALETTE else png.colour, png.depth]
    try:
        return Image.frombytes(mode, (png.width, png.height), png.idat, "zip", (packed, int(png.interlaced)))
    except ValueError as damage:
        raise invalid_image("a damaged PNG: its pixels do not decompress") from damage


def _jpeg_pixels(jpeg: Jpeg, data: bytes, mode: str) -> Image.Image:
    """The picture in mode L, RGB or CMYK."""
    if jpeg.channels == 4:
        mode, packed = "CMYK", "CMYK;I" if jpeg.adobe else "CMYK"
    else:
        mode = packed = mode if jpeg.channels == 3 else "L"
    try:
        return Image.frombytes(mode, (jpeg.width, jpeg.height), data, "jpeg", (packed, ""))
    except ValueError as damage:
        raise invalid_image("a JPEG that is damaged or cut short") from damage


def _tables(png: Png, mode: str) -> list[bytes]:
    """For each channel of `mode` the 256 levels that an index, as a level of grey, stands for."""
    colours = png.palette + bytes(768 - len(png.palette))
    # Fewer bits are spread over all levels of grey: 4 bits over 0, 17, ..., 255.
    step = 255 // (2**png.depth - 1)
    palette = Image.frombytes("RGB", (256, 1), colours).convert(mode)
    return [bytes(channel.tobytes()[level // step] for level in range(256)) for channel in palette.split()]


def _coloured(index: Image.Image, tables: list[bytes], width: int, height: int, resize: Resize) -> NDArray[np.uint8]:
    index = index.convert("L")
    if index.width * index.height > FEW_PIXELS:
        levels = [by_pillow(index.point(table), width, height) for table in tables]
        return levels[0] if len(levels) == 1 else np.dstack(levels)
    channels = [index.point(table) for table in tables]
    return resize(channels[0] if len(channels) == 1 else Image.merge("RGB", channels), width, height)


def _resized_in_place(image: Image.Image, width: int, height: int, mode: str, *, grey: bool) -> NDArray[np.uint8]:
    """The same pixels as by `convert` and `resize`, without a second copy of the whole picture.

    The filter treats every channel alike and alone, so where the others stand beside it does not matter.
    """
    if image.mode == "1":
        image = image.convert("L")
    if image.mode != "L" and not (grey and mode == "L"):
        _convert_in_place(image, mode)
    levels = by_pillow(image, width, height)
    first = levels if levels.ndim == 2 else levels[..., 0]
    if mode == "L":
        return first
    return np.repeat(first[..., np.newaxis], 3, axis=2) if grey else np.ascontiguousarray(levels[..., :3])


def _convert_in_place(image: Image.Image, mode: str) -> None:
    """The levels of `mode` in the first channels of `image`, a strip at a time; RGB stays as it is."""
    if image.mode == mode:
        return
    for box in _strips(image):
        strip = image.crop(box).convert(mode).convert("RGB")
        if image.mode == "CMYK":
            # Four channels take four: what stands in them is no ink any more.
            strip = Image.frombytes("CMYK", strip.size, strip.convert("RGBX").tobytes())
        image.paste(strip, box)


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    for top in range(0, image.height, _ROWS_AT_ONCE):
        yield 0, top, image.width, min(top + _ROWS_AT_ONCE, image.height)
