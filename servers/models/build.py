"""Builds the SavedModels: `python -m servers.models.build --out DIR`.

Progress is one JSON object a line on stdout, `{"done": k, "total": n, "what": "..."}`, for a parent to draw.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from servers.models.catalog import MODELS, STAMP, Model, build_digest, is_current, saved_models_dir
from servers.models.datasets import probes
from servers.models.quiet_import import import_quietly
from servers.models.reference import ATOL, RTOL, reference

_RENAME_TRIES: Final = 20

Progress = Callable[[str], None]


class WrongModelError(RuntimeError):
    """A freshly written SavedModel does not answer as the reference does."""


def build(directory: Path, *, progress: Progress = lambda _: None) -> None:
    """Write every SavedModel and make the directory the present build, in one rename.

    Two processes may build the same directory at once: each writes beside it, and one of two equal results stays.
    Raises WrongModelError where a model written does not agree with the reference.
    """
    digest = build_digest()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as scratch:
        fresh = Path(scratch) / "build"
        fresh.mkdir()
        version = _write_all(fresh, progress)
        stamp = {
            "digest": digest,
            "tensorflow": version,
            "models": {model.saved_model: model.digest for model in MODELS.values()},
        }
        (fresh / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
        _put_in_place(fresh, directory, Path(scratch))
    progress(f"built {directory.name}")


def _write_all(fresh: Path, progress: Progress) -> str:
    """Write and judge each model; the TensorFlow version that did it."""
    progress("importing TensorFlow")
    tf = import_quietly()
    tf.get_logger().setLevel("ERROR")
    for model in MODELS.values():
        progress(f"writing {model.saved_model}")
        _write(model, fresh / model.saved_model)
        progress(f"comparing {model.saved_model} with its reference")
        _judge(model, fresh / model.saved_model)
    return str(tf.__version__)


def _write(model: Model, path: Path) -> None:
    """One SavedModel that answers the article's own calls.

    `__call__` is traced for float64, which is what NumPy makes of Python numbers and of pixels divided by 255.0, and
    for float32; the answer has the type of the input. Each regression takes one batch of rows [N, features]; the one
    with a single feature also takes a plain vector [N]. The `serving_default` signature is float32, `x` to `y`.
    """
    import tensorflow as tf  # noqa: PLC0415 - see the module's docstring

    from servers.models import definitions  # noqa: PLC0415 - imports TensorFlow

    module = definitions.load(model.name)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow publishes no types
    def call(x: Any) -> Any:
        rows = tf.cast(x, tf.float32)
        if model.input_shape == (None, 1):
            rows = tf.reshape(rows, [-1, 1])
        return tf.cast(module.forward(rows), x.dtype)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec(model.input_shape, tf.float32, name="x")]
    )
    def serve(x: Any) -> Any:
        return {"y": module.forward(x)}

    shapes = [model.input_shape] + ([(None,)] if model.input_shape == (None, 1) else [])
    for dtype in (tf.float64, tf.float32):
        for shape in shapes:
            call.get_concrete_function(tf.TensorSpec(shape, dtype, name="x"))
    module.__call__ = call
    tf.saved_model.save(module, str(path), signatures={"serving_default": serve})


def _judge(model: Model, path: Path) -> None:
    """Load what was written and compare its signature with the reference on held-out rows or pictures."""
    import tensorflow as tf  # noqa: PLC0415 - see the module's docstring

    x = probes(model.name)
    if x.dtype == np.uint8:
        x = x / np.float32(255)
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["serving_default"](x=tf.constant(x, tf.float32))["y"].numpy()
    expected = reference(model.name, x)
    if answer.shape != expected.shape:
        raise WrongModelError(f"{model.saved_model} answers {answer.shape}, its reference {expected.shape}")
    if not np.allclose(answer, expected, rtol=RTOL, atol=ATOL):
        worst = float(np.abs(answer - expected).max())
        raise WrongModelError(f"{model.saved_model} is {worst:.3g} off its reference")


def _put_in_place(fresh: Path, directory: Path, scratch: Path) -> None:
    """Rename the fresh build to its place; a stale one there is moved aside first, an equal one stays.

    A rename onto a directory that is not empty fails (POSIX rename, EEXIST or ENOTEMPTY); another process may put its
    build there between our move and our rename, hence the tries.
    """
    for attempt in range(_RENAME_TRIES):
        if is_current(directory):
            return
        try:
            if directory.exists():
                directory.rename(scratch / f"stale-{attempt}")
            fresh.rename(directory)
        except OSError:
            if attempt == _RENAME_TRIES - 1:
                raise
        else:
            return


def _announce(total: int) -> Progress:
    """A progress function that prints JSON lines."""
    done = 0

    def progress(what: str) -> None:
        nonlocal done
        print(json.dumps({"done": done, "total": total, "what": what}), flush=True)
        done += 1

    return progress


def main(argv: list[str] | None = None) -> int:
    """Build where needed; exit 1 and one line on stderr where a model is wrong."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="python -m servers.models.build", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=saved_models_dir(), help="default: %(default)s")
    arguments = parser.parse_args(argv)
    directory: Path = arguments.out.resolve()
    if is_current(directory):
        _announce(0)("already built")
        return 0
    # Before TensorFlow is imported: a build needs no GPU and must not take its memory, nor fill the log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        build(directory, progress=_announce(1 + 2 * len(MODELS)))
    except WrongModelError as wrong:
        print(f"error: {wrong}; train again with `python -m servers.models.train`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
