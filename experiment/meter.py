"""How far a run has come, for the bar: what is done of each kind of work, the pace so far, and the running ratio.

Starting a server and sending load go at paces of their own, which differ from machine to machine and from hour to hour.
So each kind of work has its own: what it took so far a unit, and before anything of it is done what it took last time
(`experiment/pace.py`). The bar is given seconds: those that are gone, and those that are left by these paces.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from experiment.pace import UNKNOWN_PACE, UsualPace
from experiment.progress import Bar
from loadtests.events import SliceEvent
from loadtests.plans import Plan


@dataclass(slots=True, kw_only=True)
class Work:
    """One kind of work: `units` of it in all, of which each usually takes `usual_s`."""

    units: float
    usual_s: float
    done: float = 0.0
    spent_s: float = 0.0
    _current: float = 0.0
    _before_s: float = 0.0

    def begin(self, units: float) -> None:
        """So many units are under way from now on."""
        self._current = units

    def end(self, units: float) -> None:
        """So many units are done."""
        self.done = min(self.units, self.done + units)
        self._current, self._before_s = 0.0, self.spent_s

    def left_s(self) -> float:
        """What the rest will take at the pace so far."""
        here_s = self.spent_s - self._before_s
        if self._before_s:
            unit_s = self._before_s / self.done
        else:
            # The first time over what is usual, what it took so far is all that is known.
            unit_s = max(self.usual_s, here_s / self._current if self._current else 0.0)
        rest_s = (self.units - self.done - self._current) * unit_s
        return max(0.0, rest_s) + max(0.0, self._current * unit_s - here_s)


class Meter:
    """Turns what happens into the bar's position, in seconds, and its words."""

    def __init__(
        self,
        bar: Bar,
        plan: Plan,
        targets: int,
        *,
        blocks_left: int,
        scenarios_left: int,
        gate: bool = True,
        at_most_s: float | None = None,
        usual: UsualPace = UNKNOWN_PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_most_s` is given for a run that goes on until it is decided: most that do need all of it."""
        self._bar, self._plan, self._clock = bar, plan, clock
        self._at_most_s = at_most_s
        trial_s = sum(map(plan.trial_s, plan.scenarios)) / max(1, len(plan.scenarios))
        self._starts = Work(units=blocks_left * targets, usual_s=usual.target_s)
        self._gate = Work(units=targets if gate and blocks_left else 0, usual_s=usual.gate_s)
        self._load = Work(units=scenarios_left * targets * trial_s, usual_s=usual.load_ratio)
        self._beside = Work(units=0, usual_s=0.0)
        self._now = self._beside
        self._began = self._at = clock()
        self._rates: dict[tuple[str, str], list[float]] = defaultdict(list)

    def more(self, scenarios: dict[str, int], blocks: int) -> None:
        """So many more blocks than was known, each with so many targets by scenario."""
        self._starts.units += blocks * max(scenarios.values(), default=0)
        self._load.units += blocks * sum(self._planned_s(name, targets) for name, targets in scenarios.items())

    def phase(self, what: str) -> None:
        """Something is under way that no estimate has, such as the search for a capacity."""
        self._turn(self._beside)
        self._say(what)

    def starting(self, what: str, targets: int) -> None:
        """The servers of a block are started, primed or stopped."""
        self._turn(self._starts)
        self._starts.begin(targets)
        self._say(what)

    def judging(self, what: str) -> None:
        """The conformance gate."""
        self._turn(self._gate)
        self._gate.begin(self._gate.units)
        self._say(what)

    def judged(self) -> None:
        """The gate has ended."""
        self._turn(self._starts)
        self._gate.end(self._gate.units)

    def visit(self, block: str, scenario: str, targets: int, event: SliceEvent) -> None:
        """One slice has ended; `block` says in words in which block."""
        self._turn(self._load)
        self._load.begin(self._planned_s(scenario, targets))
        if event.stage == "measure" and event.rps:
            self._rates[scenario, event.target].append(event.rps)
        self._say(f"{block} {scenario} {event.target}{self._ratio(scenario)}")

    def scenario_done(self, scenario: str, targets: int, *, planned: int) -> None:
        """So many targets of one scenario are measured, of so many that were planned; the others are not to come."""
        self._turn(self._starts)
        self._load.units -= self._planned_s(scenario, planned - targets)
        self._load.end(self._planned_s(scenario, targets))

    def block_done(self, targets: int, *, planned: int) -> None:
        """The servers of a block have stopped: so many, of so many that were planned."""
        self._turn(self._beside)
        self._starts.units -= planned - targets
        self._starts.end(targets)

    def left_s(self) -> float:
        """Seconds that are left."""
        planned_s = sum(work.left_s() for work in (self._starts, self._gate, self._load))
        limit_s = 0.0 if self._at_most_s is None else self._at_most_s - (self._clock() - self._began)
        return max(planned_s, limit_s)

    def _say(self, what: str) -> None:
        self._turn(self._now)
        gone_s, left_s = self._at - self._began, self.left_s()
        self._bar.update(gone_s, gone_s + left_s, what, left_s)

    def _turn(self, to: Work) -> None:
        """What has passed was spent on what was under way; from now on it is `to`."""
        now = self._clock()
        self._now.spent_s += now - self._at
        self._at, self._now = now, to

    def _planned_s(self, scenario: str, targets: int) -> float:
        return sum(targets * self._plan.trial_s(one) for one in self._plan.scenarios if one.id == scenario)

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
