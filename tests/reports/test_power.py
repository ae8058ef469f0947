"""Simulated truth: how often the plan standard errs, and what it finds, inside a run and between two.

A run has figures and no journal: one slice of 100 ms has a noise of about 10 %, as this harness measured it,
uncorrelated from slice to slice; the plan standard has 24 slices in each of 7 blocks, and these ten scenarios among its
own: each endpoint in its usual encoding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from experiment.environment_record import CpuRecord, EnvironmentRecord
from experiment.journal_records import ComparisonRecord, EndRecord, TargetRecord
from experiment.run_folder import Run
from loadtests.plans import PLANS
from loadtests.trial_record import GeneratorShare, ScenarioRecord, TrialRecord
from reports import cells, comparisons
from reports.between import between
from reports.runs_compared import CellRow
from reports.summary.load_rows import ComparisonRow

PAIRS = 200
CHANGED = {"faster", "slower"}

Rows = Sequence[ComparisonRow] | Sequence[CellRow]


def in_one_run(rng: np.random.Generator, ratio: float) -> Rows:
    """The family of one pair in one run, in which the candidate has that true rate."""
    run = simulated_run(rng, {CANDIDATE: ratio})
    rows, _ = comparisons.compare(run, cells.results(run))
    # Samples of single requests are not simulated, so medians of latencies are invalid and in no family.
    return [row for row in rows if (row.axis, row.metric) == ("framework", comparisons.THROUGHPUT)]


def in_two_runs(rng: np.random.Generator, ratio: float) -> Rows:
    """The comparison of two runs, between which one target changed by that ratio."""
    runs = (simulated_run(rng, {CANDIDATE: rate}) for rate in (1.0, ratio))
    base, new = runs
    return between(base, new, targets=[CANDIDATE]).cells


both = pytest.mark.parametrize("compared", [in_one_run, in_two_runs])


@both
def test_no_difference_is_seldom_called_one(compared: Callable[[np.random.Generator, float], Rows]) -> None:
    """At most 5 % of pairs of the same speed have even one false faster or slower in their family.

    Of 1000 pairs: by chance 200 show 5 % one time in four where the truth is 4 %.
    """
    rng, pairs = np.random.default_rng(11), 1000
    wrong = sum(any(row.verdict in CHANGED for row in compared(rng, 1.0)) for _ in range(pairs))
    print(f"{compared.__name__}: {wrong} of {pairs} families with a false difference")
    assert wrong <= 0.05 * pairs


@both
def test_five_percent_is_found(compared: Callable[[np.random.Generator, float], Rows]) -> None:
    """Of the cells of 200 pairs that differ by 5 %, at least 90 % say so, and one at most says the contrary."""
    rng = np.random.default_rng(12)
    families = [[row.verdict for row in compared(rng, 0.95)] for _ in range(PAIRS)]
    said = Counter(verdict for family in families for verdict in family)
    found = sum("slower" in family for family in families)
    print(f"{compared.__name__}: found in {found} of {PAIRS} pairs; single cells: {dict(said)}")
    assert found >= 0.9 * PAIRS
    assert said["slower"] >= 0.9 * said.total()
    assert sum("faster" in family for family in families) <= 0.005 * PAIRS


@both
def test_one_percent_is_open_or_equivalent(compared: Callable[[np.random.Generator, float], Rows]) -> None:
    """At 1 % at least 95 % of cells are equivalent or open, and what is open names the blocks that would do."""
    rng = np.random.default_rng(13)
    rows = [row for _ in range(PAIRS) for row in compared(rng, 0.99)]
    calm = [row for row in rows if row.verdict in ("equivalent", "inconclusive")]
    print(f"{compared.__name__}: {dict(Counter(row.verdict for row in rows))}")
    assert len(calm) >= 0.95 * len(rows)
    assert all(row.blocks_needed or "more than 1000" in str(row.reason) for row in calm if row.verdict[0] == "i")


SLICE_NOISE = 0.10
STANDARD = PLANS["standard"]
SLICES = round(STANDARD.slices * STANDARD.slice_s / 0.1)
"""The noise is that of a tenth of a second, however short the plan's turns are."""
SCENARIOS = tuple(one.id for one in STANDARD.scenarios if one.variant is None)
BASELINE, CANDIDATE, TWIN = "flask", "bottle", "flask#2"


def simulated_run(
    rng: np.random.Generator,
    ratios: Mapping[str, float],
    *,
    blocks: int = STANDARD.blocks,
    scenarios: tuple[str, ...] = SCENARIOS,
) -> Run:
    """A run of those targets at those true rates against the baseline's, with an A/A twin of the baseline."""
    rates = {BASELINE: 1.0, TWIN: 1.0, **ratios}
    trials = []
    for scenario in scenarios:
        for block in range(blocks):
            for target, rate in rates.items():
                slices = rng.normal(1.0, SLICE_NOISE, SLICES)
                rps = 1000.0 * rate * float(slices.mean())
                trials.append(_trial(block, target, scenario, rps))
    pairs = [
        ComparisonRecord(baseline=BASELINE, candidate=name, axis="framework") for name in ratios if name != BASELINE
    ]
    return Run(
        folder=Path("simulated"),
        run_id="simulated",
        plan=STANDARD.name,
        seed=0,
        started_utc="2026-01-01T00:00:00Z",
        blocks=blocks,
        slice_s=STANDARD.slice_s,
        targets=tuple(_target(name) for name in rates),
        scenarios=tuple(_scenario(name) for name in scenarios),
        comparisons=(*pairs, ComparisonRecord(baseline=BASELINE, candidate=TWIN, axis="noise")),
        environment=EnvironmentRecord(cpu=CpuRecord(model="simulated")),
        trials=tuple(trials),
        end=EndRecord(complete=True),
    )


def _target(name: str) -> TargetRecord:
    return TargetRecord(
        id=name,
        framework=name.partition("#")[0],
        server="gunicorn",
        mode="function",
        device="cpu",
        twin_of=BASELINE if name == TWIN else None,
    )


def _scenario(name: str) -> ScenarioRecord:
    endpoint, _, users = name.partition("@")
    return ScenarioRecord(id=name, endpoint=endpoint, users=int(users))


def _trial(block: int, target: str, scenario: str, rps: float) -> TrialRecord:
    place = _scenario(scenario)
    return TrialRecord(
        block=block,
        target=target,
        endpoint=place.endpoint,
        scenario=scenario,
        users=place.users,
        valid=True,
        requests=1000,
        throughput_rps=rps,
        generator=GeneratorShare(cpu_share=0.0, late_share=0.0, lag_p99_us=0.0),
    )
