"""The traps of serving TensorFlow from threads: each first shown on the code that falls in, then on every mode."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from mode_builds import SERVED, Planted, right, saved_models

from servers.core.modes import function as unchecked
from servers.core.source import Source
from servers.launch import child_environment, free_port, launch
from servers.models.catalog import MODELS
from servers.models.datasets import probes
from servers.models.definitions import load
from servers.models.reference import ATOL, RTOL, reference, reference_with, weights64
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target
from servers.web_servers import command_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

tf = pytest.importorskip("tensorflow")

_SOON_S = 4.0
"""A thousand times what a good call takes; who has not answered by then hangs."""

_PATIENCE_S = 60.0
"""How long to wait for what should come, on a busy machine."""

_NAME = "linear_regression"


@pytest.fixture(name="planted", scope="module")
def _planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("planted"))


def _answered(call: Callable[[], Any], within_s: float = _PATIENCE_S) -> Any:
    """What `call` returns in a thread of its own; None where it has not returned by then."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(within_s)
    return answers[0] if answers else None


@contextmanager
def _caller_that_lives_on(call: Callable[[], Any]) -> Iterator[BaseException | None]:
    """What `call` raised in a thread that then stays alive, as a server's pooled thread does.

    Were it to end, a new thread could get its identity and with it the lock that it left held.
    """
    called, leave = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
            raised.append(error)
        called.set()
        leave.wait()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert called.wait(_PATIENCE_S)
    try:
        yield raised[0] if raised else None
    finally:
        leave.set()


def _polymorphic(_folder: Path) -> tuple[Any, tuple[Any, ...]]:
    """A function of one signature, and text."""
    naive = tf.function(load(_NAME).forward, input_signature=[tf.TensorSpec((None, 1), tf.float32)])
    return naive, (tf.constant([["thirty"]]),)


def _loaded_of_one_signature(folder: Path) -> tuple[Any, tuple[Any, ...]]:
    """The same function, saved and loaded, and text."""
    module = load(_NAME)
    module.__call__ = tf.function(module.forward, input_signature=[tf.TensorSpec((None, 1), tf.float32)])
    tf.saved_model.save(module, str(folder))
    return tf.saved_model.load(str(folder)), (tf.constant([["thirty"]]),)


def _loaded_of_many_signatures(_folder: Path) -> tuple[Any, tuple[Any, ...]]:
    """The article's SavedModel, which refuses wrong values in order; but not a wrong number of them."""
    return tf.saved_model.load(str(saved_models() / MODELS[_NAME].saved_model)), (1.0, 2.0)


@pytest.mark.parametrize("naive", [_polymorphic, _loaded_of_one_signature, _loaded_of_many_signatures])
def test_naive_code_hangs_for_ever_after_one_bad_call(naive: Callable[[Path], Any], tmp_path: Path) -> None:
    """A polymorphic function and a loaded SavedModel answer no thread any more once another made a bad call."""
    (model, bad), good = naive(tmp_path), tf.constant([[30.0]])
    assert _answered(lambda: model(good)) is not None
    with _caller_that_lives_on(lambda: model(*bad)) as error:
        assert isinstance(error, TypeError)
        assert _answered(lambda: model(good), within_s=_SOON_S) is None


_BAD = {
    "float64": np.ones((1, 1)),
    "too wide": np.ones((1, 2), np.float32),
    "a vector": np.ones(1, np.float32),
    "a scalar": np.float32(1),
    "no rows": np.ones((0, 1), np.float32),
    "a list": [[1.0]],
    "text": np.array([["1"]]),
    "an object": np.array([[10**40]]),
    "other byte order": np.ones((1, 1), ">f4" if sys.byteorder == "little" else "<f4"),
    "a tensor": tf.ones((1, 1)),
}


@pytest.mark.parametrize("mode", SERVED)
def test_a_bad_call_leaves_every_mode_answering(mode: str) -> None:
    """A wrong batch raises ValueError before the runtime sees it, and the next thread is answered."""
    model, good = right(mode, _NAME), probes(_NAME, 1)
    for what, bad in _BAD.items():
        with _caller_that_lives_on(lambda bad=bad: model.predict(bad)) as error:  # type: ignore[misc]
            assert isinstance(error, ValueError), what
            assert "takes float32 [rows, 1], not" in str(error)
            answer = _answered(lambda: model.predict(good))
            assert answer is not None, what
            np.testing.assert_allclose(answer, reference(_NAME, good), rtol=RTOL, atol=ATOL)


