"""A user's SavedModel as every mode takes it, and how it is judged: by what its own signature answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import tensorflow as tf

from servers.core.mode import RefusedError, ValuesRefusedError
from servers.core.reply import invalid_input
from servers.models.reference import ATOL, RTOL
from servers.models.user_model import PROBES, UserModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Arrays, Built, ModelCall
    from servers.models.signature import Signature
    from servers.settings import Executor

_FIXED_SHAPES: Final = {
    "lite": "LiteRT plans its memory for fixed shapes",
    "xla": "XLA compiles anew for every shape, while clients wait",
}
"""Modes that need every size but the number of rows, and why."""

_CLIENTS_FAULT: Final = (
    tf.errors.InvalidArgumentError,
    tf.errors.OutOfRangeError,
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnimplementedError,
    # TensorFlow's error that repeats a text which is no UTF-8.
    UnicodeDecodeError,
)
"""What a graph raises that has answered before: it is the values, or the sizes that they ask for."""

LIMITS: Final = "limits.json"

_WARM_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModelSource:
    """One described SavedModel under the name of its endpoint."""

    name: str
    model: UserModel
    executor: Executor = "default"

    @property
    def batched(self) -> bool:
        """Whether rows may be padded, or taken one by one."""
        return self.model.signature.batched

    @property
    def saved_model(self) -> Path:
        """Where the user has it."""
        return self.model.saved_model

    @property
    def kept(self) -> Path:
        """In the folder of its description: the user's own is not ours to write."""
        return self.model.folder / "converted"

    def tensor_specs(self) -> tuple[Any, ...]:
        """The signature's inputs, in its order."""
        return tuple(
            tf.TensorSpec(tensor.shape, tensor.dtype, name=f"input_{at}")
            for at, tensor in enumerate(self.model.signature.inputs)
        )

    def forward(self) -> Callable[..., Any]:
        """The signature, its tensors in the order of their names."""
        signature = serving_signature(self.model.servable, self.model.signature.name)
        inputs = [tensor.name for tensor in self.model.signature.inputs]

        def forward(*tensors: Any) -> Any:
            return flat_outputs(signature(**dict(zip(inputs, tensors, strict=True))), self.model.signature)

        return forward

    def beside(self, signature: Signature) -> ModelCall:
        """Another signature of the file, called as it was saved whatever the mode, and loaded when it is first asked.

        Only the one that the user chose is converted, compared and measured.
        """
        once = Lock()
        loaded: list[Callable[..., Any]] = []

        def run(*inputs: NDArray[Any]) -> Arrays:
            with once:
                if not loaded:
                    loaded.append(serving_signature(self.model.servable, signature.name))
            named = {tensor.name: tf.constant(array) for tensor, array in zip(signature.inputs, inputs, strict=True)}
            answers = loaded[0](**named)
            return tuple(answers[tensor.name].numpy() for tensor in signature.outputs)

        return self.called(run)

    def eager(self) -> NoReturn:
        """Refuse: the Python code is not in the file."""
        raise RefusedError(f"mode eager runs a model's Python code, and a SavedModel holds none: {self.name}")

    def called(self, run: ModelCall) -> ModelCall:
        """`run`, which tells a client's fault from its own: values that the model itself refuses are the client's."""
        limits = [(at, limit) for at, limit in enumerate(read_limits(self.model)) if limit is not None]

        def asked(*inputs: NDArray[Any]) -> Arrays:
            if any(max(inputs[at].max(), -inputs[at].min()) > limit for at, limit in limits):
                raise invalid_input("", "the model refuses these values")
            try:
                # A string that stands alone comes out of TensorFlow as bytes, which are no array.
                return tuple(
                    [np.asarray(each, np.object_) if isinstance(each, bytes) else each for each in run(*inputs)]
                )
            except (*_CLIENTS_FAULT, ValuesRefusedError) as error:
                raise invalid_input("", "the model refuses these values") from error

        return asked

    def refuse_open_shapes(self, mode: str) -> None:
        """Raise RefusedError where `mode` would meet new shapes while it serves."""
        signature = self.model.signature
        if mode not in _FIXED_SHAPES or not signature.open_inputs:
            return
        if signature.rows is not None and all(None not in each.sizes[1:] for each in signature.open_inputs):
            raise RefusedError(
                f"mode {mode} pads rows or takes them one by one, and the rows of {self.name} depend on each other"
            )
        raise RefusedError(
            f"mode {mode}: {_FIXED_SHAPES[mode]}, and {self.name} leaves sizes open:"
            f" {', '.join(map(str, signature.open_inputs))} (--fix takes them from --payload)"
        )

    def compare(self, built: Built[ModelCall]) -> float:
        """The largest absolute difference from the signature's own answers; raises RefusedError beyond the tolerance.

        The probes go in one by one, and, where rows are independent, in every batch size that the mode compiles and
        in one that it does not.
        """
        probes = read_probes(self.model)
        worst = max(self._compare(built, inputs, outputs) for inputs, outputs in probes)
        if not self.batched:
            return worst
        odd = 3
        for size in sorted({*built.warm_sizes, odd} - {1}):
            chosen = [probes[at % len(probes)] for at in range(size)]
            inputs = _joined(inputs for inputs, _ in chosen)
            outputs = _joined(outputs for _, outputs in chosen)
            worst = max(worst, self._compare(built, inputs, outputs))
        return worst

    def warm(self, built: Built[ModelCall], runs: int) -> None:
        """Run what most requests are, `runs` times or for as long as a slow model may take."""
        inputs, _ = read_probes(self.model)[0]
        until = time.monotonic() + _WARM_S
        for _ in range(runs):
            built.predict(*inputs)
            if time.monotonic() > until:
                return

    def _compare(self, built: Built[ModelCall], inputs: Arrays, wanted: Arrays) -> float:
        worst = 0.0
        answers = built.predict(*inputs)
        # Two answers of one that differ from call to call may lie on either side of the one that was kept.
        spread = 2 * self.model.spread
        for tensor, answer, right in zip(self.model.signature.flat_outputs, answers, wanted, strict=True):
            error = difference(answer, right)
            if error > tolerance(right) + spread:
                raise RefusedError(
                    f"model {self.name} differs from its own signature in {tensor.name}"
                    f" beyond rtol {RTOL} of the largest value and atol {ATOL + spread:g}"
                )
            worst = max(worst, error)
        return worst


