"""Scenarios are data that survive a trip through JSON, and import no load engine."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from loadtests.endpoints import ENDPOINTS
from loadtests.orders import PreparedRequest, TargetOrder, TrialOrder
from loadtests.plans import PLANS, SCENARIOS, Plan
from loadtests.scenarios import Scenario, closed
from loadtests.trial_record import ScenarioRecord


def test_another_encoding_is_another_scenario() -> None:
    """An encoding shows in the id unless it is the endpoint's usual one, and only the longer plans have such."""
    assert closed("predict", 16, encoding="json") == closed("predict", 16)
    assert [one.id for one in closed("predict", 1, 16, encoding="protobuf")] == [
        "predict@1/protobuf",
        "predict@16/protobuf",
    ]
    variants = {name: {one.id for one in plan.scenarios if one.variant} for name, plan in PLANS.items()}
    assert variants["smoke"] == variants["quick"] == set()
    assert variants["standard"] == {
        "predict@16/instances",
        "predict@16/protobuf",
        "classify@16/json",
        "classify@16/multipart",
        "classify@16/raw",
    }
    assert variants["standard"] < variants["full"]
    for plan in PLANS.values():
        ids = [one.id for one in plan.scenarios]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenarios_survive_json(scenario: Scenario) -> None:
    """What is sent of a scenario is the scenario, and a journal's record of it has its members."""
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario
    told = msgspec.json.decode(msgspec.json.encode(scenario.record()), type=ScenarioRecord)
    assert (told.id, told.users, told.payloads) == (scenario.id, scenario.users, scenario.payloads)
    assert told.arrival == scenario.arrival.kind
    assert list(told.rates_rps) == list(scenario.arrival.rates_rps)


def test_harness_side_imports_no_load_engine() -> None:
    """Scenarios, orders and the remote control import neither Locust nor gevent, Flask nor NumPy."""
    code = (
        "import sys, loadtests.scenarios, loadtests.orders, loadtests.remote;"
        "print(sorted({'locust', 'gevent', 'flask', 'numpy', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


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


def test_every_plan_that_an_endpoint_names_is_one() -> None:
    """A plan's name is spelled alike in its own entry and in each endpoint's, and encodings are the endpoint's."""
    for load in ENDPOINTS.values():
        assert {*load.users, *load.also, *load.rates_rps} <= PLANS.keys()
        assert {name for names in load.also.values() for name in names} <= set(load.encodings[1:])


def test_orders_survive_json() -> None:
    """What is sent to the generator is what was ordered, raw bytes included."""
    order = TrialOrder(
        scenario=closed("classify", 4)[0],
        targets=(
            TargetOrder(
                id="flask+gunicorn+function+cpu#2",
                base_url="http://127.0.0.1:1/x",
                pids=(1, 2),
                requests=(
                    PreparedRequest(
                        method="POST",
                        path="/classify",
                        headers={"Content-Type": "image/png"},
                        body=bytes(range(256)),
                        expect_body=b"\xff\x00",
                    ),
                    PreparedRequest(method="GET", path="/", expect_status=404, expect_body=None),
                ),
            ),
        ),
        slices=3,
        seed=9,
        ceiling_rps=5.5,
        out="samples",
        label="b0",
    )
    assert msgspec.json.decode(msgspec.json.encode(order), type=TrialOrder) == order


def test_orders_that_make_no_sense_are_refused() -> None:
    """Two targets of one id, no targets, no requests, no slices: ValueError before anything runs."""
    request = PreparedRequest(method="GET", path="/", expect_body=None)
    target = TargetOrder(id="a", base_url="http://h", requests=(request,))
    scenario = closed("predict", 1)[0]
    for targets, slices in (((target, target), 1), ((), 1), ((target,), 0)):
        with pytest.raises(ValueError, match="a trial needs"):
            TrialOrder(scenario=scenario, targets=targets, slices=slices, seed=0, label="x")
    with pytest.raises(ValueError, match="at least one request"):
        TargetOrder(id="a", base_url="http://h", requests=())
