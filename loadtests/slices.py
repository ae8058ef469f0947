"""The conductor: visits targets that are up together, in random order, one slice after the other.

A round visits every target once. Warm-up rounds come first and are thrown away, save that they say how long a
slice each target needs. While one target is visited the others wait; what they burn meanwhile is read from
their CPU clocks at the slice's edges, outside of its time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtests.audit import LATE_NS, queued_ns
from loadtests.connection import stand_ready
from loadtests.loop import Visit
from loadtests.orders import TrialOrder
from loadtests.samples import Samples, SliceFigures
from loadtests.tally import TargetTally, generator_seed
from loadtests.user import Crew, spawn

Report = Callable[[dict[str, Any]], None]

OPENED_AHEAD = 16
"""An open loop opens the other connections only when so many requests are in flight: some servers take few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The clocks at one edge of a slice: wall, generator CPU and queue time, and every target's CPU time, in ns."""

    wall_ns: int
    generator_cpu_ns: int
    generator_queued_ns: int | None
    target_cpu_ns: list[int | None]
    switches: int | None


class Conductor:
    """Runs one trial. `report` gets a progress event after each visit."""

    def __init__(self, order: TrialOrder, report: Report) -> None:
        self._order = order
        self._report = report
        self._arrival = order.scenario.arrival
        self._crew = Crew()
        self._chance = np.random.default_rng(order.seed)
        self.tallies = [TargetTally(target) for target in order.targets]

    def run(self) -> list[dict[str, Any]]:
        """The records of all targets, in the order's order."""
        runner = spawn(self._crew, self._arrival.users)
        # Collections would land inside slices; between them there is time for it, and little garbage.
        gc.disable()
        try:
            for tally in self.tallies:
                tally.slice_s = self._order.slice_s
                self._probe(tally)
            self._warm_up()
            for number in range(self._order.slices):
                self._round(number, "measure", self.tallies)
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
        samples = Samples()
        line = self._crew.lines(tally.route)[0]
        visit = Visit(
            route=tally.route, samples=samples, number=0, length_ns=1, timeout_ns=int(self._order.timeout_s * 1e9)
        )
        visit.run([line])
        if samples.close_slice(number=0, opened_ns=0, deadline_ns=0, late_ns=0).unanswered:
            tally.lost = f"no answer to the first request ({tally.route.failure})"
        tally.route.closes = not line.is_open

    def _warm_up(self) -> None:
        """As many rounds as were ordered, and more of those targets that are not steady yet, where that was ordered."""
        for number in range(self._order.warmup_slices):
            self._round(number, "warmup", self.tallies)
        if self._order.longest_warmup_slices > self._order.warmup_slices:
            for number in range(self._order.warmup_slices, self._order.longest_warmup_slices):
                self._round(number, "warmup", [tally for tally in self.tallies if not tally.steady_yet()])
        for tally in self.tallies:
            tally.end_warmup(judged=self._order.longest_warmup_slices > self._order.warmup_slices)

    def _round(self, number: int, stage: str, tallies: Sequence[TargetTally]) -> None:
        for position, index in enumerate(self._chance.permutation(len(tallies))):
            tally = tallies[index]
            if tally.lost is not None:
                continue
            figures = self._visit(tally, number, position)
            if self._arrival.rate_rps is None and (stage == "warmup" or not figures.window_ns):
                tally.slice_s = min(max(tally.slice_s, tally.needed_s(figures)), self._order.longest_slice_s)
            self._report(
                {
                    "event": "slice",
                    "stage": stage,
                    "round": number,
                    "rounds": max(self._order.warmup_slices, self._order.longest_warmup_slices)
                    if stage == "warmup"
                    else self._order.slices,
                    "target": tally.order.id,
                    "rps": figures.completed / (figures.window_ns / 1e9) if figures.window_ns else None,
                    "errors": figures.errors,
                    "lost": tally.lost,
                }
            )

    def _visit(self, tally: TargetTally, number: int, position: int) -> SliceFigures:
        length_ns = int(tally.slice_s * 1e9)
        # The same schedule for every target of a round: what chance does to one, it does to all.
        schedule = self._arrival.schedule(length_ns=length_ns, seed=generator_seed(self._order.seed, number))
        visit = Visit(
            route=tally.route,
            samples=tally.samples,
            number=number,
            length_ns=length_ns,
            timeout_ns=int(self._order.timeout_s * 1e9),
            schedule=schedule,
            lags_ns=tally.lags_ns,
        )
        lines = self._crew.lines(tally.route)
        ahead = lines if schedule is None else lines[:OPENED_AHEAD]
        stand_ready(tally.route, ahead, visit.timeout_ns)
        gc.collect()
        opening = self._edge(tally)
        visit.run(lines)
        closing = self._edge(tally)
        figures = tally.samples.close_slice(
            number=number,
            opened_ns=visit.opened_ns,
            deadline_ns=visit.deadline_ns,
            late_ns=LATE_NS,
            scheduled=schedule is not None,
        )
        tally.add(
            figures,
            visit,
            position=position,
            wall_ns=closing.wall_ns - opening.wall_ns,
            generator_cpu_ns=closing.generator_cpu_ns - opening.generator_cpu_ns,
            generator_queued_ns=(closing.generator_queued_ns or 0) - (opening.generator_queued_ns or 0),
        )
        self._add_resources(tally, opening, closing)
        return figures

    def _edge(self, visited: TargetTally) -> Edge:
        switches = visited.switches_now()
        targets = [tally.cpu_now_ns() for tally in self.tallies]
        return Edge(
            wall_ns=time.monotonic_ns(),
            generator_cpu_ns=time.process_time_ns(),
            generator_queued_ns=queued_ns(),
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