def flat_outputs(answers: Any, signature: Signature) -> list[Any]:
    """What a signature answered by name, as the dense tensors of `Signature.flat_outputs`."""
    found: list[Any] = []
    for tensor in signature.outputs:
        if tensor.name not in answers:
            # A part of a sparse tensor, which is told as three tensors.
            whole, _, part = tensor.name.rpartition("/")
            found.append(getattr(answers[whole], part))
        elif tensor.ragged:
            found += [answers[tensor.name].flat_values, *answers[tensor.name].nested_row_splits]
        else:
            found.append(answers[tensor.name])
    return found


def serving_signature(servable: Path, name: str) -> Callable[..., Any]:
    """A signature of what `servers.models.servable` wrote, a ConcreteFunction of keyword arguments.

    It holds the loaded object too: signatures stop working when that is collected (tensorflow#46708).
    """
    loaded = tf.saved_model.load(str(servable))
    signature: Callable[..., Any] = loaded.signatures[name]
    signature.keep_alive = loaded  # type: ignore[attr-defined]
    return signature


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this type are rounded; NumPy does not count bfloat16 among its own."""
    return np.issubdtype(dtype, np.floating) or dtype.name == "bfloat16"


def difference(answer: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The largest absolute difference; infinite where shapes or types differ, or what is no floating-point number."""
    if answer.shape != wanted.shape or answer.dtype != wanted.dtype:
        return float("inf")
    if not is_floating(wanted.dtype):
        return 0.0 if np.array_equal(answer, wanted) else float("inf")
    if not np.isfinite(answer).all():
        return float("inf")
    return float(np.max(np.abs(answer.astype(np.float64) - wanted.astype(np.float64)), initial=0.0))


def tolerance(wanted: NDArray[Any]) -> float:
    """What an output may differ by, in its own unit; nothing for integers, booleans and strings."""
    if not is_floating(wanted.dtype):
        return 0.0
    return ATOL + RTOL * float(np.max(np.abs(wanted.astype(np.float64)), initial=0.0))


def read_limits(model: UserModel) -> list[float | None]:
    """The largest number that each input is asked with, None for any: what `edges.py` found of where sums overflow."""
    try:
        found: list[float | None] = json.loads((model.folder / LIMITS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return found


def write_probes(model: UserModel, probes: Iterable[tuple[Arrays, Arrays]]) -> None:
    """Keep what was asked and answered, as serialized tensors: an npz alone cannot hold strings."""
    arrays = {
        f"{at}.{side}.{number}": np.frombuffer(tf.make_tensor_proto(array).SerializeToString(), dtype=np.uint8)
        for at, probe in enumerate(probes)
        for side, tensors in zip(("in", "out"), probe, strict=True)
        for number, array in enumerate(tensors)
    }
    np.savez(model.folder / PROBES, allow_pickle=False, **arrays)


def read_probes(model: UserModel) -> list[tuple[Arrays, Arrays]]:
    """What `write_probes` kept: inputs and the signature's outputs of each probe."""
    with np.load(model.folder / PROBES) as stored:
        count = 1 + max(int(key.partition(".")[0]) for key in stored.files)
        return [
            (
                tuple(_tensor(stored[f"{at}.in.{number}"]) for number in range(len(model.signature.inputs))),
                tuple(_tensor(stored[f"{at}.out.{number}"]) for number in range(len(model.signature.flat_outputs))),
            )
            for at in range(count)
        ]


def _tensor(stored: NDArray[Any]) -> NDArray[Any]:
    from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: PLC0415 - a generated module

    found: NDArray[Any] = tf.make_ndarray(TensorProto.FromString(stored.tobytes()))
    return found


def _joined(parts: Iterable[Arrays]) -> Arrays:
    return tuple(map(np.concatenate, zip(*parts, strict=True)))


def build_user_model(mode: str, source: UserModelSource) -> Built[ModelCall]:
    """A user's model in `mode`. Its endpoint holds every input against the signature, so nothing is checked again.

    Raises RefusedError where the mode cannot run it, or whatever the mode's compiler or converter raises.
    """
    source.refuse_open_shapes(mode)
    built: Built[ModelCall] = import_module(f"servers.core.modes.{mode}").build(source)
    return built
