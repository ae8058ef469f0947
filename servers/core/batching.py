"""Dynamic batching for the request threads of one process, by Triton's rule: no timer.

Request threads put their rows into a bounded queue. One executor thread, whenever it is free, takes everything that
waits, up to a batch, and runs the predictor once. An idle executor runs a lone request at once; under load batches grow
by themselves, because more arrives while one is running.

Kernels for several rows may differ from those for one in the last bits, so batched answers equal unbatched ones within
the tolerance of the reference, not bit for bit.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.batch_figures import BatchFigures
from servers.core.reply import deadline_exceeded, overloaded
from servers.core.row_counts import bucket

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Predictor

BATCHED: Final = ("digits_cnn",)
"""Models that are batched when batching is on. The regressions are not: their call costs less than the two thread
switches that a queue adds, so a batch could only slow them down."""

_log: Final = logging.getLogger("titrate.batching")


class ExecutorDiedError(RuntimeError):
    """The executor thread ended while this request waited for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Rows of a batch, rows that may wait, and how long they may wait."""

    max_batch: int
    queue: int
    deadline_s: float


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiter:
    """One request in the queue or in execution. `done` is set once, after `result` or `error`."""

    rows: NDArray[Any]
    since_s: float
    deadline_s: float
    done: threading.Event = field(default_factory=threading.Event)
    result: NDArray[np.float32] | None = None
    error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.done.set()


class Batcher:
    """A predictor behind a queue; itself a predictor, for many threads at once.

    `clock` tells seconds, monotonic. The executor is a daemon thread that starts with the first request, and again with
    the next one after it died.
    """

    def __init__(self, predict: Predictor, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        if not 1 <= limits.max_batch <= limits.queue or limits.deadline_s <= 0:
            raise ValueError(f"a batch of at least 1, a queue that holds one and a positive deadline, not {limits}")
        bucket(limits.max_batch)
        self.limits: Final = limits
        self._predict = predict
        self._clock = clock
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._queue: deque[_Waiter] = deque()
        self._waiting_rows = 0
        self._executor: threading.Thread | None = None
        self._closed = False
        self._figures = BatchFigures()

    def __call__(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """The predictions of `rows`, [n, ...] with n up to the largest batch, after waiting for a turn.

        Raises ApiError 503 `overloaded` where the queue has no room, ApiError 504 `deadline_exceeded` where the turn
        did not come in time, ExecutorDiedError, or what the predictor raised for these rows.
        """
        waiter = self._enqueue(rows)
        # Rows that were taken in time are being executed: their answer is worth waiting for.
        if not waiter.done.wait(self.limits.deadline_s) and not self._withdraw(waiter):
            waiter.done.wait()
        if waiter.error is not None:
            raise waiter.error
        assert waiter.result is not None  # noqa: S101 - `done` is set after one of the two
        return waiter.result

    def require_room(self) -> None:
        """Raise ApiError 503 where the queue is full now, so that a caller need not prepare what would be refused."""
        with self._lock:
            self._require_room(1)

    def to_json(self) -> dict[str, Any]:
        """Limits and figures, for `GET /metadata`."""
        with self._lock:
            return {
                "max_batch": self.limits.max_batch,
                "queue": self.limits.queue,
                "deadline_ms": round(1e3 * self.limits.deadline_s),
                **self._figures.to_json(),
            }

    def close(self) -> None:
        """Refuse new requests, answer those that were accepted, and return when the executor has ended."""
        with self._lock:
            self._closed = True
            self._arrival.notify()
            executor = self._executor
        if executor is not None:
            executor.join()

    # -- the request threads' side

    def _enqueue(self, rows: NDArray[Any]) -> _Waiter:
        if not 1 <= len(rows) <= self.limits.max_batch:
            raise ValueError(f"a request has 1 to {self.limits.max_batch} rows, not {len(rows)}")
        with self._lock:
            self._require_room(len(rows))
            if self._executor is None:
                executor = threading.Thread(target=self._serve, name="batch-executor", daemon=True)
                executor.start()
                self._executor = executor
            now = self._clock()
            waiter = _Waiter(rows=rows, since_s=now, deadline_s=now + self.limits.deadline_s)
            self._queue.append(waiter)
            self._waiting_rows += len(rows)
            self._arrival.notify()
        return waiter

    def _require_room(self, rows: int) -> None:
        if self._closed or self._waiting_rows + rows > self.limits.queue:
            self._figures.overloaded += 1
            # By then all that waits now has been answered or dropped.
            raise overloaded(math.ceil(self.limits.deadline_s))

    def _withdraw(self, waiter: _Waiter) -> bool:
        """Take an expired request out of the queue; false where the executor was quicker."""
        with self._lock:
            if waiter not in self._queue:
                return False
            self._queue.remove(waiter)
            self._waiting_rows -= len(waiter.rows)
            self._expire(waiter)
        return True

    def _expire(self, waiter: _Waiter) -> None:
        self._figures.expired += 1
        waiter.fail(deadline_exceeded())

    # -- the executor's side

    def _serve(self) -> None:
        taken: list[_Waiter] = []
        try:
            while taken := self._take():
                self._execute(taken)
        except BaseException as death:  # noqa: BLE001 - whatever it is, nobody may go on waiting for this thread
            _log.critical("the batch executor died", exc_info=death)
            self._die(taken, death)

    def _take(self) -> list[_Waiter]:
        """The next batch, oldest first; waits for it. Empty when closed and nothing is left."""
        with self._lock:
            while True:
                while not self._queue and not self._closed:
                    self._arrival.wait()
                if not self._queue:
                    self._executor = None
                    return []
                taken: list[_Waiter] = []
                size, now = 0, self._clock()
                while self._queue and size + len(self._queue[0].rows) <= self.limits.max_batch:
                    waiter = self._queue.popleft()
                    self._waiting_rows -= len(waiter.rows)
                    if now >= waiter.deadline_s:
                        self._expire(waiter)
                    else:
                        taken.append(waiter)
                        size += len(waiter.rows)
                if taken:
                    self._figures.left_queue(now - waiter.since_s for waiter in taken)
                    return taken

    def _execute(self, taken: Sequence[_Waiter]) -> None:
        try:
            self._answer(taken)
        except Exception as fault:  # noqa: BLE001 - each request of the batch gets its own answer or its own fault
            with self._lock:
                self._figures.failed_batches += 1
            if len(taken) == 1:
                taken[0].fail(fault)
                return
            _log.warning("a batch of %d failed and is run one by one: %s", len(taken), type(fault).__name__)
            for waiter in taken:
                self._execute([waiter])

    def _answer(self, taken: Sequence[_Waiter]) -> None:
        """Run one batch and wake its requests; raises what the predictor raises, and wakes nobody then."""
        sizes = [len(waiter.rows) for waiter in taken]
        with self._lock:
            self._figures.batches[sum(sizes)] += 1
        answers = self._predict(_padded([waiter.rows for waiter in taken]))
        if len(answers) < sum(sizes):
            raise ValueError(f"the predictor answered {len(answers)} rows to {sum(sizes)}")
        start = 0
        for waiter, size in zip(taken, sizes, strict=True):
            waiter.result = answers[start : start + size]
            start += size
        for waiter in taken:
            waiter.done.set()

    def _die(self, taken: Iterable[_Waiter], death: BaseException) -> None:
        with self._lock:
            waiting = [waiter for waiter in taken if not waiter.done.is_set()]
            waiting += self._queue
            self._queue.clear()
            self._waiting_rows = 0
            self._executor = None
            self._figures.deaths += 1
        for waiter in waiting:
            error = ExecutorDiedError(f"the batch executor died: {type(death).__name__}")
            error.__cause__ = death
            waiter.fail(error)


def _padded(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The parts as one batch, filled up with zeros to the next bucket.

    Raises ValueError where their shapes or types differ: NumPy would widen or broadcast in silence.
    """
    first = parts[0]
    if any(part.dtype != first.dtype or part.shape[1:] != first.shape[1:] for part in parts):
        raise ValueError("rows of different shapes or types in one batch")
    rows = sum(map(len, parts))
    size = bucket(rows)
    if len(parts) == 1 and size == rows:
        return first
    batch = np.zeros((size, *first.shape[1:]), dtype=first.dtype)
    np.concatenate(parts, out=batch[:rows])
    return batch
