"""One trial: targets that are up together are loaded in turn, in random order, one slice after the other.

A round visits every target once. Warm-up rounds come first and are thrown away, save that they say how long a
slice each target needs. While one target is visited the others wait; what they burn meanwhile is read from
their CPU clocks at the slice's edges, outside of its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loadtests.arrival import ClosedLoop
from loadtests.audit import LATE_NS
from loadtests.events import SliceEvent
from loadtests.local_runner import LocalRunner
from loadtests.neighbours import read_books
from loadtests.orders import WARMUP_SLICE_S, CalibrationOrder, TrialOrder
from loadtests.runner import LoadSegment, LostWorkerError, Runner, SliceOrder, merge
from loadtests.samples import SliceFigures
from loadtests.scenarios import Scenario
from loadtests.target_tally import TargetTally
from loadtests.trial_record import Calibration, TrialRecord

OnSlice = Callable[[SliceEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clocks:
    """The clocks at one edge of a slice: wall, and every target's CPU time, in ns."""

    wall_ns: int
    target_cpu_ns: list[int | None]
    switches: int | None


class Trial:
    """One order's execution. `on_slice` hears of each slice; `runner` runs them, this process where there is none."""

    def __init__(self, order: TrialOrder, on_slice: OnSlice, runner: Runner | None = None) -> None:
        self._order = order
        self._on_slice = on_slice
        self._arrival = order.scenario.arrival
        self._runner: Runner = runner or LocalRunner(order, LoadSegment(users=self._arrival.users))
        self._chance = np.random.default_rng(order.seed)
        self._warming = True
        self._rounds = order.slices
        self.tallies = [TargetTally(target, self._runner.segments) for target in order.targets]

    def run(self) -> list[TrialRecord]:
        """The records of all targets, in the order's order. A worker that is lost ends the trial, which is invalid."""
        try:
            with self._runner:
                self._measure()
        except LostWorkerError as error:
            for tally in self.tallies:
                tally.lost, tally.worker_lost = str(error), True
                if self._warming:
                    tally.end_warmup(judged=False)
        measured = any(tally.processes is not None for tally in self.tallies)
        return [
            tally.record(
                self._order,
                measured_resources=measured,
                workers=self._runner.workers,
                samples=tally.save(self._order, index=index),
            )
            for index, tally in enumerate(self.tallies)
        ]

    def _measure(self) -> None:
        for index, tally in enumerate(self.tallies):
            tally.slice_s = self._order.slice_s
            if tally.lost is None:
                tally.lost = self._runner.probe(index)
        self._warm_up()
        self._warming = False
        self._rounds = self._order.rounds(max(tally.slice_s for tally in self.tallies))
        for number in range(self._rounds):
            self._round(number, "measure", self.tallies)

    def _warm_up(self) -> None:
        """As many rounds as were ordered, and more of those targets that are not steady yet, where that was ordered."""
        for number in range(self._order.warmup_slices):
            self._round(number, "warmup", self.tallies)
        if self._order.longest_warmup_slices > self._order.warmup_slices:
            for number in range(self._order.warmup_slices, self._order.longest_warmup_slices):
                self._round(number, "warmup", [tally for tally in self.tallies if not tally.steady_yet()])
        for tally in self.tallies:
            tally.end_warmup(judged=self._order.longest_warmup_slices > self._order.warmup_slices)

    def _round(self, number: int, stage: Literal["warmup", "measure"], tallies: Sequence[TargetTally]) -> None:
        for index in self._chance.permutation(len(tallies)):
            tally = tallies[index]
            if tally.lost is not None:
                continue
            order = SliceOrder(
                target=self.tallies.index(tally),
                number=number,
                length_ns=int((max(tally.slice_s, WARMUP_SLICE_S) if stage == "warmup" else tally.slice_s) * 1e9),
                warmup=stage == "warmup",
            )
            figures = self._slice(tally, order)
            if self._arrival.rate_rps is None and (stage == "warmup" or not figures.window_ns):
                tally.slice_s = min(max(tally.slice_s, tally.needed_s(figures)), self._order.longest_slice_s)
            self._on_slice(
                SliceEvent(
                    stage=stage,
                    round=number,
                    rounds=max(self._order.warmup_slices, self._order.longest_warmup_slices)
                    if stage == "warmup"
                    else self._rounds,
                    target=tally.order.id,
                    rps=figures.completed / (figures.window_ns / 1e9) if figures.window_ns else None,
                    errors=figures.errors,
                    lost=tally.lost,
                )
            )

    def _slice(self, tally: TargetTally, order: SliceOrder) -> SliceFigures:
        self._runner.prepare(order)
        opening = self._clocks(tally)
        before = read_books() if tally.processes else None
        results = self._runner.run()
        after = read_books() if tally.processes else None
        closing = self._clocks(tally)
        scheduled = self._arrival.rate_rps is not None
        tally.samples.rows += merge(results)
        figures = tally.samples.close_slice(
            number=order.number,
            opened_ns=results[0].opened_ns,
            deadline_ns=results[0].deadline_ns,
            late_ns=LATE_NS,
            scheduled=scheduled,
        )
        tally.add(figures, results, scheduled=scheduled, wall_ns=closing.wall_ns - opening.wall_ns)
        self._add_resources(tally, opening, closing)
        if before and after:
            queued_ns = None if self._runner.workers else results[0].queued_ns
            tally.visits.add(order.number, figures, before, after, queued_ns=queued_ns)
        return figures

    def _clocks(self, visited: TargetTally) -> _Clocks:
        switches = visited.switches_now()
        targets = [tally.cpu_now_ns() for tally in self.tallies]
        return _Clocks(
            wall_ns=time.monotonic_ns(),
            target_cpu_ns=targets,
            switches=switches,
        )

    def _add_resources(self, visited: TargetTally, opening: _Clocks, closing: _Clocks) -> None:
        own_ns = others_ns = 0
        for tally, before, after in zip(self.tallies, opening.target_cpu_ns, closing.target_cpu_ns, strict=True):
            if before is None or after is None:
                continue
            if tally is visited:
                own_ns = after - before
            elif not tally.shares_processes(visited):
                others_ns += after - before
        # Threads that ended in between took their counts with them.
        switches = max(0, (closing.switches or 0) - (opening.switches or 0))
        visited.add_resources(cpu_ns=own_ns, switches=switches, others_cpu_ns=others_ns)


