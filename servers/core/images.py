"""Bytes of an untrusted JPEG or PNG to the pixels that the model sees.

The order is the defence (Pillow handbook, "Security"): magic bytes, header only, caps on what the header claims,
and only then the decoder. TensorFlow's own image decoders have no such caps and never see a user's bytes.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from servers.core.reply import ApiError

SIDE: Final = 224
"""Side of the square that the CNN takes, in pixels."""

MAX_SIDE: Final = 8192
"""Longest side accepted, in pixels."""

MAX_PIXELS: Final = 32_000_000
"""Most pixels accepted; decoded as RGB that is 96 MB, the most that one request may make the decoder hold."""

_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")

# What Pillow's JPEG and PNG readers raise on damaged input; anything else is a fault of ours and becomes a 500.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)

# Pillow's own cap only warns up to twice its value, and `warnings` is not thread-safe; the caps above are stricter
# and checked on the header, so Pillow's is switched off.
Image.MAX_IMAGE_PIXELS = None


Resize = Callable[[Image.Image, int, int], NDArray[np.uint8]]
"""The levels of a picture made so many pixels wide and high: [height, width, 3] of an RGB one, [height, width] of L."""


def by_pillow(image: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    """Pillow's bicubic filter, which the article uses and all others are held against."""
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)


def decode_image(
    data: bytes, width: int = SIDE, height: int = SIDE, mode: str = "RGB", resize: Resize = by_pillow
) -> NDArray[np.uint8]:
    """The pixels of one image as a model takes them; the sizes are the classifier's where none are given.

    Returns uint8 [height, width, 3] where the Pillow mode is RGB, [height, width] where it is L, resized with Pillow's
    bicubic filter (the article's `convert("RGB").resize(...)`) or one that gives the same pixels. Orientation tags are
    ignored, alpha is dropped, and of an animation the first frame counts.

    Pillow's draft mode, which lets the JPEG decoder scale down by itself, is left out, fast as it is: it is another
    filter. It begins at twice the side, and there it changes pixels by up to 30 levels of 255 and logits by up to 0.12,
    a thousand times what the reference allows (docs/design-notes.md).

    Raises ApiError `invalid_image` where the bytes are not a whole JPEG or PNG, or exceed a cap.
    """
    if not data.startswith(_MAGIC):
        raise _refusal("not a JPEG or PNG image")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            sides = image.size
            if max(sides) > MAX_SIDE or sides[0] * sides[1] > MAX_PIXELS:
                raise _refusal(f"over {MAX_SIDE} pixels a side or {MAX_PIXELS} pixels in all")
            pixels = image.convert(mode)
    except _DAMAGED as damage:
        raise _refusal("damaged or truncated image") from damage
    return resize(pixels, width, height)


def _refusal(why: str) -> ApiError:
    return ApiError(status=400, code="invalid_image", text=f"Invalid image: {why}")