def test_naive_code_computes_a_picture_of_a_wrong_size() -> None:
    """TensorFlow alone answers 226 x 226 pixels as if they were 224: the strides happen to fit."""
    source = Source(model=MODELS["digits_cnn"], folder=saved_models())
    wrong = np.zeros((1, 226, 226, 3), np.uint8)
    assert unchecked.build(source).predict(wrong).shape == (1, 10)


@pytest.mark.parametrize("mode", SERVED)
def test_no_mode_computes_a_picture_of_a_wrong_size(mode: str) -> None:
    """226 x 226 pixels, and pixels as float32, are refused by every mode."""
    model = right(mode, "digits_cnn")
    for wrong in (np.zeros((1, 226, 226, 3), np.uint8), np.zeros((1, 224, 224, 3), np.float32)):
        with pytest.raises(ValueError, match=r"takes uint8 \[rows, 224, 224, 3\], not"):
            model.predict(wrong)


def test_naive_code_traces_anew_for_every_number_and_shape() -> None:
    """A function without a signature is traced once more for each Python number and each batch size."""
    module = load(_NAME)
    naive = tf.function(lambda x: module.forward(tf.reshape(tf.cast(x, tf.float32), (-1, 1))))
    for number in range(1, 4):
        naive(number)
        naive(np.ones((number, 1), np.float32))
    assert naive.experimental_get_tracing_count() == 6


@pytest.mark.parametrize("mode", SERVED)
def test_no_mode_traces_while_serving(mode: str) -> None:
    """Values and batch sizes never seen before leave the number of traces where it was, at one or none."""
    for name in MODELS:
        model = right(mode, name)
        assert model.traces() == (0 if mode in ("eager", "lite") else 1)
        for size in (*range(1, 20), 33):
            model.predict(probes(name, size))
        with pytest.raises(ValueError, match="takes"):
            model.predict(1)  # type: ignore[arg-type]
        assert model.traces() == (0 if mode in ("eager", "lite") else 1)


# XLA writes one set of module_* files for each compilation when it is asked to dump what it compiles.
_COMPILING = """
import json, sys, threading
from pathlib import Path
import numpy as np
import tensorflow as tf
from servers.core.loading import compare
from servers.core.source import build
from servers.core.source import Source
from servers.models.catalog import MODELS
from servers.models.definitions import load
from servers.models.datasets import probes

dump, folder = Path(sys.argv[1]), Path(sys.argv[2])
compiled = lambda: len({path.name.split(".")[0] for path in dump.glob("module_*")})
counts = {}

module = load("linear_regression")
naive = tf.function(
    module.forward, input_signature=[tf.TensorSpec((None, 1), tf.float32)], jit_compile=True
).get_concrete_function()
for size in range(1, 8):
    naive(tf.ones((size, 1)))
    counts[f"naive {size}"] = compiled()

before = compiled()
models = {}
for name, model in MODELS.items():
    source = Source(model=model, folder=folder)
    models[name] = build("xla", source)
    compare(source, models[name], models[name].warm_sizes)
counts["at load"] = compiled() - before

before = compiled()
def serve():
    for name, model in models.items():
        for size in (*range(1, 34), 65):
            model.predict(probes(name, size))
threads = [threading.Thread(target=serve) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
counts["serving"] = compiled() - before
print(json.dumps(counts))
"""


