"""What an execution mode is: it takes an `Executable` and makes it `Built`; one file each in `servers/core/modes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

    from servers.settings import Executor

Predictor = Callable[[NDArray[Any]], NDArray[np.float32]]
"""A batch of rows to their predictions; safe to call from several threads."""

Arrays = tuple[NDArray[Any], ...]
"""A tensor for each input or output of a model, in the order of its signature."""

ModelCall = Callable[..., Arrays]
"""A model's inputs, in the order of its signature, to its outputs in theirs; safe to call from several threads."""

Called = TypeVar("Called", bound=Callable[..., Any])
Called_co = TypeVar("Called_co", bound=Callable[..., Any], covariant=True)


class RefusedError(Exception):
    """The target cannot be served as asked; the message is one line for the user."""


class ValuesRefusedError(Exception):
    """The model refuses the values that it is asked about: a client's fault, in whatever mode."""


class Executable(Protocol[Called_co]):
    """What a mode makes a model from. `Called` is how the model is called once it is made ready."""

    @property
    def name(self) -> str:
        """The model's name, for refusals."""

    @property
    def batched(self) -> bool:
        """Whether every tensor begins with a dimension of rows, any number of them, each independent of the others."""

    @property
    def executor(self) -> Executor:
        """What runs the operations of a graph."""

    @property
    def kept(self) -> Path:
        """Where what is derived from the SavedModel may be kept: a path whose name other endings are put to."""

    @property
    def saved_model(self) -> Path:
        """The SavedModel."""

    def tensor_specs(self) -> tuple[Any, ...]:
        """What a graph takes, one `tf.TensorSpec` an input."""

    def forward(self) -> Callable[..., Any]:
        """The saved graph: as many tensors to a list of its outputs, for use inside a `tf.function`."""

    def eager(self) -> Callable[..., Any]:
        """The same by Python code, operation by operation; raises RefusedError where there is none."""

    def called(self, run: ModelCall) -> Called_co:
        """`run` as the model is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built(Generic[Called]):
    """A model made ready in one mode.

    `predict` is how it is called. `device` is where the runtime says a result was computed. `traces` counts Python
    tracings so far; one more while serving is a fault. `warm_sizes` are the batch sizes to run before the first
    request. `settings` are the mode's own choices, for the record. `reserve` makes ready for so many calls at once, so
    that the first ones need not.
    """

    predict: Called
    device: Callable[[], str]
    traces: Callable[[], int]
    warm_sizes: tuple[int, ...] = (1,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    reserve: Callable[[int], None] = lambda _calls: None
