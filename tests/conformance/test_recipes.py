"""Recipes of bodies."""

from __future__ import annotations

from conformance.recipes import DrawnPicture, build


def test_a_picture_is_drawn_the_same_twice() -> None:
    """A recipe stands for the same bytes whenever it is built."""
    assert build(DrawnPicture(format="JPEG")) == build(DrawnPicture(format="JPEG"))
