"""A plan that fits its time: where the user's model needs long for a request, less is asked of it.

Sixteen users of a model that needs 0.2 s a request wait three seconds for every round of theirs, and a plan for answers
of a millisecond then takes hours. So scenarios with more users are left out, and blocks, until it fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from experiment.pace import UsualPace
from experiment.rounds import LEAST_BLOCKS
from loadtests.orders import LEAST_ROUNDS, ROUNDS_IN_SLICE, TURNS_IN_SLICE, WARMUP_SLICE_S
from loadtests.plans import Plan
from loadtests.scenarios import Scenario

_GATE_REQUESTS: Final = 80
"""So many of the cases reach the model."""
_USUAL_BLOCKS: Final = 3
"""As many, at least, before another scenario is kept."""


def run_s(plan: Plan, targets: int, pace: UsualPace, request_s: Mapping[str, float]) -> float:
    """A whole run of the plan for so many targets.

    `request_s` is what a request takes on one core, by endpoint; those that it does not name take next to nothing.
    """
    trials_s = (_trial_s(plan, one, request_s.get(one.endpoint, 0.0)) for one in plan.scenarios)
    slow_s = plan.blocks * targets * sum(trials_s)
    quick_s = plan.load_s(targets) * pace.load_ratio
    gate_s = max(pace.gate_s, _GATE_REQUESTS * max(request_s.values(), default=0.0))
    return (plan.blocks * pace.target_s + gate_s) * targets + max(quick_s, slow_s)


def fitted(plan: Plan, targets: int, pace: UsualPace, request_s: Mapping[str, float], at_most_s: float) -> Plan:
    """The plan with the scenarios of most users left out, and fewer blocks, so that it fits `at_most_s`.

    Only endpoints in `request_s` lose any, of which there must be a scenario. One of theirs in two blocks is left in
    any case: less would be no comparison.
    """
    by_users = sorted((one for one in plan.scenarios if one.endpoint in request_s), key=lambda one: one.users)
    for kept in range(len(by_users), 0, -1):
        chosen = tuple(one for one in plan.scenarios if one not in by_users[kept:])
        for blocks in range(plan.blocks, (LEAST_BLOCKS if kept == 1 else _USUAL_BLOCKS) - 1, -1):
            less = replace(plan, scenarios=chosen, blocks=blocks)
            if run_s(less, targets, pace, request_s) <= at_most_s:
                return less
    return replace(plan, scenarios=chosen, blocks=min(plan.blocks, LEAST_BLOCKS))


def _trial_s(plan: Plan, scenario: Scenario, request_s: float) -> float:
    """One target in one block: visits with the first round that is kept apart and the last that is drained."""
    # On a schedule whoever comes is served; who is in flight at once is not known.
    round_s = request_s * (1 if scenario.arrival.rate_rps else scenario.users)
    window_s = max(plan.slice_s_of(scenario), TURNS_IN_SLICE * request_s, ROUNDS_IN_SLICE * round_s)
    visits = min(plan.slices_of(scenario), LEAST_ROUNDS)
    return visits * (window_s + 2 * round_s) + plan.warmup_slices * (max(window_s, WARMUP_SLICE_S) + 2 * round_s)
