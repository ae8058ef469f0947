"""Scenarios are data that survive a trip through JSON, and import no load engine."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from loadtests.plans import PLANS, SCENARIOS
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