def test_xla_never_compiles_while_serving(tmp_path: Path) -> None:
    """XLA compiles for every new batch size; this mode compiles six sizes a model at load, and then none."""
    done = subprocess.run(
        [sys.executable, "-c", _COMPILING, str(tmp_path), str(saved_models())],
        env={
            **os.environ,
            **Settings(models_dir=tmp_path).environment("test"),
            "PYTHONPATH": str(REPOSITORY),
            "XLA_FLAGS": f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert [counts[f"naive {size}"] for size in range(1, 8)] == list(range(1, 8))
    assert counts["at load"] == 6 * len(MODELS)
    assert counts["serving"] == 0


def _wrong_answers(models: list[tuple[Callable[[NDArray[Any]], NDArray[Any]], Any]]) -> int:
    """Of 480 calls from eight threads, alternately to each model, how many got another's answer."""
    start = threading.Barrier(8)

    def work(number: int) -> int:
        start.wait()
        wrong = 0
        for turn in range(60):
            predict, weights = models[(number + turn) % len(models)]
            rows = np.array([[20.0 + number + turn / 8]], np.float32)
            wanted = reference_with(weights, rows.astype(np.float64))
            wrong += not np.allclose(predict(rows), wanted, rtol=RTOL, atol=ATOL)
        return wrong

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(work, range(8)))


def test_naive_batching_mixes_models() -> None:
    """TensorFlow's own batching names its queue by scope: two models in one process get each other's rows."""

    def batched(weights: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
        kernel, bias = (tf.constant(weights[key], tf.float32) for key in ("kernel", "bias"))

        @tf.nondifferentiable_batch_function(4, 16, 2000)  # type: ignore[untyped-decorator]
        def compute(x: Any) -> Any:
            return tf.matmul(x, kernel) + bias

        whole = tf.function(compute, input_signature=[tf.TensorSpec((None, 1), tf.float32)]).get_concrete_function()
        return lambda rows: np.asarray(tf.nest.flatten(whole(tf.constant(rows)))[0])

    doubled = {key: 2 * values for key, values in weights64(_NAME).items()}
    models = [(batched(weights), weights) for weights in (weights64(_NAME), doubled)]
    # On a busy machine the threads may never meet in a round of calls.
    assert any(_wrong_answers(models) for _ in range(20))


@pytest.mark.parametrize("mode", SERVED)
def test_no_mode_mixes_models(planted: Planted, mode: str) -> None:
    """Two models of one shape in one process each give their own answers to eight threads."""
    pair = [
        (right(mode, _NAME).predict, weights64(_NAME)),
        (planted.built(mode, _NAME).predict, planted.weights(_NAME)),
    ]
    assert _wrong_answers(pair) == 0


def _has_tensorflow(pid: int) -> bool:
    return "libtensorflow" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads Linux's /proc")
def test_models_load_after_fork(tmp_path: Path) -> None:
    """Gunicorn's master has no TensorFlow in it when it forks its workers; only the workers have."""
    with launch(Target.parse("flask+gunicorn+frozen"), Settings(models_dir=saved_models()), tmp_path / "log") as server:
        server.wait_ready(120)
        master, *workers = server.processes()
        assert [worker.ppid() for worker in workers] == [master.pid]
        assert not _has_tensorflow(master.pid)
        assert all(_has_tensorflow(worker.pid) for worker in workers)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads Linux's /proc")
def test_naive_preloading_never_gets_ready(tmp_path: Path) -> None:
    """With --preload the master loads the models, and the worker forked from it is alive but never ready."""
    settings = Settings(models_dir=saved_models(), port=free_port(), python=sys.executable)
    target = Target.parse("flask+gunicorn+frozen")
    with (tmp_path / "log").open("wb") as log:
        guard = subprocess.Popen(
            [sys.executable, "-m", "servers.guard", *command_line(target.server, settings), "--preload"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=child_environment(target.id, settings),
            cwd=tmp_path,
        )
    assert guard.stdin is not None
    try:
        assert _within(_PATIENCE_S, lambda: _preloaded(guard.pid) and _status(settings, "healthz") == 200)
        assert not _within(_SOON_S, lambda: _status(settings, "readyz") == 200)
    finally:
        guard.stdin.close()
        guard.wait(timeout=30)


def _preloaded(guard: int) -> bool:
    """Whether the guard's child, the master, has TensorFlow in it."""
    return any(_has_tensorflow(master.pid) for master in psutil.Process(guard).children())


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.1)
    return False


def _status(settings: Settings, path: str) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.port}/{path}", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return None


_SETTLED, _LATER = 500, 3000
_GROWTH = 0.03
"""Of the process's resident memory, what 2500 more predictions may add."""


def _rss() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def test_naive_code_grows_without_bound() -> None:
    """A function that is traced for each Python number keeps every trace: at this rate it breaks the limit below."""
    module = load(_NAME)
    naive = tf.function(lambda x: module.forward(tf.reshape(tf.cast(x, tf.float32), (-1, 1))))
    for number in range(100):
        naive(number)
    settled, calls = _rss(), 300
    for number in range(100, 100 + calls):
        naive(number)
    assert (_rss() - settled) * (_LATER - _SETTLED) / calls > _GROWTH * settled


@pytest.mark.parametrize("mode", SERVED)
def test_no_mode_grows(mode: str) -> None:
    """After 3000 mixed predictions a process is as large as after 500, within three per cent."""
    batches = [(right(mode, name).predict, probes(name, size)) for name in MODELS for size in (1, 2, 1, 3)]
    for number in range(_SETTLED):
        predict, rows = batches[number % len(batches)]
        predict(rows)
    settled = _rss()
    for number in range(_SETTLED, _LATER):
        predict, rows = batches[number % len(batches)]
        predict(rows)
    assert _rss() < (1 + _GROWTH) * settled
