"""`lite`: the frozen graph converted for LiteRT, which works on NumPy arrays without TensorFlow's runtime."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import deque
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from servers.core.graph import frozen_forward
from servers.core.mode import Built
from servers.core.refusal import RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.source import Source

_PACKAGE: Final = "ai-edge-litert"

_Ready = tuple[Any, int, int]
"""An interpreter with its memory planned, and the numbers of its input and its output."""

_HERE: Final = Path(__file__)
_MADE_BY: Final = (_HERE, *(_HERE.parents[1] / name for name in ("graph.py", "source.py")))
"""The code that turns a SavedModel into a graph for LiteRT."""


def build(source: Source) -> Built:
    """An interpreter for each call that is under way, for one row; a larger batch goes row by row.

    An interpreter is not safe to share between threads at a time, and its shape is fixed until it is resized and
    planned anew; row by row there is nothing to plan while serving. Idle interpreters are kept and the one used last
    is taken first, whichever thread calls: kept by thread, the first request on every thread would pay for making one.
    Raises RefusedError where LiteRT is not installed.
    """
    interpreter_type = _interpreter_type()
    model = _cached_model(source)
    # 0 stands for TensorFlow's own choice, which LiteRT cannot take over.
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    shape = source.model.input_shape
    # Its `pop` and `append` are atomic, so it needs no lock.
    idle: deque[_Ready] = deque()

    def make() -> _Ready:
        interpreter = interpreter_type(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        return interpreter, taken["index"], given["index"]

    def reserve(calls: int) -> None:
        while len(idle) < calls:
            ready = make()
            interpreter, taken, _ = ready
            # Weights are packed in the first run.
            interpreter.set_tensor(taken, np.zeros([1 if side is None else side for side in shape], source.dtype))
            interpreter.invoke()
            idle.append(ready)

    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        try:
            ready = idle.pop()
        except IndexError:
            ready = make()
        try:
            return _answers(ready, batch)
        finally:
            idle.append(ready)

    return Built(
        predict=predict,
        # LiteRT computes on the CPU unless it is given a delegate for something else.
        device=lambda: "/device:CPU:0 (LiteRT)",
        traces=lambda: 0,
        reserve=reserve,
        settings={"runtime": f"{_PACKAGE} {version(_PACKAGE)}", "num_threads": threads},
    )


def _answers(ready: _Ready, batch: NDArray[Any]) -> NDArray[np.float32]:
    interpreter, taken, given = ready
    if len(batch) == 1:
        interpreter.set_tensor(taken, batch)
        interpreter.invoke()
        answer: NDArray[np.float32] = interpreter.get_tensor(given)
        return answer
    answers = []
    for row in range(len(batch)):
        interpreter.set_tensor(taken, batch[row : row + 1])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given))
    return np.concatenate(answers)


def _interpreter_type() -> Any:
    try:
        return import_module(f"{_PACKAGE.replace('-', '_')}.interpreter").Interpreter
    except ModuleNotFoundError as error:
        raise RefusedError(
            f"mode lite needs the package {_PACKAGE}, which the extra `lite` installs: uv sync --extra lite"
        ) from error


def _cached_model(source: Source) -> bytes:
    """The converted model, from beside its SavedModel where it has been converted before.

    The file's name holds what it was made from, so that a changed SavedModel or another TensorFlow converts anew.
    """
    saved = source.folder / source.model.saved_model
    files = sorted(path for path in saved.rglob("*") if path.is_file())
    made_from = hashlib.sha256(tf.__version__.encode())
    for file in (*files, *_MADE_BY):
        made_from.update(file.read_bytes())
    kept = source.folder / f"{source.model.saved_model}-{made_from.hexdigest()[:12]}.tflite"
    if kept.exists():
        return kept.read_bytes()
    model = _converted(source)
    # Where the folder is not ours to write, each start converts again, and nothing else differs.
    if os.access(source.folder, os.W_OK):
        # Beside it and then renamed: another process may read or write it at the same time.
        with tempfile.TemporaryDirectory(prefix=".lite.", dir=source.folder) as scratch:
            fresh = Path(scratch) / kept.name
            fresh.write_bytes(model)
            fresh.replace(kept)
    return model


def _converted(source: Source) -> bytes:
    """A flatbuffer for one row. It is made from constants: from variables, the file would hold no weights at all."""
    forward = frozen_forward(source)
    row = tf.TensorSpec((1, *source.model.input_shape[1:]), source.tensor_spec().dtype, name="batch")

    @tf.function(input_signature=[row], autograph=False)  # type: ignore[untyped-decorator]
    def whole(batch: Any) -> Any:
        return forward(batch)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([whole.get_concrete_function()], tf.Module())
    model: bytes = converter.convert()
    return model
