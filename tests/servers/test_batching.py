"""Dynamic batching: everyone gets their own answer, nobody waits for nothing, and nothing waits for ever."""

from __future__ import annotations

import argparse
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from waitress.server import create_server
from wsgi_callers import call

from commands.options import add_batch_options, chosen_bounds
from commands.terminal import StandardError
from experiment.built_models import built_models
from experiment.errors import ExpectedError
from experiment.priming import agrees
from servers.core.batching import BATCHED, Batcher, ExecutorDiedError, Limits
from servers.core.reply import ApiError
from servers.core.row_counts import BUCKETS, bucket, buckets
from servers.launch import launch
from servers.models.payloads import payloads
from servers.settings import Settings
from servers.target import Target as ServedTarget

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.service import Service

_SOON_S = 10.0
"""Far longer than anything here takes; a wait of this length is a failure."""


def _row(value: float) -> NDArray[np.float32]:
    return np.array([[value]], dtype=np.float32)


def _limits(**changes: Any) -> Limits:
    return Limits(**{"max_batch": 8, "queue": 64, "deadline_s": 60.0} | changes)


class _Model:
    """Doubles each row. It can be held in a call, told to fail or to die on a row, and keeps what it was given."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []
        self.poison: float | None = None
        self.deadly: float | None = None
        self.entered = threading.Semaphore(0)
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        rows = batch[:, 0].tolist()
        self.calls.append(rows)
        self.entered.release()
        assert self.may_go.wait(_SOON_S), "nobody let the model go on"
        if self.deadly in rows:
            raise SystemExit(3)
        if self.poison in rows:
            raise ValueError("poisoned")
        return batch * np.float32(2)

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=_SOON_S)


class _Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(name="model")
def _model() -> _Model:
    return _Model()


@pytest.fixture(name="askers")
def _askers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=64) as askers:
        yield askers


@contextmanager
def _held(model: _Model, batcher: Batcher, askers: ThreadPoolExecutor) -> Iterator[Future[Any]]:
    """The executor, idle before, inside the model with one row of 0 until the block ends."""
    while model.entered.acquire(blocking=False):
        pass
    model.may_go.clear()
    first = askers.submit(batcher, _row(0))
    try:
        model.wait_entered()
        yield first
    finally:
        model.may_go.set()


def _ask_in_order(
    batcher: Batcher, askers: ThreadPoolExecutor, values: list[float]
) -> list[Future[NDArray[np.float32]]]:
    """Ask from a thread each, the next only when the last one is in the queue."""
    futures = []
    for value in values:
        waiting = len(batcher._queue)
        futures.append(askers.submit(batcher, _row(value)))
        _until(lambda waiting=waiting: len(batcher._queue) == waiting + 1)
    return futures


def _until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _SOON_S
    while not done():
        assert time.monotonic() < give_up, "it never came to that"
        time.sleep(0.0005)


def _refusal(future: Future[Any]) -> ApiError:
    error = future.exception(_SOON_S)
    assert isinstance(error, ApiError), error
    return error


def test_everyone_gets_their_own_answer(model: _Model) -> None:
    """8 threads with distinct rows, thousands of calls: each answer is the asker's, and batches did form."""
    batcher = Batcher(model, _limits())
    wrong: list[tuple[float, float]] = []
    start = threading.Barrier(8)

    def ask(thread: int) -> None:
        start.wait()
        for number in range(500):
            value = float(thread * 1000 + number + 1)
            answer = float(batcher(_row(value))[0, 0])
            if answer != 2 * value:
                wrong.append((value, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)
    figures = batcher.to_json()
    assert sum(int(rows) * count for rows, count in figures["batches"].items()) == 4000
    assert max(map(int, figures["batches"])) > 1
    assert figures["queue_ms"]["count"] == 4000
    assert figures["queue_ms"]["p99"] >= figures["queue_ms"]["p50"] > 0
    batcher.close()


def test_a_request_of_several_rows_gets_them_back_in_order(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Requests of different sizes share a batch, and each gets exactly its rows."""
    batcher = Batcher(model, _limits())
    parts = [np.arange(size, dtype=np.float32)[:, None] + 10 * size for size in (3, 1, 2)]
    with _held(model, batcher, askers):
        futures = [askers.submit(batcher, part) for part in parts]
        _until(lambda: batcher._waiting_rows == 6)
    for part, future in zip(parts, futures, strict=True):
        np.testing.assert_array_equal(future.result(_SOON_S), 2 * part)
    assert [len(rows) for rows in model.calls] == [1, 8]


def test_a_lone_request_runs_at_once(model: _Model) -> None:
    """An idle executor waits for nobody: a request costs thread switches, not a timer of even one millisecond."""
    batcher = Batcher(model, _limits(max_batch=32, deadline_s=60.0))
    batcher(_row(0))
    with ThreadPoolExecutor(1) as one:
        switches_s = min(_seconds(lambda: one.submit(int).result()) for _ in range(200))
    alone_s = min(_seconds(lambda: batcher(_row(1))) for _ in range(200))
    # What any hand-over to a thread and back costs on this machine; a timer would add a hundred of them.
    assert alone_s < 10 * switches_s
    assert model.calls == [[0.0]] + 200 * [[1.0]]


def _seconds(do: Callable[[], Any]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def test_what_arrives_meanwhile_is_the_next_batch(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Whatever waits when the executor is free is taken together, oldest first, up to the largest batch."""
    batcher = Batcher(model, _limits(max_batch=8))
    with _held(model, batcher, askers):
        futures = _ask_in_order(batcher, askers, [float(value) for value in range(1, 12)])
    assert [float(future.result(_SOON_S)[0, 0]) for future in futures] == [2.0 * value for value in range(1, 12)]
    # Three rows are padded with one of zeros.
    assert model.calls == [[0.0], [float(value) for value in range(1, 9)], [9.0, 10.0, 11.0, 0.0]]


def test_only_buckets_are_run(model: _Model, askers: ThreadPoolExecutor) -> None:
    """The model sees no batch size but those it was warmed with, also where the largest batch is none of them."""
    batcher = Batcher(model, _limits(max_batch=6))
    for count in range(1, 7):
        with _held(model, batcher, askers):
            futures = _ask_in_order(batcher, askers, [1.0] * count)
        for future in futures:
            future.result(_SOON_S)
    assert {len(rows) for rows in model.calls} == set(buckets(6)) == {1, 2, 4, 8}


def test_buckets() -> None:
    """Sizes double up to the largest; a batch fits the next one, and more than the largest is refused."""
    assert buckets(0) == buckets(1) == (1,)
    assert buckets(8) == (1, 2, 4, 8)
    assert buckets(32) == BUCKETS
    assert [bucket(rows) for rows in (1, 2, 3, 17, 32)] == [1, 2, 4, 32, 32]
    for rows in (33, 100):
        with pytest.raises(ValueError, match="largest bucket"):
            bucket(rows)


def test_a_full_queue_refuses_at_once(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Beyond the bound a request gets 503 with Retry-After without waiting; those in the queue are answered."""
    batcher = Batcher(model, _limits(max_batch=2, queue=3, deadline_s=2.5))
    with _held(model, batcher, askers):
        futures = _ask_in_order(batcher, askers, [1.0, 2.0, 3.0])
        for ask in (lambda: batcher(_row(4)), batcher.require_room):
            # The executor is held: had these waited, they would still be waiting, or be 504.
            with pytest.raises(ApiError) as refused:
                ask()
            assert (refused.value.status, refused.value.code) == (503, "overloaded")
            assert dict(refused.value.headers)["Retry-After"] == "3"
    assert [float(future.result(_SOON_S)[0, 0]) for future in futures] == [2.0, 4.0, 6.0]
    batcher.require_room()
    assert batcher.to_json()["overloaded"] == 2
    assert not any(4.0 in rows for rows in model.calls)


def test_a_request_that_does_not_fit_beside_others_is_refused(model: _Model, askers: ThreadPoolExecutor) -> None:
    """The bound counts rows, not requests."""
    batcher = Batcher(model, _limits(max_batch=4, queue=5))
    with _held(model, batcher, askers):
        _ask_in_order(batcher, askers, [1.0, 2.0])
        with pytest.raises(ApiError) as refused:
            batcher(np.ones((4, 1), dtype=np.float32))
        assert refused.value.status == 503


def test_an_expired_request_is_told_while_the_executor_is_busy(model: _Model, askers: ThreadPoolExecutor) -> None:
    """504 comes at the deadline, not when the executor next looks, and frees the request's place in the queue."""
    batcher = Batcher(model, _limits(max_batch=1, queue=1, deadline_s=0.05))
    with _held(model, batcher, askers):
        error = _refusal(askers.submit(batcher, _row(7)))
        assert (error.status, error.code) == (504, "deadline_exceeded")
        error = _refusal(askers.submit(batcher, _row(8)))
        assert error.status == 504, "the expired request still takes up the queue"
    assert float(batcher(_row(9))[0, 0]) == 18.0
    assert model.calls == [[0.0], [9.0]]
    assert batcher.to_json()["deadline_exceeded"] == 2


def test_an_expired_row_is_dropped_before_execution(model: _Model, askers: ThreadPoolExecutor) -> None:
    """A row whose deadline passed in the queue is never computed, even when its thread has not noticed yet."""
    clock = _Clock()
    batcher = Batcher(model, _limits(deadline_s=60.0), clock=clock)
    with _held(model, batcher, askers):
        (late,) = _ask_in_order(batcher, askers, [7.0])
        clock.now_s = 59.0
        (in_time,) = _ask_in_order(batcher, askers, [8.0])
        clock.now_s = 60.0
    assert _refusal(late).status == 504
    assert float(in_time.result(_SOON_S)[0, 0]) == 16.0
    assert model.calls == [[0.0], [8.0]]


def test_rows_in_execution_are_answered_however_long_it_takes(model: _Model, askers: ThreadPoolExecutor) -> None:
    """The deadline bounds the wait and not the work: what was taken in time is answered."""
    batcher = Batcher(model, _limits(deadline_s=0.02))
    with _held(model, batcher, askers) as first:
        time.sleep(0.1)
        assert not first.done()
    assert float(first.result(_SOON_S)[0, 0]) == 0.0
    assert batcher.to_json()["deadline_exceeded"] == 0


def test_a_poisoned_row_fails_alone(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Of a batch that fails, every neighbour of the bad row is answered and only that row's request fails."""
    model.poison = 3.0
    batcher = Batcher(model, _limits())
    with _held(model, batcher, askers):
        futures = _ask_in_order(batcher, askers, [1.0, 2.0, 3.0, 4.0])
    assert [float(futures[at].result(_SOON_S)[0, 0]) for at in (0, 1, 3)] == [2.0, 4.0, 8.0]
    assert isinstance(futures[2].exception(_SOON_S), ValueError)
    assert model.calls[1:] == [[1.0, 2.0, 3.0, 4.0], [1.0], [2.0], [3.0], [4.0]]
    assert float(batcher(_row(5))[0, 0]) == 10.0


@pytest.mark.parametrize(
    "odd", [np.ones((1, 2), dtype=np.float32), np.ones((1, 1), dtype=np.float64)], ids=["shape", "type"]
)
def test_a_row_of_another_kind_changes_no_neighbour(
    model: _Model, askers: ThreadPoolExecutor, odd: NDArray[Any]
) -> None:
    """Rows that do not go together are not widened or broadcast into one batch."""
    batcher = Batcher(model, _limits())
    with _held(model, batcher, askers):
        (good,) = _ask_in_order(batcher, askers, [1.0])
        other = askers.submit(batcher, odd)
        _until(lambda: batcher._waiting_rows == 2)
    assert good.result(_SOON_S).dtype == np.float32
    assert good.result(_SOON_S).shape == (1, 1)
    assert (other.result(_SOON_S).shape, other.result(_SOON_S).dtype) == (odd.shape, odd.dtype)


def test_an_answer_with_too_few_rows_is_a_fault(askers: ThreadPoolExecutor) -> None:
    """A predictor that loses rows fails the request instead of handing out an empty or a foreign answer."""
    batcher = Batcher(lambda batch: batch[:0], _limits())
    assert isinstance(askers.submit(batcher, _row(1)).exception(_SOON_S), ValueError)


def test_executor_death_fails_all_waiters_at_once(
    model: _Model, askers: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """When the executor dies, those in its batch and those in the queue fail at once; the next request is answered."""
    model.deadly = 0.0
    batcher = Batcher(model, _limits(max_batch=2))
    with caplog.at_level(logging.CRITICAL), _held(model, batcher, askers) as first:
        queued = _ask_in_order(batcher, askers, [1.0, 2.0, 3.0])
        died = batcher._executor
    for future in (first, *queued):
        assert isinstance(future.exception(_SOON_S), ExecutorDiedError)
    assert died is not None
    died.join(_SOON_S)
    assert not died.is_alive()
    assert "executor died" in caplog.text
    assert float(batcher(_row(4))[0, 0]) == 8.0
    assert model.calls == [[0.0], [4.0]]
    assert batcher.to_json()["executor_deaths"] == 1


def test_death_in_the_middle_of_a_retry_loses_nobody(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Rows that were answered before the executor died keep their answers; the rest fail."""
    model.poison, model.deadly = 2.0, 3.0
    model_calls = model.calls
    batcher = Batcher(lambda batch: model(batch) if len(model_calls) > 1 or len(batch) == 1 else _fail(), _limits())
    with _held(model, batcher, askers):
        answered, poisoned, deadly, last = _ask_in_order(batcher, askers, [1.0, 2.0, 3.0, 4.0])
    assert float(answered.result(_SOON_S)[0, 0]) == 2.0
    assert isinstance(poisoned.exception(_SOON_S), ValueError)
    assert isinstance(deadly.exception(_SOON_S), ExecutorDiedError)
    assert isinstance(last.exception(_SOON_S), ExecutorDiedError)


def _fail() -> NDArray[np.float32]:
    raise ValueError("the whole batch")


def test_shutdown_answers_what_was_accepted(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Closing refuses what comes, answers what waits, and leaves no thread behind."""
    batcher = Batcher(model, _limits(max_batch=2))
    with _held(model, batcher, askers) as first:
        futures = _ask_in_order(batcher, askers, [1.0, 2.0, 3.0])
        executor = batcher._executor
        closing = askers.submit(batcher.close)
        _until(lambda: batcher._closed)
        assert _refusal(askers.submit(batcher, _row(9))).status == 503
        assert not closing.done()
    closing.result(_SOON_S)
    assert [float(future.result(_SOON_S)[0, 0]) for future in (first, *futures)] == [0.0, 2.0, 4.0, 6.0]
    assert executor is not None
    assert not executor.is_alive()
    batcher.close()


def test_closing_an_unused_batcher_returns(model: _Model) -> None:
    """A batcher that never ran has no thread to wait for."""
    Batcher(model, _limits()).close()
    assert not model.calls


def test_the_histogram_is_what_the_model_saw(model: _Model, askers: ThreadPoolExecutor) -> None:
    """Batches are counted by the rows of requests in them, retries too, and queue times by the clock."""
    clock = _Clock()
    batcher = Batcher(model, _limits(), clock=clock)
    for count in (3, 3, 5):
        with _held(model, batcher, askers):
            futures = _ask_in_order(batcher, askers, [1.0] * count)
            clock.now_s += 0.002
        for future in futures:
            future.result(_SOON_S)
    figures = batcher.to_json()
    assert figures["batches"] == {"1": 3, "3": 2, "5": 1}
    assert figures["queue_ms"] == {"count": 14, "p50": 2.0, "p99": None, "longest": 2.0}
    assert Counter(len(rows) for rows in model.calls) == {1: 3, 4: 2, 8: 1}


def test_limits_that_cannot_hold_are_refused(model: _Model) -> None:
    """A batch that no queue holds, none at all, one beyond the buckets and a deadline in the past are errors."""
    for wrong in ({"max_batch": 0}, {"queue": 7}, {"deadline_s": 0.0}, {"max_batch": 33, "queue": 99}):
        with pytest.raises(ValueError, match=r"queue|bucket"):
            Batcher(model, _limits(**wrong))
    with pytest.raises(ValueError, match="rows"):
        Batcher(model, _limits())(np.zeros((9, 1), dtype=np.float32))


def _parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_batch_options(parser)
    return parser.parse_args(words)


def test_options_come_to_settings() -> None:
    """Off unless asked for; asked for, queue, deadline and enough threads follow, and all of it is recorded."""
    off = chosen_bounds(_parsed()).placed(Settings())
    assert off == Settings()
    on = chosen_bounds(_parsed("--batch", "8")).placed(Settings())
    assert (on.batch, on.queue, on.deadline_ms) == (8, 16, 1000)
    assert on.threads > on.batch + on.queue
    named = chosen_bounds(_parsed("--batch", "4", "--queue", "9", "--deadline-ms", "50")).placed(Settings(), threads=6)
    assert named == replace(Settings(), batch=4, queue=9, deadline_ms=50, threads=6)
    assert named.record().items() >= {"batch": 4, "queue": 9, "deadline_ms": 50, "threads": 6}.items()
    _, restored = Settings.from_environment(named.environment("x"))
    assert restored == named


@pytest.mark.parametrize(
    ("words", "threads"),
    [
        (("--batch", "33"), None),
        (("--batch", "8", "--queue", "7"), None),
        (("--batch", "8", "--deadline-ms", "0"), None),
        (("--batch", "8"), 7),
        (("--queue", "8"), None),
        (("--deadline-ms", "8"), None),
    ],
)
def test_options_that_cannot_hold_are_usage_errors(words: tuple[str, ...], threads: int | None) -> None:
    """Exit code 2 and a line that says why."""
    with pytest.raises(ExpectedError) as refused:
        chosen_bounds(_parsed(*words)).placed(Settings(), threads)
    assert refused.value.code == 2


# -- behind an adapter, and over HTTP


def _behind_a_queue(service: Service, limits: Limits) -> Service:
    assert service.loaded is not None
    service.batchers = {name: Batcher(service.loaded.predictors[name], limits) for name in BATCHED}
    service.loaded = replace(service.loaded, predictors=service.loaded.predictors | service.batchers)
    return service


@pytest.mark.parametrize("framework", ["flask", "bottle", "wsgi"])
def test_refusals_reach_the_wire(framework: str, make_service: Callable[[], Service], model: _Model) -> None:
    """503 carries Retry-After and comes before a body is taken apart; 504 and death are the contract's error bodies."""
    service = make_service()
    assert service.loaded is not None
    service.loaded = replace(service.loaded, predictors={"digits_cnn": model})
    _behind_a_queue(service, _limits(max_batch=1, queue=1, deadline_s=0.5))
    app = import_module(f"servers.apps.{framework}_app").create_app(service)
    picture = payloads("classify", "raw", 1)[0]
    with ThreadPoolExecutor(2) as askers:
        model.may_go.clear()
        first = askers.submit(call, app, "POST", "/classify", picture.body, picture.content_type)
        model.wait_entered()
        second = askers.submit(call, app, "POST", "/classify", picture.body, picture.content_type)
        _until(lambda: service.batchers["digits_cnn"]._waiting_rows == 1)
        refused = call(app, "POST", "/classify", b"\xff\xd8\xff no image", "image/jpeg")
        assert (refused.status, json.loads(refused.body)["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert call(app, "POST", "/classify", b"{}", "text/plain").status == 415
        late = second.result(_SOON_S)
        assert (late.status, json.loads(late.body)["code"]) == (504, "deadline_exceeded")
        model.may_go.set()
        assert first.result(_SOON_S).status == 200
    assert call(app, "POST", "/classify", b"\xff\xd8\xff no image", "image/jpeg").status == 400
    shown = json.loads(call(app, "GET", "/metadata").body)["batching"]["digits_cnn"]
    assert shown["batches"] == {"1": 1}
    assert (shown["overloaded"], shown["deadline_exceeded"]) == (1, 1)


@contextmanager
def _waitress(app: Any, threads: int) -> Iterator[int]:
    channels: dict[int, Any] = {}
    server = create_server(app, host="127.0.0.1", port=0, threads=threads, map=channels)

    def end() -> None:
        for dispatcher in list(channels.values()):
            dispatcher.close()

    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.effective_port
    finally:
        server.trigger.pull_trigger(end)
        thread.join(_SOON_S)
        server.task_dispatcher.shutdown()


def test_concurrent_requests_are_batched_over_http(make_service: Callable[[], Service]) -> None:
    """Bottle on Waitress with 32 threads: concurrent requests share batches, and each gets its own picture's class."""
    service = _behind_a_queue(make_service(), _limits(max_batch=8))
    app = import_module("servers.apps.bottle_app").create_app(service)
    pictures = payloads("classify", "raw", 16)
    assert len({picture.expected for picture in pictures}) > 4
    with _waitress(app, threads=32) as port, ThreadPoolExecutor(16) as askers:
        answers = list(askers.map(lambda at: (at, _post(port, pictures[at % 16])), range(96)))
    wrong = [at for at, answer in answers if not agrees(answer, pictures[at % 16].expected)]
    assert not wrong
    batches = service.metadata()["batching"]["digits_cnn"]["batches"]
    assert sum(int(rows) * count for rows, count in batches.items()) == 96
    assert max(map(int, batches)) > 1


def _post(port: int, picture: Any) -> Any:
    import http.client  # noqa: PLC0415 - only here

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SOON_S)
    try:
        connection.request("POST", "/classify", picture.body, {"Content-Type": picture.content_type})
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())["predicted_class"]
    finally:
        connection.close()


def test_a_served_target_is_warm_for_every_bucket(tmp_path: Path) -> None:
    """`function` behind gunicorn: ready only when every bucket was compared and run, batched, and with no retracing."""
    settings = chosen_bounds(_parsed("--batch", "8")).placed(Settings(models_dir=built_models(StandardError())))
    pictures = payloads("classify", "raw", 16)
    with launch(ServedTarget.parse("bottle+gunicorn"), settings, tmp_path / "log") as server:
        server.wait_ready(120)
        with ThreadPoolExecutor(16) as askers:
            answers = list(askers.map(lambda at: _post(server.settings.port, pictures[at % 16]), range(160)))
        metadata = server.metadata()
    assert metadata is not None
    assert answers == [pictures[at % 16].expected for at in range(160)]
    assert max(map(int, metadata["batching"]["digits_cnn"]["batches"])) > 1
    assert metadata["retraces"] == 0
    assert metadata["threads"]["server"] == settings.threads
    assert "died" not in (tmp_path / "log").read_text()
