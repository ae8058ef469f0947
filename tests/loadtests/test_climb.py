"""Interleaved timing on steps whose cost is known, under a clock that drifts; and what pytest-benchmark is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from loadtests.ladder import climb as climbing
from loadtests.ladder.climb import ReplayedClock, climb
from loadtests.ladder.provided import provider, variant_id
from servers.repository import REPOSITORY


class Clock:
    """Nanoseconds that pass only when a step spends them, ever more slowly: a machine that drifts to half its speed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0

    def spend(self, cost_ns: float) -> None:
        """A call of a step."""
        self.calls += 1
        self.now += cost_ns * (1 + self.calls / 5000)

    def perf_counter_ns(self) -> int:
        """As `time` has it; reading it takes a little, so that loops which wait for it end."""
        self.now += 1
        return int(self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that spends a fixed cost."""

    call: Callable[[int], Any]
    payloads: int = 3
    prepare: Callable[[int], Any] = int
    agrees: Callable[[int, Any], bool] = lambda at, found: found == at
    laps: tuple[str, ...] = ()
    outside: bool = False


def _variant(rung: str, framework: str = "", endpoint: str = "predict") -> dict[str, str]:
    names = {"rung": rung, "framework": framework, "server": "", "mode": "function", "encoding": "json", "twin": ""}
    return names | {"endpoint": endpoint}


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(climbing, "time", clock)
    return clock


def _spender(clock: Clock, cost_ns: float, visits: list[str], name: str) -> Callable[[int], int]:
    def call(at: int) -> int:
        visits.append(name)
        clock.spend(cost_ns)
        return at

    return call


@pytest.mark.parametrize("outside", [False, True])
def test_neither_order_nor_drift_decides(clock: Clock, outside: bool) -> None:  # noqa: FBT001 - a parameter
    """Two equal variants come out equal within 2 % while the machine slows down to less than half its speed."""
    visits: list[str] = []
    steps = [Step(call=_spender(clock, 1e5, visits, name), outside=outside) for name in "abc"]
    variants = [_variant("wsgi", name) for name in "abc"]
    found = climb(variants, steps, seconds=0.4, seed=1, tell=lambda *_: None)
    sums = [sum(found[variant_id(one)].calls_ns) for one in variants]
    assert found[variant_id(variants[0])].calls_ns[-1] > 1.5 * found[variant_id(variants[0])].calls_ns[0]
    assert max(sums) / min(sums) < 1.02
    # A visit of three payloads after three untimed calls, or a pair of calls in turn.
    each = len(steps) * (6 if outside else 2)
    orders = {tuple(dict.fromkeys(visits[at : at + each])) for at in range(len(visits) - 50 * each, len(visits), each)}
    assert len(orders) == 6


def test_every_variant_of_a_group_has_as_many_calls(clock: Clock) -> None:
    """Calls pair: each variant of a group has the same number, a whole number of rounds over its payloads."""
    steps = [Step(call=_spender(clock, cost, [], "")) for cost in (1e4, 9e5)]
    variants = [_variant("core"), _variant("http", "flask")]
    found = climb(variants, steps, seconds=0.1, seed=1, tell=lambda *_: None)
    counts = {len(one.calls_ns) for one in found.values()}
    assert len(counts) == 1
    assert counts.pop() % 3 == 0
    assert all(len(one.rounds_ns) * 3 == len(one.calls_ns) for one in found.values())


def test_a_wrong_answer_is_not_timed(clock: Clock) -> None:
    """A variant that answers wrongly has a fault and no rounds; the others go on."""
    wrong = Step(call=lambda at: at + 1)
    right = Step(call=_spender(clock, 1e5, [], ""))
    found = climb([_variant("codec"), _variant("core")], [wrong, right], seconds=0.1, seed=1, tell=lambda *_: None)
    assert found["codec-function-predict-json"].fault == "payload 0 is answered wrongly"
    assert found["codec-function-predict-json"].calls_ns == []
    assert found["core-function-predict-json"].calls_ns


def test_a_broken_connection_ends_that_variant_alone(clock: Clock) -> None:
    """An OSError in the middle becomes a fault, and no half round is kept."""
    calls = iter(range(10**9))

    def call(at: int) -> int:
        clock.spend(1e5)
        if next(calls) > 30:
            raise ConnectionResetError("gone")
        return at

    steps = [Step(call=call, outside=True), Step(call=_spender(clock, 1e5, [], ""))]
    found = climb([_variant("http", "flask"), _variant("core")], steps, seconds=0.1, seed=1, tell=lambda *_: None)
    broken = found["http-flask-function-predict-json"]
    assert broken.fault == "ConnectionResetError: gone"
    assert len(broken.calls_ns) % 3 == 0


def test_laps_of_one_call_are_kept_apart(clock: Clock) -> None:
    """A step of two laps gives each of its variants the nanoseconds of its own."""
    step = Step(
        call=lambda at: (clock.spend(1e6), ((10, 20), at))[1],
        agrees=lambda at, found: found[1] == at,
        laps=("decode", "encode"),
    )
    found = climb([_variant("decode"), _variant("encode")], [step, step], seconds=0.01, seed=1, tell=lambda *_: None)
    assert set(found["decode-function-predict-json"].calls_ns) == {10}
    assert set(found["encode-function-predict-json"].calls_ns) == {20}


def test_pytest_benchmark_hears_the_rounds_as_they_were_taken() -> None:
    """Read in pairs, the clock gives each round's seconds, in order."""
    clock = ReplayedClock()
    clock.load([1_500, 2_500])
    told = []
    for _ in range(2):
        start = clock()
        told.append(clock() - start)
    assert told == [1.5e-6, 2.5e-6]


def test_the_configured_provider_has_what_the_ladder_asks() -> None:
    """The module that pyproject.toml names gives every rung for every framework, and a hash seed to stand under."""
    rungs = provider(REPOSITORY, None)
    found = rungs.group_variants(
        chosen=("flask", "bottle"), server="gunicorn", mode="function", endpoint="predict", encoding="json"
    )
    assert {one["rung"] for one in found} >= {"core", "codec", "wsgi", "http"}
    assert len({variant_id(one) for one in found}) == len(found)
    assert rungs.environment()["PYTHONHASHSEED"] == "0"
