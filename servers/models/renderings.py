"""An 8 x 8 digit as the picture file that a client would send: scaled up, in some mode, as JPEG or PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FULL_INK: Final = 16
"""The largest value of a pixel in the source; it becomes 255. Strokes are light on a dark ground, as in the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How a digit is drawn; `side` in pixels, `quality` is JPEG's (1 to 95) and says nothing about a PNG."""

    side: int
    format: Literal["JPEG", "PNG"]
    mode: Literal["L", "RGB"]
    resample: Image.Resampling
    quality: int = 90

    @property
    def content_type(self) -> str:
        """Media type of the file."""
        return f"image/{self.format.lower()}"


def draw(ink: NDArray[np.uint8], rendering: Rendering) -> Image.Image:
    """The picture, in the rendering's side and mode, of one digit uint8 [8, 8]."""
    levels = np.rint(ink * (255 / FULL_INK)).astype(np.uint8)
    scaled = Image.fromarray(levels).resize((rendering.side, rendering.side), rendering.resample)
    return scaled.convert(rendering.mode)


def encode(picture: Image.Image, rendering: Rendering) -> bytes:
    """The bytes of the file; the same for the same Pillow and codec versions."""
    buffer = io.BytesIO()
    if rendering.format == "JPEG":
        picture.save(buffer, "JPEG", quality=rendering.quality)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


JUDGED: Final = (
    Rendering(side=28, format="PNG", mode="L", resample=Image.Resampling.BICUBIC),
    Rendering(side=64, format="JPEG", mode="RGB", resample=Image.Resampling.BILINEAR, quality=85),
    Rendering(side=160, format="PNG", mode="L", resample=Image.Resampling.BICUBIC),
    Rendering(side=224, format="PNG", mode="RGB", resample=Image.Resampling.NEAREST),
    Rendering(side=320, format="JPEG", mode="RGB", resample=Image.Resampling.LANCZOS, quality=90),
    Rendering(side=512, format="JPEG", mode="L", resample=Image.Resampling.BILINEAR, quality=95),
)
"""The renderings in which the stated accuracy is measured: every held-out digit in every one of them."""
