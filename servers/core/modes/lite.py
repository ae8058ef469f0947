"""`lite`: the frozen graph converted for LiteRT, which works on NumPy arrays without TensorFlow's runtime."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from servers.core.graph import frozen
from servers.core.mode import Built, RefusedError, ValuesRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from servers.core.mode import Called, Executable

NEEDS: Final = ("ai_edge_litert",)
EXTRA: Final = "lite"
DEVICES: Final = ("cpu",)
"""LiteRT computes on the CPU unless given a delegate, and has none for CUDA."""

_PACKAGE: Final = "ai-edge-litert"

_TAKEN: Final = "taken"
"""The output that says whether the model takes the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An interpreter with its memory planned; its inputs by place and number; the numbers of its outputs.

    `allowed` is the number of the output that says whether the model takes the values; None where it takes all.
    """

    interpreter: Any
    taken: list[tuple[int, int]]
    answered: list[int]
    allowed: int | None


_MISSING: Final = re.compile(r"^TF Select ops: (.+)$", re.MULTILINE)
"""How the converter names what only TensorFlow's own kernels would run."""

_HERE: Final = Path(__file__)
_MADE_BY: Final = (_HERE, *(_HERE.parents[1] / name for name in ("graph.py", "refusals.py", "source.py")))
"""The code that turns a SavedModel into a graph for LiteRT."""


