"""The shares of explained variation on data whose effects are known."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from run_views import filled

from reports.factors import Cell, explained, what_matters
from reports.summary import ScenarioSummary, TargetSummary
from reports.summary.load_rows import ResultRow
from reports.summary.measures import BlockFigures

FRAMEWORKS, SERVERS, MODES = ("flask", "bottle", "wsgi"), ("gunicorn", "granian"), ("function", "eager", "xla")


def _cells(
    effects: Mapping[str, Mapping[str, float]], *, noise: float, keep: float = 1.0, blocks: int = 5, seed: int = 1
) -> list[Cell]:
    """Every combination under three workloads that differ a hundredfold; with `keep` below 1 some are left out."""
    rng = np.random.default_rng(seed)
    found: list[Cell] = []
    for framework, server, mode in itertools.product(FRAMEWORKS, SERVERS, MODES):
        choices = {"framework": framework, "server": server, "mode": mode, "encoding": "json", "threads": "4"}
        choices["device"] = "cpu"
        for workload, level in (("small", 8.0), ("middle", 6.0), ("large", 3.0)):
            if rng.random() > keep:
                continue
            true = level + sum(effects.get(name, {}).get(value, 0.0) for name, value in choices.items())
            found.append((choices, (workload,), (true + rng.normal(0, noise, blocks)).tolist()))
    return found


def _variance(values: Sequence[float]) -> float:
    return float(np.var(values))


EFFECTS = {
    "framework": {"flask": 0.0, "bottle": 0.15, "wsgi": 0.25},
    "server": {"gunicorn": 0.0, "granian": 0.5},
    "mode": {"function": 0.0, "eager": -0.8, "xla": 0.1},
}


@pytest.mark.parametrize("keep", [1.0, 0.7])
def test_known_effects_come_out_within_five_points(keep: float) -> None:
    """In a whole and in an incomplete design each choice's share is its part of the variance, within 5 points."""
    found = explained(_cells(EFFECTS, noise=0.03, keep=keep))
    assert found is not None
    parts = {name: _variance(list(levels.values())) for name, levels in EFFECTS.items()}
    for row in found.shares:
        true = parts[row.choice] / sum(parts.values())
        assert row.share == pytest.approx(true, abs=0.05)
        assert row.ci95[0] - 0.05 <= true <= row.ci95[1] + 0.05
    assert [row.choice for row in found.shares] == ["mode", "server", "framework"]
    assert found.unexplained < 0.05


def test_noise_is_left_unexplained() -> None:
    """Where noise has as much variance as all choices together, about half is explained by none of them."""
    total = sum(_variance(list(levels.values())) for levels in EFFECTS.values())
    found = [explained(_cells(EFFECTS, noise=float(np.sqrt(5 * total)), blocks=5, seed=seed)) for seed in range(8)]
    assert np.mean([one.unexplained for one in found if one]) == pytest.approx(0.5, abs=0.1)


def test_a_workloads_own_level_explains_nothing() -> None:
    """A hundredfold between workloads is no choice: shares are the same without it."""
    found = explained(_cells({"framework": EFFECTS["framework"], "server": {"granian": 0.0001}}, noise=0.001))
    assert found is not None
    assert found.shares[0].choice == "framework"
    assert found.shares[0].share > 0.95


def test_one_choice_alone_has_nothing_to_be_weighed_against() -> None:
    """Shares are given only where at least two choices vary."""
    cells = [cell for cell in _cells(EFFECTS, noise=0.01) if cell[0]["server"] == "granian"]
    assert explained([cell for cell in cells if cell[0]["mode"] == "xla"]) is None


def _result(target: str, scenario: str, rates: Sequence[float]) -> ResultRow:
    blocks = [filled(BlockFigures, block=at, throughput_rps=rate) for at, rate in enumerate(rates)]
    return filled(ResultRow, target=target, scenario=scenario, endpoint="predict", users=4, blocks=blocks)


def test_encodings_are_weighed_only_where_a_request_brings_as_many_rows() -> None:
    """`instances` against `protobuf` is a choice; one row against sixteen is another workload."""
    parts = {"server": "gunicorn", "mode": "function", "device": "cpu", "twin_of": None, "settings": {"threads": 4}}
    targets = [filled(TargetSummary, id=name, framework=name, **parts) for name in ("flask", "bottle")]
    scenarios = [filled(ScenarioSummary, id=name, encoding=name) for name in ("json", "instances", "protobuf")]
    level = {"json": 5000.0, "instances": 100.0, "protobuf": 121.0}
    own = {"flask": 1.0, "bottle": 1.21}
    results = [
        _result(target, name, [rate * own[target] * wobble for wobble in (0.99, 1.0, 1.01)])
        for target in own
        for name, rate in level.items()
    ]
    (row,) = what_matters(targets, scenarios, results, seed=0)
    shares = {one.choice: one.share for one in row.shares}
    # Three pairs of frameworks, one pair of encodings of the same size: three quarters, a quarter of it.
    assert shares["framework"] == pytest.approx(0.6, abs=0.05)
    assert shares["encoding"] == pytest.approx(0.4, abs=0.05)


def test_a_run_as_large_as_the_largest_plan_is_weighed() -> None:
    """The cells and blocks of plan full are no more than a moment's work: their number is not cubed on the way."""
    parts = {"server": "gunicorn", "device": "cpu", "twin_of": None, "settings": {"threads": 4}}
    targets = [
        filled(TargetSummary, id=f"{framework}-{mode}", framework=framework, mode=mode, **parts)
        for framework in ("flask", "bottle", "wsgi", "other")
        for mode in ("eager", "function", "frozen", "xla", "lite", "sixth", "seventh")
    ]
    scenarios = [filled(ScenarioSummary, id=f"predict@{users}", encoding="json") for users in range(27)]
    rng = np.random.default_rng(8)
    results = []
    for number, target in enumerate(targets):
        for scenario in scenarios:
            rates = 1000.0 * (1 + number) * np.exp(rng.normal(0, 0.02, 15))
            results.append(_result(target.id, scenario.id, rates.tolist()))
    (row,) = what_matters(targets, scenarios, results, seed=0)
    assert row.cells == len(targets) * len(scenarios)
    assert row.blocks == 15
