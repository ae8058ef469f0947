"""Why JPEG's draft mode is off: it is free where it changes nothing, and where it is fast it breaks the tolerance."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from servers.core.images import SIDE, decode_image
from servers.models.datasets import dataset
from servers.models.payloads import payloads
from servers.models.reference import ATOL, reference
from servers.models.renderings import Rendering, draw, encode

_FIRST_SCALED = 2 * SIDE
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
