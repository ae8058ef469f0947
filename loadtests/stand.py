"""One process's own part in a trial: its users, their connections, and the visits that they make."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Self

import gevent

from loadtests.audit import queued_ns
from loadtests.connection import Route, stand_ready
from loadtests.loop import Visit
from loadtests.orders import TrialOrder
from loadtests.parts import Errand, Part, Portion, generator_seed
from loadtests.record import WorkerNode
from loadtests.samples import Samples
from loadtests.user import Crew, spawn
from loadtests.world import REAL

OPENED_AHEAD = 16
"""An open loop opens the other connections only when so many requests are in flight: some servers take few."""

AWAKE_NS = 3_000_000
"""The last of a wait for the agreed time is spent awake: gevent's timers end up to a millisecond late."""


class Stand:
    """A portion of a trial's load. Raises ValueError for a target that is no base URL.

    `runner` is Locust's, where this process has one; else it gets one of its own for the trial.
    """

    workers: tuple[WorkerNode, ...] = ()

    def __init__(self, order: TrialOrder, portion: Portion, runner: Any = None) -> None:
        self.portions = (portion,)
        self._order = order
        self._portion = portion
        self._runner = runner
        self._routes = [Route(target) for target in order.targets]
        self._crew = Crew(first=portion.first)
        self._visit: Visit | None = None
        self._dismiss: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self._dismiss = spawn(self._crew, self._portion.users, self._runner)
        # Collections would land inside slices; between them there is time for it, and little garbage.
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        gc.enable()
        if self._dismiss is not None:
            self._dismiss()

    def probe(self, target: int) -> str | None:
        """One exchange: does the target answer, does it close its connections? Before any is opened in advance."""
        route, samples = self._routes[target], Samples()
        line = self._crew.lines(route)[0]
        visit = Visit(route=route, samples=samples, number=0, length_ns=1, timeout_ns=int(self._order.timeout_s * 1e9))
        visit.run([line])
        unanswered = samples.close_slice(number=0, opened_ns=0, deadline_ns=0, late_ns=0).unanswered
        route.closes = not line.is_open
        return f"no answer to the first request ({route.failure})" if unanswered else None

    def prepare(self, errand: Errand) -> None:
        """Draw the schedule, check or open connections, collect garbage."""
        route = self._routes[errand.target]
        # The same schedule for every target of a round: what chance does to one, it does to all.
        schedule = self._order.scenario.arrival.schedule(
            length_ns=errand.length_ns, seed=generator_seed(self._order.seed, errand.number)
        )
        self._visit = Visit(
            route=route,
            samples=Samples(),
            number=errand.number,
            length_ns=errand.length_ns,
            timeout_ns=int(self._order.timeout_s * 1e9),
            schedule=schedule if schedule is None else schedule[self._portion.index :: self._portion.of],
        )
        lines = self._crew.lines(route)
        ahead = lines if schedule is None else lines[: max(1, self._portion.of_many(OPENED_AHEAD))]
        stand_ready(route, ahead, self._visit.timeout_ns)
        gc.collect()

    def go(self, opens_ns: int | None = None) -> tuple[Part, ...]:
        """Make the visit at once, or as one that opens at that time on this process's clock."""
        visit, self._visit = self._visit, None
        if visit is None:
            raise RuntimeError("a visit must be prepared before it is made")
        late_ns = 0 if opens_ns is None else _wait_until(opens_ns)
        queued = queued_ns()
        visit.run(self._crew.lines(visit.route), opens_ns)
        part = Part(
            rows=bytes(visit.samples.rows),
            opened_ns=visit.opened_ns,
            deadline_ns=visit.deadline_ns,
            cap_hits=visit.cap_hits,
            unsent=visit.unsent,
            connects=visit.route.connects,
            busy_ns=visit.busy_ns,
            wall_ns=visit.wall_ns,
            queued_ns=(queued_ns() or 0) - (queued or 0),
            shares=visit.shares,
            lags_ns=visit.lags_ns.tolist(),
            late_start_ns=late_ns,
        )
        return (part,)


def _wait_until(opens_ns: int) -> int:
    """Wait for that time; by how much it was missed."""
    while (left_ns := opens_ns - REAL.clock()) > 0:
        if left_ns > AWAKE_NS:
            gevent.sleep((left_ns - AWAKE_NS) / 1e9)
    return -left_ns
