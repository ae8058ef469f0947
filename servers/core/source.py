"""A model before any mode has touched it: its Python code, its SavedModel, what an endpoint hands it; its build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from servers.models.catalog import Model
from servers.models.definitions import load

if TYPE_CHECKING:
    from servers.core.mode import Built, ModelCall, Predictor
    from servers.settings import Executor

_PIXEL_MAX: Final = 255.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One model of the catalog and where its SavedModel lies.

    Images reach a mode as uint8 and become float32 in [0, 1] inside it: a quarter of the bytes to copy, and the one
    step that every mode may fuse.
    """

    model: Model
    folder: Path
    executor: Executor = "default"

    @property
    def name(self) -> str:
        """The catalog's name."""
        return self.model.name

    @property
    def batched(self) -> bool:
        """Every model of the catalog takes any number of independent rows."""
        return True

    @property
    def saved_model(self) -> Path:
        """Where the SavedModel lies."""
        return self.folder / self.model.saved_model

    @property
    def kept(self) -> Path:
        """Beside the SavedModel."""
        return self.saved_model

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the endpoint's batch holds."""
        return np.dtype(np.uint8 if self.model.takes_pictures else np.float32)

    def tensor_specs(self) -> tuple[Any, ...]:
        """What a graph takes: the endpoint's batch, any number of rows."""
        return (tf.TensorSpec(self.model.input_shape, self.dtype, name="batch"),)

    def prepare(self, batch: Any) -> Any:
        """The endpoint's tensor as the model's input."""
        return tf.cast(batch, tf.float32) / _PIXEL_MAX if self.model.takes_pictures else batch

    def eager(self) -> Callable[[Any], Any]:
        """The model's Python code, uncompiled."""
        module = load(self.model.name)
        return lambda batch: [module.forward(self.prepare(batch))]

    def forward(self) -> Callable[[Any], Any]:
        """The serving signature, so that its one argument is positional and images may come as bytes."""
        signature = self.signature()
        return lambda batch: [signature(x=self.prepare(batch))["y"]]

    def called(self, run: ModelCall) -> Predictor:
        """The one batch to the one array of predictions."""

        def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
            (answer,) = run(batch)
            return np.asarray(answer, dtype=np.float32)

        return predict

    def signature(self) -> Callable[..., Any]:
        """The serving signature of the SavedModel, a ConcreteFunction of keyword `x`.

        It holds the loaded object too: signatures stop working when that is collected (tensorflow#46708).
        """
        loaded = tf.saved_model.load(str(self.saved_model))
        signature: Callable[..., Any] = loaded.signatures["serving_default"]
        signature.keep_alive = loaded  # type: ignore[attr-defined]
        return signature

    def reference_input(self, batch: NDArray[Any]) -> NDArray[np.float64]:
        """The batch as the float64 reference takes it."""
        wide = batch.astype(np.float64)
        return wide / _PIXEL_MAX if self.model.takes_pictures else wide


def build(mode: str, source: Source) -> Built[Predictor]:
    """`source` in `mode`, behind the check of its input; raises ModuleNotFoundError for a mode that has no file."""
    built: Built[Predictor] = import_module(f"servers.core.modes.{mode}").build(source)
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
