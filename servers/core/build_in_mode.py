"""A model made ready in a mode: a catalog's behind the check of its input, a user's own as its signature has it."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Built, ModelCall, Predictor
    from servers.core.source import Source
    from servers.core.user_model_source import UserModelSource


def build(mode: str, source: Source) -> Built[Predictor]:
    """`source` in `mode`, behind the check of its input; raises ModuleNotFoundError for a mode that has no file."""
    built: Built[Predictor] = import_module(f"servers.core.modes.{mode}").build(source)
    return replace(built, predict=_checked(built.predict, source))


def build_user_model(mode: str, source: UserModelSource) -> Built[ModelCall]:
    """A user's model in `mode`. Its endpoint holds every input against the signature, so nothing is checked again.

    Raises RefusedError where the mode cannot run it, or whatever the mode's compiler or converter raises.
    """
    source.refuse_open_shapes(mode)
    built: Built[ModelCall] = import_module(f"servers.core.modes.{mode}").build(source)
    return built


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
