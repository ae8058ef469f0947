"""How far a run has come, for the bar: visits counted, the pace so far, and the running ratio."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Any

from loadtests.scenarios import Plan
from verbs.terminal import Bar


class Meter:
    """Turns the generator's events into the bar's position and words."""

    def __init__(self, bar: Bar, plan: Plan, targets: int, scenarios_left: int) -> None:
        self._bar = bar
        self._blocks = plan.blocks
        self._visits = targets * (plan.slices + plan.warmup_slices)
        self._total = float(scenarios_left * self._visits)
        self._before = 0.0
        self._within = 0
        self._rates: dict[tuple[str, str], list[float]] = defaultdict(list)

    def phase(self, what: str) -> None:
        """Something other than load is under way."""
        self._bar.update(self._before, self._total, what)

    def visit(self, block: int, scenario: str, event: dict[str, Any]) -> None:
        """One slice has ended."""
        self._within = min(self._within + 1, self._visits)
        target = str(event["target"])
        if event["stage"] == "measure" and event["rps"]:
            self._rates[scenario, target].append(event["rps"])
        words = f"block {block + 1}/{self._blocks} {scenario} {target}{self._ratio(scenario)}"
        self._bar.update(self._before + self._within, self._total, words)

    def scenario_done(self) -> None:
        """All targets of one scenario are measured."""
        self._before += self._visits
        self._within = 0

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
