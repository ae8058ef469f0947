"""What the load generator is asked for, whatever is compared: every order of this package is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from loadtests.arrival import ClosedLoop, PoissonRate
from loadtests.orders import LONGEST_SLICE_S, TargetOrder, TrialOrder
from loadtests.plans import Plan
from loadtests.scenarios import Scenario

_STEP_SLICES: Final = 3
_STEP_WARMUP_SLICES: Final = 8
"""At most: a step of the ramp is measured when three slices of its warm-up agree."""


def of_plan(
    plan: Plan,
    scenario: Scenario,
    targets: Sequence[TargetOrder],
    *,
    seed: int,
    ceiling_rps: float | None,
    out: Path,
    label: str,
) -> TrialOrder:
    """One scenario of a plan in one block, on all targets in turn; samples go to `out`."""
    slice_s = plan.slice_s_of(scenario)
    return TrialOrder(
        scenario=scenario,
        targets=tuple(targets),
        slices=plan.slices_of(scenario),
        slice_s=slice_s,
        longest_slice_s=max(LONGEST_SLICE_S, slice_s),
        warmup_slices=plan.warmup_slices,
        longest_warmup_slices=plan.longest_warmup_slices,
        seed=seed,
        ceiling_rps=ceiling_rps,
        out=str(out),
        label=label,
    )


def one_turn(scenario: Scenario, target: TargetOrder, *, slice_s: float, warmup_slices: int = 0) -> TrialOrder:
    """One slice of one target, for whoever takes turns with something that is no target."""
    return TrialOrder(
        scenario=scenario,
        targets=(target,),
        slices=1,
        slice_s=slice_s,
        warmup_slices=warmup_slices,
        seed=0,
        label="turn",
    )


def ramp_step(
    scenario: Scenario, users: int, target: TargetOrder, *, seed: int, ceiling_rps: float | None
) -> TrialOrder:
    """One number of users on the way to saturation."""
    return TrialOrder(
        scenario=replace(scenario, arrival=ClosedLoop(users=users)),
        targets=(target,),
        slices=_STEP_SLICES,
        warmup_slices=3,
        longest_warmup_slices=_STEP_WARMUP_SLICES,
        seed=seed,
        ceiling_rps=ceiling_rps,
        label="ramp",
    )


def look(
    scenario: Scenario,
    rate_rps: float,
    target: TargetOrder,
    *,
    slice_s: float,
    longest_slice_s: float,
    limit_ms: float,
    seed: int,
    ceiling_rps: float | None,
) -> TrialOrder:
    """One look at whether a promise is kept at a Poisson rate."""
    return TrialOrder(
        scenario=replace(scenario, arrival=PoissonRate((rate_rps,))),
        targets=(target,),
        slices=1,
        slice_s=slice_s,
        longest_slice_s=longest_slice_s,
        warmup_slices=0,
        seed=seed,
        ceiling_rps=ceiling_rps,
        limit_ms=limit_ms,
        label="look",
    )
