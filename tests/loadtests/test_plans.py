"""Plans: enough to decide, each longer than the one before it."""

from __future__ import annotations

import pytest

from loadtests.endpoints import ENDPOINTS
from loadtests.plans import PLANS, Plan


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_plans_can_decide(plan: Plan) -> None:
    """Every plan has the three blocks below which no verdict is worth its name, and loads a regression and the CNN."""
    assert plan.blocks >= 3
    assert {"predict", "classify"} <= {scenario.endpoint for scenario in plan.scenarios}


def test_the_default_plan_draws_a_curve() -> None:
    """The default plan loads all three endpoints, and one of them with several numbers of users."""
    quick = PLANS["quick"].scenarios
    assert {scenario.endpoint for scenario in quick} == {"predict", "advanced_predict", "classify"}
    assert len({scenario.users for scenario in quick if scenario.endpoint == "predict"}) >= 3


def test_plans_grow() -> None:
    """Each plan takes longer than the one before it, and its time grows with the targets."""
    times = [PLANS[name].load_s(4) for name in ("smoke", "quick", "standard", "full")]
    assert times == sorted(set(times))
    assert PLANS["quick"].load_s(8) == 2 * PLANS["quick"].load_s(4)
    quick = PLANS["quick"]
    assert quick.estimate_s(4, launch_s=3.0) == pytest.approx(quick.load_s(4) + 5 * 4 * 3.0)


def test_every_plan_that_an_endpoint_names_is_one() -> None:
    """A plan's name is spelled alike in its own entry and in each endpoint's, and encodings are the endpoint's."""
    for load in ENDPOINTS.values():
        assert {*load.users, *load.also, *load.rates_rps} <= PLANS.keys()
        assert {name for names in load.also.values() for name in names} <= set(load.encodings[1:])
