"""The settings that are in question, and the values that each is tried at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from servers.settings import Settings

AXES: Final[dict[str, tuple[Any, ...]]] = {
    "threads": (1, 2, 4, 8, 16),
    # 0 is TensorFlow's own choice: a thread a core.
    "intra_threads": (1, 2, 0),
    "inter_threads": (1, 2, 0),
    "executor": ("default", "single"),
}
"""Names of settings, each with the values that it is measured at."""

_NO_GRAPH: Final = {"eager": ("executor",), "lite": ("executor", "inter_threads")}
"""What means nothing to a mode that runs no TensorFlow graph."""


def axes_of(mode: str) -> tuple[str, ...]:
    """The settings that make a difference to a mode."""
    return tuple(axis for axis in AXES if axis not in _NO_GRAPH.get(mode, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The defaults with one setting changed."""

    axis: str
    value: Any
    settings: Settings

    @property
    def name(self) -> str:
        """`axis=value`."""
        return f"{self.axis}={self.value}"


def variants(defaults: Settings, axes: Sequence[str]) -> tuple[Variant, ...]:
    """Every other value of each axis; the default itself is what they are compared with, so it is not among them."""
    return tuple(
        Variant(axis=axis, value=value, settings=replace(defaults, **{axis: value}))
        for axis in axes
        for value in AXES[axis]
        if value != getattr(defaults, axis)
    )
