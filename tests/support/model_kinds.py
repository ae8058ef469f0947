"""Kinds of SavedModels that people save, each as small as can be: `python tests/support/model_kinds.py DIR [NAME...]`.

A row says what it is asked with, which modes run it, and which refuse it and why. It is made in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

MODES: Final = ("function", "frozen", "xla", "lite")
_RUNS: Final = dict.fromkeys(MODES)
"""Every mode runs it."""
_NO_XLA: Final = "mode xla cannot run it"
_NO_LITE: Final = "LiteRT has no operation"
_OPEN: Final = "leaves sizes open"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of model. `modes` has None for a mode that runs it, else part of the reason why it does not.

    `payload` is the request that a user brings, None where one can be made up. `hostile` are requests that have the
    right shape and that the model refuses; `takes` are some at the edge that it does not. `refused` is part of the
    reason why the model is served in no mode at all. `fix` takes open sizes from the payload.
    """

    payload: Mapping[str, Any] | None = None
    modes: Mapping[str, str | None] = field(default_factory=lambda: _RUNS)
    hostile: tuple[Mapping[str, Any], ...] = ()
    takes: tuple[Mapping[str, Any], ...] = ()
    refused: str | None = None
    fix: bool = False


def _but(**reasons: str) -> dict[str, str | None]:
    return {**_RUNS, **reasons}


def _rows(*rows: Any) -> dict[str, Any]:
    return {"instances": list(rows)}


KINDS: Final[dict[str, Kind]] = {
    "dense": Kind(takes=(_rows([0, 0, 0, 0]), _rows([1e4, -1e4, 0, 1]))),
    "embedding": Kind(
        takes=(_rows([0, 49]),), hostile=(_rows([0, 50]), _rows([-1, 0]), _rows([0, 2**31 - 1]), _rows([-(2**31), 0]))
    ),
    "nested_gather": Kind(takes=(_rows([0, 3]), _rows([2, 2])), hostile=(_rows([3, 0]), _rows([0, 4]), _rows([0, -1]))),
    "asserting": Kind(takes=(_rows([9.5, 1]), _rows([-50, 0])), hostile=(_rows([10, 0]), _rows([0, 1e6]))),
    "checked_numbers": Kind(takes=(_rows([1e-3, 2]),), hostile=(_rows([0, 1]),)),
    "divided_integers": Kind(
        payload=_rows({"a": 9, "b": 2}),
        takes=(_rows({"a": 7, "b": -2}),),
        hostile=(_rows({"a": 7, "b": 0}),),
    ),
    "chosen_item": Kind(
        payload={"inputs": {"at": 1, "x": [1, 2, 3]}},
        takes=({"inputs": {"at": -3, "x": [4, 5, 6]}},),
        hostile=({"inputs": {"at": 3, "x": [1, 2, 3]}}, {"inputs": {"at": -4, "x": [1, 2, 3]}}),
    ),
    "counted": Kind(
        payload=_rows([1, 0, 2]), modes=_but(lite=_NO_LITE), hostile=(_rows([-1, 0, 1]),), takes=(_rows([4, 4, 4]),)
    ),
    "scattered": Kind(
        payload={"inputs": {"at": [[1]], "x": [5.0]}},
        takes=({"inputs": {"at": [[3]], "x": [5.0]}},),
        hostile=({"inputs": {"at": [[4]], "x": [5.0]}}, {"inputs": {"at": [[-1]], "x": [5.0]}}),
    ),
    "fixed_loop": Kind(),
    "open_loop": Kind(payload=_rows([1, 2])),
    "branches": Kind(takes=(_rows([-3, 1]), _rows([0, 0]))),
    "swish": Kind(),
    "custom_gradient": Kind(),
    "strings": Kind(
        payload=_rows("cat", "caf\u00e9"),
        modes=_but(xla=_NO_XLA, lite=_NO_LITE),
        takes=(_rows(""), _rows({"b64": "/w=="})),
    ),
    "table": Kind(payload=_rows("cat", "cow"), modes=_but(xla=_NO_XLA, lite=_NO_LITE), takes=(_rows(""),)),
    "number_from_text": Kind(
        payload=_rows("1.5"),
        modes=_but(xla=_NO_XLA, lite=_NO_LITE),
        hostile=(_rows("cat"), _rows("")),
        takes=(_rows("-1"),),
    ),
    "two_inputs": Kind(),
    "two_towers": Kind(
        payload={"inputs": {"query": [[1, 2]], "candidates": [[1, 0], [0, 1], [1, 1]]}},
        modes=_but(xla=_OPEN, lite=_OPEN),
    ),
    "open_sizes": Kind(payload=_rows([1, 2, 3]), modes=_but(xla=_OPEN, lite=_OPEN)),
    "open_sizes_fixed": Kind(payload=_rows([1, 2, 3]), fix=True),
    "two_towers_fixed": Kind(payload={"inputs": {"query": [[1, 2]], "candidates": [[1, 0], [0, 1], [1, 1]]}}, fix=True),
    "sizes_from_data": Kind(payload={"inputs": 3}, takes=({"inputs": 1},)),
    "scalar": Kind(payload={"inputs": [1, 2, 3, 4]}),
    "half": Kind(modes=_but(lite=_NO_LITE)),
    "int64": Kind(payload=_rows(2**62), takes=(_rows(-(2**62)),)),
    "uint64": Kind(payload=_rows(2**63 + 1), modes=_but(lite="mode lite")),
    "booleans": Kind(payload=_rows([True, False])),
    "static": Kind(),
    "centred": Kind(modes=_but(xla="depend on each other", lite="depend on each other")),
    "spectrum": Kind(),
    "random": Kind(refused="draws random numbers"),
    "counting": Kind(refused="keeps state"),
    "tensorflow_1": Kind(),
    "gather_in_a_loop": Kind(modes=_but(xla="at the edges", lite=None), hostile=(_rows([0, 9]), _rows([-1, 0]))),
}

