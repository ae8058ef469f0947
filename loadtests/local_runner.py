"""One process's own part in a trial: its users, their connections, and the slices that it runs on them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Self

import gevent

from loadtests.audit import queued_ns, throttled_ns
from loadtests.connection import LoadedTarget, make_ready
from loadtests.loop import TICK_NS, SliceRun
from loadtests.orders import TrialOrder
from loadtests.runner import LoadSegment, SliceOrder, SliceResult, generator_seed
from loadtests.samples import Samples
from loadtests.system import REAL_SYSTEM
from loadtests.trial_record import WorkerNode
from loadtests.user import SliceUsers, spawn

OPENED_AHEAD = 16
"""An open loop opens the other connections only when so many requests are in flight: some servers take few."""

AWAKE_NS = 3_000_000
"""The last of a wait for the agreed time is spent awake: gevent's timers end up to a millisecond late."""


class LocalRunner:
    """Puts one segment of a trial's load on its targets. Raises ValueError for a target that is no base URL.

    `runner` is Locust's, where this process has one; else it gets one of its own for the trial.
    """

    workers: tuple[WorkerNode, ...] = ()

    def __init__(self, order: TrialOrder, segment: LoadSegment, runner: Any = None) -> None:
        self.segments = (segment,)
        self._order = order
        self._segment = segment
        self._timeout_ns = int(order.timeout_s * 1e9)
        self._runner = runner
        self._targets = [LoadedTarget(target) for target in order.targets]
        self._users = SliceUsers(first=segment.first)
        self._prepared: SliceRun | None = None
        self._stop_users: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self._stop_users = spawn(self._users, self._segment.users, self._runner)
        # Collections would land inside slices; between them there is time for it, and little garbage. What is there by
        # now stays: to walk through it again before each slice takes as long as the slice.
        gc.collect()
        gc.freeze()
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        gc.enable()
        gc.unfreeze()
        if self._stop_users is not None:
            self._stop_users()

    def probe(self, target: int) -> str | None:
        """One exchange: does the target answer, does it close its connections? Before any is opened in advance."""
        loaded, samples = self._targets[target], Samples()
        loaded.choose_place(self._timeout_ns)
        connection = self._users.connections(loaded)[0]
        SliceRun(target=loaded, samples=samples, number=0, length_ns=1, timeout_ns=self._timeout_ns).run([connection])
        unanswered = samples.close_slice(number=0, opened_ns=0, deadline_ns=0, late_ns=0).unanswered
        loaded.closes = not connection.is_open
        return f"no answer to the first request ({loaded.failure})" if unanswered else None

    def prepare(self, order: SliceOrder) -> None:
        """Draw the schedule, check or open connections, collect garbage."""
        target = self._targets[order.target]
        # The same schedule for every target of a round: what chance does to one, it does to all.
        schedule = self._order.scenario.arrival.schedule(
            length_ns=order.length_ns, seed=generator_seed(self._order.seed, order.number)
        )
        self._prepared = SliceRun(
            target=target,
            samples=Samples(),
            number=order.number,
            length_ns=order.length_ns,
            timeout_ns=self._timeout_ns,
            schedule=schedule if schedule is None else schedule[self._segment.index :: self._segment.of],
        )
        connections = self._users.connections(target)
        ahead = connections if schedule is None else connections[: max(1, self._segment.of_many(OPENED_AHEAD))]
        make_ready(target, ahead, self._timeout_ns)
        gc.collect()

    def run(self, opens_ns: int | None = None) -> tuple[SliceResult, ...]:
        """Run the slice at once, or as one that opens at that time on this process's clock."""
        made, self._prepared = self._prepared, None
        if made is None:
            raise RuntimeError("a slice must be prepared before it is run")
        late_ns = 0 if opens_ns is None else _wait_until(opens_ns)
        queued, throttled = queued_ns(), throttled_ns()
        made.run(self._users.connections(made.target), opens_ns)
        result = SliceResult(
            rows=bytes(made.samples.rows),
            opened_ns=made.opened_ns,
            deadline_ns=made.deadline_ns,
            cap_hits=made.cap_hits,
            unsent=made.unsent,
            connects=made.target.connects,
            busy_ns=made.busy_ns,
            wall_ns=made.wall_ns,
            queued_ns=(queued_ns() or 0) - (queued or 0),
            throttled_ns=throttled_ns() - throttled,
            longest_gap_ns=max(made.gaps_ns, default=0),
            stood_ns=sum(gap for gap in made.gaps_ns if gap > TICK_NS),
            own_core=REAL_SYSTEM.awake,
            shares=made.shares,
            lags_ns=made.lags_ns.tolist(),
            late_start_ns=late_ns,
        )
        return (result,)


def _wait_until(opens_ns: int) -> int:
    """Wait for that time; by how much it was missed."""
    while (left_ns := opens_ns - REAL_SYSTEM.clock()) > 0:
        if left_ns > AWAKE_NS:
            gevent.sleep((left_ns - AWAKE_NS) / 1e9)
    return -left_ns
