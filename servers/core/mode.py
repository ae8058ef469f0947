"""What an execution mode is, and the modes there are: one file each in `servers/core/modes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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

    `device` is where the runtime says a result was computed. `traces` counts Python tracings so far; one more while
    serving is a fault. `warm_sizes` are the batch sizes to run before the first request. `settings` are the mode's own
    choices, for the record. `reserve` makes ready for so many calls at once, so that the first ones need not.
    """

    predict: Predictor
    device: Callable[[], str]
    traces: Callable[[], int]
    warm_sizes: tuple[int, ...] = (1,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    reserve: Callable[[int], None] = lambda _calls: None


def build(mode: str, source: Source) -> Built:
    """`source` in `mode`, behind the check of its input; raises ModuleNotFoundError for a mode that has no file."""
    built: Built = import_module(f"servers.core.modes.{mode}").build(source)
    return replace(built, predict=_checked(built.predict, source))


def _checked(predict: Predictor, source: Source) -> Predictor:
    """`predict`, reached only by what the model takes; all else raises ValueError.

    TensorFlow's own checks come too late or not at all: a polymorphic function fails with its lock held, a
    ConcreteFunction computes any shape that its operations happen to accept.
    """
    dtype, row = source.dtype, source.model.input_shape[1:]

    def checked(batch: NDArray[Any]) -> NDArray[np.float32]:
        if not isinstance(batch, np.ndarray) or batch.dtype != dtype or batch.shape[1:] != row or not len(batch):
            found = f"{batch.dtype} {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
            raise ValueError(f"{source.model.name} takes {dtype} [rows, {', '.join(map(str, row))}], not {found}")
        return predict(batch)

    return checked
