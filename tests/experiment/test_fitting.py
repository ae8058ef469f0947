"""Plans for models that need long for a request: what is left of them, and how long that takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiment.fitting import fitted, run_s
from experiment.pace import UsualPace
from loadtests.plans import PLANS, Plan
from loadtests.scenarios import likewise

PACE = UsualPace(target_s=3.5, gate_s=3.0, load_ratio=1.5)
TARGETS = 9
MINE = "mine"


@pytest.fixture(name="plan")
def quick() -> Plan:
    """Plan quick of a user's model."""
    return replace(PLANS["quick"], scenarios=likewise(PLANS["quick"].scenarios, MINE, "json", 4))


def test_a_fast_model_is_measured_whole(plan: Plan) -> None:
    """At a millisecond a request nothing is left out, and the estimate is the one without a model."""
    assert fitted(plan, TARGETS, PACE, {MINE: 0.001}, 360.0) == plan
    assert run_s(plan, TARGETS, PACE, {MINE: 0.001}) == pytest.approx(PACE.run_s(plan, TARGETS), rel=0.05)


@pytest.mark.parametrize(("request_s", "users"), [(0.02, [1, 4]), (0.05, [1]), (0.15, [1])])
def test_a_slower_model_is_asked_by_fewer_users(plan: Plan, request_s: float, users: list[int]) -> None:
    """Those with more users go first, in the plan's own order; what is left fits, or is the least that compares."""
    less = fitted(plan, TARGETS, PACE, {MINE: request_s}, 360.0)
    assert [one.users for one in less.scenarios] == users
    assert less.scenarios == tuple(one for one in plan.scenarios if one in less.scenarios)
    assert run_s(less, TARGETS, PACE, {MINE: request_s}) <= 360.0 or (len(less.scenarios), less.blocks) == (1, 2)
    assert run_s(plan, TARGETS, PACE, {MINE: request_s}) > 360.0


def test_what_a_visit_needs_is_in_the_estimate(plan: Plan) -> None:
    """Twice as slow takes twice as long, once the model is what takes the time; fewer targets take less."""
    alone = replace(plan, scenarios=plan.scenarios[:1])
    free = UsualPace(target_s=0.0, gate_s=0.0, load_ratio=1.0)
    assert run_s(alone, TARGETS, free, {MINE: 0.4}) == pytest.approx(2 * run_s(alone, TARGETS, free, {MINE: 0.2}))
    assert run_s(alone, 3, free, {MINE: 0.2}) == pytest.approx(run_s(alone, TARGETS, free, {MINE: 0.2}) / 3)


def test_more_time_measures_more(plan: Plan) -> None:
    """`--at-most 60m` brings back what six minutes left out."""
    assert len(fitted(plan, TARGETS, PACE, {MINE: 0.02}, 3600.0).scenarios) > len(
        fitted(plan, TARGETS, PACE, {MINE: 0.02}, 360.0).scenarios
    )


def test_other_endpoints_lose_nothing_and_the_model_stays(plan: Plan) -> None:
    """`--endpoints predict,mine`: however slow the model is, it is what was asked about, and /predict is not slow."""
    both = replace(plan, scenarios=(*PLANS["quick"].scenarios, *plan.scenarios))
    less = fitted(both, TARGETS, PACE, {MINE: 0.5}, 360.0)
    assert less.scenarios == (*PLANS["quick"].scenarios, plan.scenarios[0])
    fast, slow = (run_s(both, TARGETS, PACE, own) for own in ({}, {"other": 0.5}))
    assert slow - fast == pytest.approx(TARGETS * (80 * 0.5 - PACE.gate_s))
