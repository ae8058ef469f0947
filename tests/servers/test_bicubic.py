"""The compiled resampler gives Pillow's own pixels, whatever the picture; and why JPEG's draft mode is off.

The draft is free where it changes nothing, and where it is fast it breaks the tolerance.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from servers.core import bicubic
from servers.core.images import SIDE, Resize, by_pillow

_SIDES = (1, 2, 3, 28, 31, 32, 33, 64, 100, 160, 223, 224, 225, 320, 447, 448, 449, 640, 1023)


@pytest.fixture(scope="module")
def resize() -> Resize:
    """The compiled one."""
    return bicubic.compiled()


def _noise(width: int, height: int, seed: int, mode: str = "RGB") -> Image.Image:
    """The hardest picture: black and white without a pattern overshoots everywhere, so every clip and round counts."""
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    levels = np.random.default_rng(seed).choice(np.array([0, 1, 127, 128, 254, 255], np.uint8), shape)
    return Image.fromarray(levels)


@pytest.mark.parametrize("side", _SIDES)
def test_pixels_are_pillows_for_squares(resize: Resize, side: int) -> None:
    """From one pixel to four times the model's side."""
    picture = _noise(side, side, side)
    np.testing.assert_array_equal(resize(picture, SIDE, SIDE), by_pillow(picture, SIDE, SIDE))


def test_pixels_are_pillows_for_any_shape(resize: Resize) -> None:
    """Width and height scale apart, up and down, to any size: 200 drawn shapes."""
    draw = random.Random(7)  # noqa: S311 - shapes, not secrets
    for seed in range(200):
        width, height, wide, high = (draw.randint(1, 400) for _ in range(4))
        picture = _noise(width, height, seed)
        found, wanted = resize(picture, wide, high), by_pillow(picture, wide, high)
        assert np.array_equal(found, wanted), f"{width} x {height} to {wide} x {high}"


@pytest.mark.parametrize(("wide", "high"), [(4000, 1000), (1, 8000), (8000, 1)])
def test_pixels_are_pillows_up_to_the_largest_that_is_taken(resize: Resize, wide: int, high: int) -> None:
    """Long taps and single lines too."""
    picture = _noise(wide, high, 5)
    np.testing.assert_array_equal(resize(picture, SIDE, SIDE), by_pillow(picture, SIDE, SIDE))


@pytest.mark.parametrize(("picture", "what"), [(_noise(64, 64, 1, "L"), "grey"), (_noise(2001, 2000, 1), "large")])
def test_other_pictures_are_left_to_pillow(resize: Resize, picture: Image.Image, what: str) -> None:
    """Grey ones and those whose copy would be large are resized too, to the same pixels."""
    assert np.array_equal(resize(picture, 50, 60), by_pillow(picture, 50, 60)), what


def test_a_wrong_weight_would_be_seen(resize: Resize, monkeypatch: pytest.MonkeyPatch) -> None:
    """One unit of the 22 fractional bits in each weight moves pixels of noise, so the comparison above can fail."""
    honest = bicubic.weights_of

    def shifted(inputs: int, outputs: int) -> object:
        first, count, weights = honest(inputs, outputs)
        return first, count, weights + np.int32(1 << 8)

    picture = _noise(64, 64, 3)
    monkeypatch.setattr(bicubic, "weights_of", shifted)
    assert not np.array_equal(resize(picture, SIDE, SIDE), by_pillow(picture, SIDE, SIDE))


def test_an_identity_is_the_picture(resize: Resize) -> None:
    """A picture of the model's size is handed on as it is."""
    picture = _noise(SIDE, SIDE, 4)
    np.testing.assert_array_equal(resize(picture, SIDE, SIDE), np.asarray(picture))


@pytest.mark.parametrize(
    ("folder", "can"), [("", False), ("{here}/no/such", False), ("{here}/new", True), ("{here}", True)]
)
def test_what_is_compiled_is_kept_where_a_folder_can_be_written(folder: str, *, can: bool, tmp_path: Path) -> None:
    """Elsewhere each process compiles for itself; Numba alone would refuse to."""
    assert bicubic._can_keep(folder.format(here=tmp_path)) is can


def test_the_order_of_passes_is_pillows(resize: Resize) -> None:
    """On both sides of the line where the vertical pass comes first, and on it."""
    for columns, rows, height in itertools.product((40, 50, 60), range(55, 76), (25, 35)):
        picture = _noise(columns, rows, rows)
        found, wanted = resize(picture, 40, height), by_pillow(picture, 40, height)
        assert np.array_equal(found, wanted), f"{columns} x {rows} to 40 x {height}"


def test_a_pillow_of_unknown_ways_does_the_work_itself() -> None:
    """A resampler that is a level off in one probe is not taken, and Pillow's own takes its place."""

    def off(image: Image.Image, width: int, height: int) -> np.ndarray:
        levels = by_pillow(image, width, height).copy()
        levels[0, 0, 0] ^= 1
        return levels

    assert bicubic.first_like_pillow([off]) is by_pillow
    assert bicubic.first_like_pillow([off, by_pillow]) is by_pillow
    assert bicubic.compiled() is not by_pillow


def test_weights_are_kept_for_a_bounded_number_of_sizes() -> None:
    """A client that sends a new size every time costs time, not memory."""
    for inputs, outputs in itertools.product(range(1, 301), (SIDE,)):
        bicubic.weights_of(inputs, outputs)
    assert bicubic.weights_of.cache_info().currsize <= 256