class CalibrationError(Exception):
    """The null server did not answer as it should."""


def calibrate(order: CalibrationOrder, on_slice: OnSlice) -> Calibration:
    """What the generator itself can do, against a server that does next to nothing, at many users and at one.

    The ceiling is the throughput at many users; it bounds generator and null server together, so it is the rate above
    which a target's figures would be the generator's. The overhead is the median service time at one user: what a
    request costs before a target has done any work.

    Raises CalibrationError where requests failed: a ceiling of errors bounds nothing.
    """
    busy = _measure(order, order.users, on_slice)
    alone = _measure(order, 1, on_slice)
    return Calibration(
        ceiling_rps=busy.throughput_rps,
        overhead_us=alone.p50_us or 0.0,
        users=busy.users,
        cpu_share=busy.generator.cpu_share,
    )


def _measure(order: CalibrationOrder, users: int, on_slice: OnSlice) -> TrialRecord:
    scenario = Scenario(
        endpoint="calibration",
        encoding="raw",
        payloads=len(order.target.requests),
        arrival=ClosedLoop(users=users),
    )
    whole = TrialOrder(
        scenario=scenario,
        targets=(order.target,),
        slices=order.slices,
        slice_s=order.slice_s,
        seed=0,
        timeout_s=order.timeout_s,
        label=scenario.id,
    )
    (record,) = Trial(whole, on_slice).run()
    if record.errors or not record.completed:
        raise CalibrationError(f"the null server failed at {users} users: {record.reason}, {record.error_kinds}")
    return record
