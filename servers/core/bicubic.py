"""Pillow's bicubic resampling of RGB pictures, to the bit and several times as fast.

Resampling is most of what a picture costs before the model sees it, and Pillow's loops use no vector instructions.
These do the same arithmetic in the same order (horizontally and rounded to levels, then vertically, with weights of 22
fractional bits), compiled by Numba for the processor at hand. Pixels must be Pillow's own: a filter of another make
that is a level off moves logits (docs/design-notes.md).

Source of the arithmetic: Pillow's handbook, "Filters", and its src/libImaging/Resample.c. Which pass comes first has
changed between Pillow's versions, so the rule is found out by asking the one at hand; where it follows none that is
known, it does the work itself. `tests/servers/test_bicubic.py` compares the two over sizes, shapes and noise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from servers.core.images import by_pillow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from servers.core.images import Resize

_FRACTION_BITS: Final = 22
"""32 bits, less 8 of a level and 2 for the overshoot of a filter with negative lobes."""

_HALF: Final = 1 << (_FRACTION_BITS - 1)
_SUPPORT: Final = 2.0
_SHARPNESS: Final = -0.5
_ROWS_AT_ONCE: Final = 32
_CHANNELS: Final = 3

_MOST_PIXELS: Final = 4_000_000
"""Of larger pictures the copy that the loops read would be over 12 MB; Pillow works on what it has decoded."""

_VerticalFirst = Callable[[int, int, int, int], bool]
"""Whether the vertical pass comes first, from width and height before and after."""

_ORDERS: Final[tuple[_VerticalFirst, ...]] = (
    # Since 13.0, where the height shrinks by more than twice as many pixels as the width.
    lambda columns, rows, width, height: rows - height > max(0, 2 * (columns - width)),
    lambda _columns, _rows, _width, _height: False,
)

_PROBES: Final = ((9, 30, 20, 7), (30, 9, 7, 20), (30, 31, 20, 10), (30, 30, 20, 10), (30, 30, 7, 9), (5, 6, 12, 13))
"""Shapes before and after that tell the orders apart."""

_Weights = tuple["NDArray[np.int32]", "NDArray[np.int32]", "NDArray[np.int32]"]
"""For each output pixel the first input pixel, how many there are, and their weights."""


@cache
def compiled() -> Resize:
    """The resampler; the first call compiles it, or reads it from the folder in NUMBA_CACHE_DIR."""
    import numba  # noqa: PLC0415 - a server needs it, the harness and its reference do not

    pixels = numba.types.Array(numba.uint8, _CHANNELS, "C", readonly=True)
    fresh = numba.uint8[:, :, ::1]
    weights = (numba.int32[::1], numba.int32[::1], numba.int32[:, ::1])
    jit = numba.njit(
        numba.void(pixels, *weights, fresh), nogil=True, cache=_can_keep(os.environ.get("NUMBA_CACHE_DIR", ""))
    )
    horizontally, vertically = jit(_horizontally), jit(_vertically)

    def narrow(levels: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
        rows, columns, channels = levels.shape
        if columns == width:
            return levels
        out = np.empty((rows, width, channels), np.uint8)
        horizontally(levels, *weights_of(columns, width), out)
        return out

    def flatten(levels: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
        rows, columns, channels = levels.shape
        if rows == height:
            return levels
        out = np.empty((height, columns, channels), np.uint8)
        vertically(levels, *weights_of(rows, height), out)
        return out

    def in_order(vertical_first: _VerticalFirst) -> Resize:
        def resize(image: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
            columns, rows = image.size
            if image.mode != "RGB" or columns * rows > _MOST_PIXELS:
                return by_pillow(image, width, height)
            levels: NDArray[np.uint8] = np.asarray(image)
            if vertical_first(columns, rows, width, height):
                return narrow(flatten(levels, height), width)
            return flatten(narrow(levels, width), height)

        return resize

    return first_like_pillow([in_order(order) for order in _ORDERS])


def first_like_pillow(resizers: Iterable[Resize]) -> Resize:
    """The first of them that gives Pillow's pixels for every probe; Pillow itself where none does."""
    draw = np.random.default_rng(0)
    pictures = [
        (Image.fromarray(draw.choice(np.array([0, 255], np.uint8), (rows, columns, _CHANNELS))), width, height)
        for columns, rows, width, height in _PROBES
    ]
    wanted = [by_pillow(*picture) for picture in pictures]
    for resize in resizers:
        if all(np.array_equal(resize(*one), right) for one, right in zip(pictures, wanted, strict=True)):
            return resize
    return by_pillow


