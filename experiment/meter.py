"""How far a run has come, for the bar: visits counted, the pace so far, and the running ratio."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Final

from experiment.progress import Bar
from loadtests.events import SliceEvent
from loadtests.plans import Plan

LAUNCH_S: Final = 5.0
"""What starting, priming and stopping one target costs, for estimates: a TensorFlow import, shared by two cores."""

_VISIT_OVER_SLICE: Final = 1.5
"""A visit is longer than its slice: it is drained, and where answers take long the slice is lengthened."""


class Meter:
    """Turns what happens into the bar's position, in seconds as estimated beforehand, and its words."""

    def __init__(self, bar: Bar, plan: Plan, targets: int, *, blocks_left: int, scenarios_left: int) -> None:
        self._bar = bar
        self._visit_s = plan.slice_s * _VISIT_OVER_SLICE
        trial_s = sum(map(plan.trial_s, plan.scenarios)) / max(1, len(plan.scenarios))
        self._scenario_s = targets * trial_s * _VISIT_OVER_SLICE
        self._total_s = blocks_left * targets * LAUNCH_S + scenarios_left * self._scenario_s
        self._done_s = 0.0
        self._within_s = 0.0
        self._rates: dict[tuple[str, str], list[float]] = defaultdict(list)

    def more(self, seconds: float) -> None:
        """So much more is to be done than was known."""
        self._total_s += seconds

    def phase(self, what: str) -> None:
        """Something other than load is under way."""
        self._bar.update(self._done_s, self._total_s, what)

    def launched(self, what: str) -> None:
        """One target is up."""
        self._done_s += LAUNCH_S
        self.phase(what)

    def visit(self, block: str, scenario: str, event: SliceEvent) -> None:
        """One slice has ended; `block` says in words in which block."""
        self._within_s = min(self._within_s + self._visit_s, self._scenario_s)
        if event.stage == "measure" and event.rps:
            self._rates[scenario, event.target].append(event.rps)
        words = f"{block} {scenario} {event.target}{self._ratio(scenario)}"
        self._bar.update(self._done_s + self._within_s, self._total_s, words)

    def scenario_done(self) -> None:
        """All targets of one scenario are measured."""
        self._done_s += self._scenario_s
        self._within_s = 0.0

    def _ratio(self, scenario: str) -> str:
        """Bottle over Flask so far, where both are measured on the same parts; else the first two targets seen."""
        rates = {target: median(found) for (at, target), found in self._rates.items() if at == scenario}
        for target, rate in rates.items():
            if target.startswith("flask+") and (other := target.replace("flask+", "bottle+", 1)) in rates:
                return f"  bottle/flask {rates[other] / rate:.3f}"
        if len(rates) > 1:
            (first, a), (second, b) = list(rates.items())[:2]
            return f"  {second}/{first} {b / a:.3f}"
        return ""
