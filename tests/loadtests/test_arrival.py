"""Arrival laws: schedules that are what they say, from a seed, and ids that say which."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from scipy import stats

from loadtests.arrival import (
    Arrival,
    ClosedLoop,
    ConstantRate,
    PoissonRate,
    Ramp,
    Steps,
    arrival_from_id,
)
from loadtests.plans import PLANS
from loadtests.scenarios import scenario_from_id

SECOND = 1_000_000_000
LAWS: dict[str, Arrival] = {
    "@16": ClosedLoop(users=16),
    "~200rps": ConstantRate((200,)),
    "~0.5rps": ConstantRate((0.5,)),
    "~poisson200rps": PoissonRate((200,)),
    "~steps100-200-50rps": Steps((100, 200, 50)),
    "~ramp50-400rps": Ramp((50, 400)),
}


@pytest.mark.parametrize("text", LAWS)
def test_a_law_is_its_id_and_its_record(text: str) -> None:
    """Written into an id or into JSON and read back, a law is the same."""
    assert str(LAWS[text]) == text
    assert arrival_from_id(text) == LAWS[text]
    assert msgspec.json.decode(msgspec.json.encode(LAWS[text]), type=Arrival) == LAWS[text]


@pytest.mark.parametrize(
    "text",
    ["", "16", "@", "@0", "~rps", "~200", "~-5rps", "~0rps", "~poisson1-2rps", "~ramp5rps", "~steps5rps", "~1..2rps"],
)
def test_what_is_no_law_is_refused(text: str) -> None:
    """A text that names no law, or one with rates that it cannot have, is a ValueError."""
    with pytest.raises(ValueError, match=r"law|rate|user|float"):
        arrival_from_id(text)


@pytest.mark.parametrize("text", ["predict", "nope@16", "predict@16/raw", "predict~200", "classify@1/nope", "@16"])
def test_what_is_no_scenario_is_refused(text: str) -> None:
    """A scenario needs a known endpoint, a law, and an encoding that the endpoint has."""
    with pytest.raises(ValueError, match=r"endpoint|encoding|law"):
        scenario_from_id(text)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_every_planned_scenario_can_be_typed(plan: object) -> None:
    """The id of each scenario of each plan reads back as the same scenario."""
    for scenario in plan.scenarios:  # type: ignore[attr-defined]  # a Plan
        assert scenario_from_id(scenario.id) == scenario


@pytest.mark.parametrize("law", [one for one in LAWS.values() if one.rate_rps is not None], ids=str)
def test_a_schedule_is_its_seeds(law: Arrival) -> None:
    """The same seed gives the same due times, another one others; all in order and inside the slice."""
    length = 20 * SECOND
    first, again, other = (law.schedule(length_ns=length, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert first == again != other
    assert list(first) == sorted(first)
    assert first[0] >= 0
    assert first[-1] < length
    assert len(first) == pytest.approx((law.rate_rps or 0) * 20, rel=0.15)


def test_a_constant_rate_is_constant() -> None:
    """Gaps are equal to the nanosecond's rounding, and every millisecond of the slice has its share."""
    schedule = ConstantRate((300,)).schedule(length_ns=SECOND, seed=4)
    gaps = {after - before for before, after in itertools.pairwise(schedule)}
    assert gaps <= {3_333_333, 3_333_334}
    assert len(schedule) == 300


def test_poisson_gaps_are_exponential() -> None:
    """Kolmogorov and Smirnov find nothing against the exponential law in 200 000 gaps at 2 000 a second."""
    schedule = PoissonRate((2000,)).schedule(length_ns=100 * SECOND, seed=9)
    assert stats.kstest(np.diff(schedule), "expon", args=(0, SECOND / 2000)).pvalue > 0.01


def test_steps_step_and_ramps_rise() -> None:
    """Counts in parts of the slice are those of the rates there, within four standard deviations."""
    steps = np.array(Steps((1000, 3000)).schedule(length_ns=20 * SECOND, seed=2))
    for part, mean in ((0, 10_000), (1, 30_000)):
        count = ((steps // (10 * SECOND)) == part).sum()
        assert abs(count - mean) < 4 * mean**0.5
    ramp = np.array(Ramp((1000, 3000)).schedule(length_ns=20 * SECOND, seed=2))
    # 1000 + 100 t a second: 15 000 in the first ten seconds, 25 000 in the second.
    for part, mean in ((0, 15_000), (1, 25_000)):
        count = ((ramp // (10 * SECOND)) == part).sum()
        assert abs(count - mean) < 4 * mean**0.5
    falling = np.array(Ramp((3000, 1000)).schedule(length_ns=20 * SECOND, seed=2))
    assert (falling < 10 * SECOND).sum() > (falling >= 10 * SECOND).sum()


def test_an_open_loop_has_room_for_a_stall() -> None:
    """Connections are those of two seconds at the highest rate, within bounds."""
    assert PoissonRate((10,)).users == 64
    assert Steps((100, 900)).users == 1800
    assert ConstantRate((1e5,)).users == 4096


def test_unknown_arrival_laws_are_refused() -> None:
    """A record that names a law nobody has is an error, not a closed loop."""
    assert msgspec.convert({"arrival": "closed", "users": 3}, Arrival) == ClosedLoop(users=3)
    with pytest.raises(ValueError, match="bursty"):
        msgspec.convert({"arrival": "bursty", "users": 3}, Arrival)
    with pytest.raises(ValueError, match="at least one user"):
        ClosedLoop(users=0)