def _can_keep(folder: str) -> bool:
    """Whether Numba may keep what it compiles there; it makes the folder, and raises where it cannot."""
    return bool(folder) and os.access(folder if Path(folder).exists() else Path(folder).parent, os.W_OK)


@lru_cache(maxsize=256)
def weights_of(inputs: int, outputs: int) -> _Weights:
    """What makes a line of `outputs` pixels out of one of `inputs`, in fixed point.

    Every sum runs from the first pixel to the last, as Pillow's do: another order would round otherwise.
    """
    scale = inputs / outputs
    stretch = max(scale, 1.0)
    centers = (np.arange(outputs) + 0.5) * scale
    reach = _SUPPORT * stretch
    # `int` drops the fraction, as a cast does in C.
    first = np.maximum((centers - reach + 0.5).astype(np.int32), 0)
    count = np.minimum((centers + reach + 0.5).astype(np.int32), inputs) - first
    taps = np.arange(count.max())
    real = _bicubic((taps + first[:, np.newaxis] - centers[:, np.newaxis] + 0.5) * (1.0 / stretch))
    real[taps >= count[:, np.newaxis]] = 0.0
    total = np.zeros(outputs)
    for tap in taps:
        total += real[:, tap]
    scaled = real / total[:, np.newaxis] * (1 << _FRACTION_BITS)
    fixed = np.where(scaled < 0, scaled - 0.5, scaled + 0.5).astype(np.int32)
    return first, count, np.ascontiguousarray(fixed)


def _bicubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The filter's height: Keys' cubic convolution (IEEE Trans. ASSP 29, 1981) with a = -0.5."""
    x = np.abs(distance)
    near = ((_SHARPNESS + 2.0) * x - (_SHARPNESS + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * _SHARPNESS
    return np.where(x < 1.0, near, np.where(x < _SUPPORT, far, 0.0))


def _vertically(pixels: Any, first: Any, count: Any, weights: Any, out: Any) -> None:
    """Each row of `out` from a few rows of `pixels`; the innermost loops run along a row, so they become vectors."""
    rows, columns, channels = out.shape
    width = columns * channels
    source = pixels.reshape(pixels.shape[0], width)
    target = out.reshape(rows, width)
    sums = np.empty(width, np.int32)
    for row in range(rows):
        for at in range(width):
            sums[at] = _HALF
        for tap in range(count[row]):
            weight = weights[row, tap]
            line = first[row] + tap
            for at in range(width):
                sums[at] += np.int32(source[line, at]) * weight
        for at in range(width):
            target[row, at] = min(max(sums[at] >> _FRACTION_BITS, 0), 255)


def _horizontally(pixels: Any, first: Any, count: Any, weights: Any, out: Any) -> None:
    """Each column of `out` from a few columns of `pixels`, some rows at a time, laid on their side to be vectors."""
    rows, columns, channels = pixels.shape
    width = _ROWS_AT_ONCE * channels
    turned = np.zeros((columns, width), np.uint8)
    sums = np.empty(width, np.int32)
    for top in range(0, rows, _ROWS_AT_ONCE):
        high = min(_ROWS_AT_ONCE, rows - top)
        for row in range(high):
            for column in range(columns):
                turned[column, 3 * row] = pixels[top + row, column, 0]
                turned[column, 3 * row + 1] = pixels[top + row, column, 1]
                turned[column, 3 * row + 2] = pixels[top + row, column, 2]
        for column in range(out.shape[1]):
            for at in range(width):
                sums[at] = _HALF
            for tap in range(count[column]):
                weight = weights[column, tap]
                line = first[column] + tap
                for at in range(width):
                    sums[at] += np.int32(turned[line, at]) * weight
            for row in range(high):
                for channel in range(channels):
                    level = sums[3 * row + channel] >> _FRACTION_BITS
                    out[top + row, column, channel] = min(max(level, 0), 255)
