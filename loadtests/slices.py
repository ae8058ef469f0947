"""The conductor: visits targets that are up together, in random order, one slice after the other.

A round visits every target once. Warm-up rounds come first and are thrown away, save that they say how long a
slice each target needs. While one target is visited the others wait; what they burn meanwhile is read from
their CPU clocks at the slice's edges, outside of its time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import numpy as np

from loadtests.audit import LATE_NS, Watch
from loadtests.connection import TRANSPORT_ERRORS
from loadtests.orders import TrialOrder
from loadtests.samples import SliceFigures
from loadtests.tally import TargetTally, generator_seed
from loadtests.user import Crew, Overdue, Visit, spawn

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The clocks at one edge of a slice: wall and generator CPU time, and every target's CPU time, in ns."""

    wall_ns: int
    generator_cpu_ns: int
    target_cpu_ns: list[int | None]
    switches: int | None


class Conductor:
    """Runs one trial. `report` gets a progress event after each visit."""

    def __init__(self, order: TrialOrder, report: Report) -> None:
        self._order = order
        self._report = report
        self._crew = Crew(order.scenario.arrival)
        self._chance = np.random.default_rng(order.seed)
        self.tallies = [TargetTally(target) for target in order.targets]

    def run(self) -> list[dict[str, Any]]:
        """The records of all targets, in the order's order."""
        runner = spawn(self._crew)
        # Collections would land inside slices; between them there is time for it, and little garbage.
        gc.disable()
        try:
            for tally in self.tallies:
                tally.slice_s = self._order.slice_s
                self._probe(tally)
            for number in range(self._order.warmup_slices):
                self._round(number, "warmup")
            for tally in self.tallies:
                tally.end_warmup()
            for number in range(self._order.slices):
                self._round(number, "measure")
        finally:
            gc.enable()
            runner.quit()
        measured = any(tally.processes is not None for tally in self.tallies)
        return [
            tally.record(self._order, index=index, measured_resources=measured)
            for index, tally in enumerate(self.tallies)
        ]

    def _probe(self, tally: TargetTally) -> None:
        """One exchange: does the target close its connections? Known before any is opened in advance."""
        if tally.lost is not None:
            return
        connection = self._crew.users[0].connection(tally.route)
        try:
            with gevent.Timeout(self._order.timeout_s, Overdue):
                answer = connection.exchange(tally.route.shots[0])
        except (Overdue, *TRANSPORT_ERRORS) as error:
            connection.close()
            tally.lost = f"no answer to the first request ({type(error).__name__}: {error})"
        else:
            tally.route.closes = not answer.keep_alive

    def _round(self, number: int, stage: str) -> None:
        for position, index in enumerate(self._chance.permutation(len(self.tallies))):
            tally = self.tallies[index]
            if tally.lost is not None:
                continue
            figures = self._visit(tally, number, position)
            if stage == "warmup" or not figures.window_ns:
                tally.slice_s = min(max(tally.slice_s, tally.needed_s(figures)), self._order.longest_slice_s)
            self._report(
                {
                    "event": "slice",
                    "stage": stage,
                    "round": number,
                    "rounds": self._order.warmup_slices if stage == "warmup" else self._order.slices,
                    "target": tally.order.id,
                    "rps": figures.completed / (figures.window_ns / 1e9) if figures.window_ns else None,
                    "errors": figures.errors,
                    "lost": tally.lost,
                }
            )

    def _visit(self, tally: TargetTally, number: int, position: int) -> SliceFigures:
        visit = Visit(
            route=tally.route,
            samples=tally.samples,
            number=number,
            length_ns=int(tally.slice_s * 1e9),
            users=len(self._crew.users),
            seed=generator_seed(self._order.seed, number),
        )
        self._stand_ready(tally)
        gc.collect()
        opening = self._edge(tally)
        with Watch(self._crew.users, timeout_s=self._order.timeout_s, lags_ns=tally.lags_ns):
            visit.open()
            for user in self._crew.users:
                user.inbox.put(visit)
            visit.done.wait()
        closing = self._edge(tally)
        if visit.failure is not None:
            raise visit.failure
        figures = tally.samples.close_slice(
            number=number, opened_ns=visit.opened_ns, deadline_ns=visit.deadline_ns, late_ns=LATE_NS
        )
        tally.add(
            figures,
            position=position,
            wall_ns=closing.wall_ns - opening.wall_ns,
            generator_cpu_ns=closing.generator_cpu_ns - opening.generator_cpu_ns,
        )
        self._add_resources(tally, opening, closing)
        return figures

    def _stand_ready(self, tally: TargetTally) -> None:
        """Check or open the users' connections.

        Where that fails, the users meet the fault inside the slice and count it.
        """
        for user in self._crew.users:
            try:
                with gevent.Timeout(self._order.timeout_s, Overdue):
                    user.connection(tally.route).stand_ready()
            except (Overdue, OSError):
                return

    def _edge(self, visited: TargetTally) -> Edge:
        switches = visited.switches_now()
        targets = [tally.cpu_now_ns() for tally in self.tallies]
        return Edge(
            wall_ns=time.monotonic_ns(),
            generator_cpu_ns=time.process_time_ns(),
            target_cpu_ns=targets,
            switches=switches,
        )

    def _add_resources(self, visited: TargetTally, opening: Edge, closing: Edge) -> None:
        wall_ns = closing.wall_ns - opening.wall_ns
        own_ns = others_ns = 0
        for tally, before, after in zip(self.tallies, opening.target_cpu_ns, closing.target_cpu_ns, strict=True):
            if before is None or after is None:
                continue
            if tally is visited:
                own_ns = after - before
            else:
                others_ns += after - before
                tally.add_wait(cpu_ns=after - before, wall_ns=wall_ns)
        # Threads that ended in between took their counts with them.
        switches = max(0, (closing.switches or 0) - (opening.switches or 0))
        visited.add_resources(cpu_ns=own_ns, switches=switches, others_cpu_ns=others_ns, wall_ns=wall_ns)
