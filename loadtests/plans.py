"""Plans: how much of which scenarios is measured.

A plan says nothing of targets: which ones are compared, and along which axis, is the caller's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from loadtests.arrival import PoissonRate
from loadtests.endpoints import ENDPOINTS
from loadtests.orders import WARMUP_SLICE_S
from loadtests.scenarios import Scenario, closed, opened

USERS_OF_OTHER_ENCODINGS = 16

LEAST_LONG_SLICES = 2
"""A target whose slices are long is still visited more than once in a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: scenarios, blocks of fresh processes, and slices of each target in every block.

    `slice_s` is the shortest slice; where answers take long, the generator lengthens it, and an open loop needs longer
    ones, of which there are then fewer. `warmup_slices` are visited and thrown away before them; where
    `longest_warmup_slices` is more, the warm-up goes on until three slices of a target agree, or there were so many.
    """

    name: str
    scenarios: tuple[Scenario, ...] = field(repr=False)
    blocks: int
    slices: int
    slice_s: float = 0.025
    warmup_slices: int = 1
    longest_warmup_slices: int = 0

    def slice_s_of(self, scenario: Scenario) -> float:
        """The shortest slice of one scenario."""
        return max(self.slice_s, scenario.arrival.least_slice_s)

    def slices_of(self, scenario: Scenario) -> int:
        """How many slices a block has of one scenario: as long in all as a closed loop's, and two at least."""
        if self.slice_s_of(scenario) == self.slice_s:
            return self.slices
        return max(LEAST_LONG_SLICES, math.ceil(self.slices * self.slice_s / self.slice_s_of(scenario)))

    def trial_s(self, scenario: Scenario) -> float:
        """Seconds that one target is under load in one trial, at the shortest slice."""
        slice_s = self.slice_s_of(scenario)
        return self.slices_of(scenario) * slice_s + self.warmup_slices * max(slice_s, WARMUP_SLICE_S)

    def load_s(self, targets: int) -> float:
        """Seconds under load for so many targets, at the shortest slice; drains and start-ups not counted."""
        return self.blocks * targets * sum(map(self.trial_s, self.scenarios))


def _scenarios(plan: str) -> tuple[Scenario, ...]:
    """What the endpoints' own entries say of a plan: users in the usual encodings first, then others, then rates."""
    loads = ENDPOINTS.items()
    usual = [closed(name, *load.users.get(plan, ())) for name, load in loads]
    other = [
        closed(name, USERS_OF_OTHER_ENCODINGS, encoding=encoding)
        for name, load in loads
        for encoding in load.also.get(plan, ())
    ]
    rates = [(opened(name, PoissonRate((rate,))),) for name, load in loads for rate in load.rates_rps.get(plan, ())]
    return tuple(scenario for each in (*usual, *other, *rates) for scenario in each)


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan(name="smoke", scenarios=_scenarios("smoke"), blocks=3, slices=32),
        Plan(name="quick", scenarios=_scenarios("quick"), blocks=4, slices=40),
        Plan(name="standard", scenarios=_scenarios("standard"), blocks=7, slices=96, longest_warmup_slices=4),
        Plan(name="full", scenarios=_scenarios("full"), blocks=15, slices=48, longest_warmup_slices=8),
    )
}

SCENARIOS: dict[str, Scenario] = {scenario.id: scenario for plan in PLANS.values() for scenario in plan.scenarios}
"""Every scenario that some plan runs, by id."""