FAST: Final = ("embedding", "asserting", "fixed_loop", "table")
"""Those that stand for the rest where there is little time."""


@cache
def kind_models(names: tuple[str, ...]) -> Path:
    """A folder with a SavedModel for each name."""
    folder = Path(mkdtemp(prefix="titrate-kinds-"))
    done = subprocess.run([sys.executable, __file__, str(folder), *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def _write(folder: Path, names: Collection[str]) -> None:  # noqa: C901, PLR0915 - one function a kind
    import numpy as np  # noqa: PLC0415 - only in this process
    import tensorflow as tf  # noqa: PLC0415

    makers: dict[str, Callable[[Path], None]] = {}
    weight = tf.Variable(np.linspace(-1, 1, 12).reshape(4, 3).astype(np.float32))
    rows = tf.Variable(tf.reshape(tf.range(100.0), [50, 2]))
    counter = tf.Variable(0.0)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(["cat", "dog"]), tf.constant([1.5, 2.5])), -1.0
    )

    def kind(**specs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            def make(path: Path) -> None:
                module = tf.Module()
                module.kept = (weight, rows, counter, table)
                whole = tf.function(function)
                concrete = whole.get_concrete_function(
                    **{name: tf.TensorSpec(shape, dtype, name=name) for name, (shape, dtype) in specs.items()}
                )
                module.serve = whole
                tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})

            makers[function.__name__.lstrip("_")] = make
            return function

        return register

    four, two = ((None, 4), tf.float32), ((None, 2), tf.float32)

    @kind(x=four)
    def dense(x: Any) -> Any:
        return {"y": tf.nn.relu(x @ weight)}

    @kind(ids=((None, 2), tf.int32))
    def embedding(ids: Any) -> Any:
        return {"y": tf.reduce_sum(tf.gather(rows, ids), axis=1)}

    @kind(at=((None, 2), tf.int32))
    def nested_gather(at: Any) -> Any:
        return {"y": tf.gather_nd(tf.reshape(tf.range(12.0), [3, 4]), at)}

    @kind(x=two)
    def asserting(x: Any) -> Any:
        tf.debugging.assert_less(x, 10.0)
        return {"y": x * 2}

    @kind(x=two)
    def checked_numbers(x: Any) -> Any:
        return {"y": tf.debugging.check_numerics(1 / x, "inverse")}

    @kind(a=((None,), tf.int32), b=((None,), tf.int32))
    def divided_integers(a: Any, b: Any) -> Any:
        return {"y": a // b}

    @kind(at=((), tf.int32), x=((3,), tf.float32))
    def chosen_item(at: Any, x: Any) -> Any:
        return {"y": x[at] * 2}

    @kind(x=((None, 3), tf.int32))
    def counted(x: Any) -> Any:
        return {"y": tf.math.bincount(x, minlength=5, maxlength=5, axis=-1)}

    @kind(at=((1, 1), tf.int32), x=((1,), tf.float32))
    def scattered(at: Any, x: Any) -> Any:
        return {"y": tf.tensor_scatter_nd_update(tf.zeros([4]), at, x)}

    @kind(x=two)
    def fixed_loop(x: Any) -> Any:
        for _ in tf.range(5):
            x = x * 1.5 + 1.0
        return {"y": x}

    @kind(x=((1, 2), tf.float32))
    def open_loop(x: Any) -> Any:
        at = 0
        while at < 50 and tf.reduce_max(x) < 100.0:
            x = x * 1.5 + 1.0
            at += 1
        return {"y": x}

    @kind(x=((1, 2), tf.float32))
    def endless(x: Any) -> Any:
        while tf.reduce_max(x) < 100.0:
            x = x * 1.5 + 1.0
        return {"y": x}

    @kind(x=((1, 2), tf.float32))
    def branches(x: Any) -> Any:
        if tf.reduce_sum(x) > 0:  # noqa: SIM108 - a branch of the graph
            y = x * 2
        else:
            y = -x
        return {"y": y}

    @kind(x=two)
    def swish(x: Any) -> Any:
        return {"y": tf.nn.silu(x)}

    @tf.custom_gradient
    def _own(x: Any) -> Any:
        return tf.tanh(x) * 2, lambda upstream: upstream

    @kind(x=two)
    def custom_gradient(x: Any) -> Any:
        return {"y": _own(x)}

    @kind(text=((None,), tf.string))
    def strings(text: Any) -> Any:
        return {"length": tf.strings.length(text), "upper": tf.strings.upper(text)}

    @kind(key=((None,), tf.string))
    def _table(key: Any) -> Any:
        return {"score": table.lookup(key)}

    @kind(text=((None,), tf.string))
    def number_from_text(text: Any) -> Any:
        return {"y": tf.strings.to_number(text)}

    @kind(left=four, right=((None,), tf.float32))
    def two_inputs(left: Any, right: Any) -> Any:
        return {"best": tf.argmax(left @ weight, 1), "total": left @ weight + right[:, tf.newaxis]}

    @kind(query=two, candidates=two)
    def two_towers(query: Any, candidates: Any) -> Any:
        return {"scores": tf.matmul(query, candidates, transpose_b=True)}

    @kind(x=((None, None), tf.float32))
    def open_sizes(x: Any) -> Any:
        return {"y": tf.reduce_sum(x, axis=1)}

    @kind(count=((), tf.int32))
    def sizes_from_data(count: Any) -> Any:
        return {"y": tf.range(tf.minimum(count, 100))}

    @kind(x=((4,), tf.float32))
    def scalar(x: Any) -> Any:
        return {"y": tf.reduce_mean(x)}

    @kind(x=((None, 2), tf.float16))
    def half(x: Any) -> Any:
        return {"y": x * tf.constant(0.5, tf.float16)}

    @kind(x=((None,), tf.int64))
    def int64(x: Any) -> Any:
        return {"y": x + 1}

    @kind(x=((None,), tf.uint64))
    def uint64(x: Any) -> Any:
        return {"y": x + tf.constant(1, tf.uint64)}

    @kind(x=((None, 2), tf.bool))
    def booleans(x: Any) -> Any:
        return {"y": tf.logical_not(x)}

    @kind(x=((2, 4), tf.float32))
    def static(x: Any) -> Any:
        return {"y": x @ weight}

    @kind(x=four)
    def centred(x: Any) -> Any:
        return {"y": x - tf.reduce_mean(x, axis=0)}

    @kind(x=((None, 8), tf.float32))
    def spectrum(x: Any) -> Any:
        return {"y": tf.abs(tf.signal.rfft(x))}

    @kind(x=two)
    def random(x: Any) -> Any:
        return {"y": x + tf.random.uniform([])}

    @kind(x=two)
    def counting(x: Any) -> Any:
        return {"y": x + counter.assign_add(1.0)}

    @kind(ids=((1, 2), tf.int32))
    def gather_in_a_loop(ids: Any) -> Any:
        total = tf.zeros([2])
        for at in tf.range(2):
            total += tf.gather(rows[:9], ids[0, at])
        return {"y": total[tf.newaxis]}

    def tensorflow_1(path: Path) -> None:
        v1 = tf.compat.v1
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, (None, 2), name="x")
            y = x * 0.5 + v1.get_variable("two", initializer=2.0)
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(path), inputs={"x": x}, outputs={"y": y})

    makers |= {"tensorflow_1": tensorflow_1} | {f"{name}_fixed": makers[name] for name in ("open_sizes", "two_towers")}
    for name in names or makers:
        makers[name](folder / name)


if __name__ == "__main__":
    _write(Path(sys.argv[1]), sys.argv[2:])