def build(source: Executable[Called]) -> Built[Called]:
    """An interpreter for each call that is under way, for one row; a larger batch goes row by row.

    A model of fixed shapes is taken whole.

    An interpreter is not safe to share between threads at a time, and its shape is fixed until it is resized and
    planned anew; row by row there is nothing to plan while serving. Idle interpreters are kept and the one used last
    is taken first, whichever thread calls: kept by thread, the first request on every thread would pay for making one.
    Raises RefusedError where LiteRT is not installed.
    """
    interpreter_type = _interpreter_type()
    model = _cached_model(source)
    # 0 stands for TensorFlow's own choice, which LiteRT cannot take over.
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    by_row = source.batched
    # Its `pop` and `append` are atomic, so it needs no lock.
    idle: deque[_Ready] = deque()

    def make() -> _Ready:
        interpreter = interpreter_type(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
        runner = interpreter.get_signature_runner()
        # The converter keeps names, not the order, and drops what no output depends on.
        ins, outs = runner.get_input_details(), runner.get_output_details()
        specs = source.tensor_specs()
        taken = [(at, ins[_input(at)]["index"]) for at in range(len(specs)) if _input(at) in ins]
        allowed = outs.pop(_TAKEN, None)
        answered = [outs[_output(at)]["index"] for at in range(len(outs))]
        return _Ready(interpreter=interpreter, taken=taken, answered=answered, allowed=allowed and allowed["index"])

    def reserve(calls: int) -> None:
        blank = [_blank(spec) for spec in source.tensor_specs()]
        while len(idle) < calls:
            ready = make()
            # Weights are packed in the first run, whether or not the model takes zeros.
            with suppress(ValuesRefusedError):
                _once(ready, blank)
            idle.append(ready)

    def run(*inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        try:
            ready = idle.pop()
        except IndexError:
            ready = make()
        try:
            if not by_row or len(inputs[0]) == 1:
                return _once(ready, inputs)
            rows = [_once(ready, [each[row : row + 1] for each in inputs]) for row in range(len(inputs[0]))]
            return tuple(map(np.concatenate, zip(*rows, strict=True)))
        finally:
            idle.append(ready)

    return Built(
        predict=source.called(run),
        # LiteRT computes on the CPU unless it is given a delegate for something else.
        device=lambda: "/device:CPU:0 (LiteRT)",
        traces=lambda: 0,
        reserve=reserve,
        settings={"runtime": f"{_PACKAGE} {version(_PACKAGE)}", "num_threads": threads},
    )


def _once(ready: _Ready, inputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """One run. Raises ValuesRefusedError where an operation refuses what it is given, or the model would."""
    interpreter = ready.interpreter
    for at, index in ready.taken:
        interpreter.set_tensor(index, inputs[at])
    try:
        interpreter.invoke()
    except RuntimeError as error:
        # So LiteRT says that an operation refuses its values; what it cannot do for any it has said before.
        if "failed to invoke" not in str(error):
            raise
        raise ValuesRefusedError(str(error)) from error
    if ready.allowed is not None and not interpreter.get_tensor(ready.allowed):
        raise ValuesRefusedError
    try:
        return tuple([interpreter.get_tensor(index) for index in ready.answered])
    except ValueError:
        return _with_empty_ones(interpreter, ready.answered)


def _with_empty_ones(interpreter: Any, answered: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """The answers where some have no elements, which `get_tensor` takes for an error (ai-edge-litert 2.3)."""
    facts = {each["index"]: each for each in interpreter.get_output_details()}
    shapes = {index: tuple(map(int, facts[index]["shape"])) for index in answered}
    return tuple(
        interpreter.get_tensor(index) if np.prod(shape) else np.empty(shape, facts[index]["dtype"])
        for index, shape in shapes.items()
    )


def _blank(spec: Any) -> NDArray[Any]:
    """One row of zeros, or of empty strings."""
    shape = [1 if side is None else side for side in spec.shape]
    return np.full(shape, b"", object) if spec.dtype == tf.string else np.zeros(shape, spec.dtype.as_numpy_dtype)


def _interpreter_type() -> Any:
    try:
        return import_module(f"{NEEDS[0]}.interpreter").Interpreter
    except ModuleNotFoundError as error:
        raise RefusedError(
            f"mode lite needs the package {_PACKAGE}, which the extra `{EXTRA}` installs: uv sync --extra {EXTRA}"
        ) from error


def _input(at: int) -> str:
    return f"input_{at}"


def _output(at: int) -> str:
    return f"output_{at}"


def _cached_model(source: Executable[Any]) -> bytes:
    """The converted model, from beside its SavedModel where it has been converted before.

    The file's name holds what it was made from, so that a changed SavedModel or another TensorFlow converts anew.
    """
    files = sorted(path for path in source.saved_model.rglob("*") if path.is_file())
    made_from = hashlib.sha256(tf.__version__.encode())
    for file in (*files, *_MADE_BY):
        made_from.update(file.read_bytes())
    kept = source.kept.with_name(f"{source.kept.name}-{made_from.hexdigest()[:12]}.tflite")
    if kept.exists():
        return kept.read_bytes()
    model = _converted(source)
    # Where the folder is not ours to write, each start converts again, and nothing else differs.
    if os.access(kept.parent, os.W_OK):
        # Beside it and then renamed: another process may read or write it at the same time.
        with tempfile.TemporaryDirectory(prefix=".lite.", dir=kept.parent) as scratch:
            fresh = Path(scratch) / kept.name
            fresh.write_bytes(model)
            fresh.replace(kept)
    return model


def _converted(source: Executable[Any]) -> bytes:
    """A flatbuffer for one row. It is made from constants: from variables, the file would hold no weights at all."""
    made = frozen(source, guarded=True)
    specs = [
        tf.TensorSpec((1, *spec.shape[1:]) if source.batched else spec.shape, spec.dtype, name=_input(at))
        for at, spec in enumerate(source.tensor_specs())
    ]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def whole(*inputs: Any) -> Any:
        answers = made.forward(*inputs)
        named = {_output(at): answer for at, answer in enumerate(answers[: made.outputs])}
        return named | dict.fromkeys([_TAKEN] if len(answers) > made.outputs else [], answers[-1])

    converter = tf.lite.TFLiteConverter.from_concrete_functions([whole.get_concrete_function()], tf.Module())
    try:
        model: bytes = converter.convert()
    except Exception as error:
        # The converter's own error has no type of its own that is public.
        if missing := _MISSING.search(str(error)):
            raise RefusedError(
                f"mode lite: LiteRT has no operation for {missing[1]}, and its delegate for TensorFlow's own is in no"
                " package for Python"
            ) from error
        raise
    return model
