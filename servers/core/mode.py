"""What an execution mode is, and the modes there are: one file each in `servers/core/modes`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from servers.core.source import Source

Predictor = Callable[[NDArray[Any]], NDArray[np.float32]]
"""A batch of rows to their predictions; safe to call from several threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A model made ready in one mode.

    `device` is where TensorFlow says a result was computed. `traces` counts Python tracings so far; one more while
    serving is a fault.
    """

    predict: Predictor
    device: Callable[[], str]
    traces: Callable[[], int]


def build(mode: str, source: Source) -> Built:
    """`source` in `mode`; raises ModuleNotFoundError for a mode that has no file."""
    built: Built = import_module(f"servers.core.modes.{mode}").build(source)
    return built
