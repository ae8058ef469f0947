"""Journals' worth of figures without a journal: runs whose blocks have the noise that this harness measured.

One slice of 100 ms has a noise of about 10 %, uncorrelated from slice to slice; the plan standard has 24 slices in each
of 7 blocks, and these ten scenarios among its own: each endpoint in its usual encoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from experiment.environment_record import CpuRecord, EnvironmentRecord
from experiment.journal_records import ComparisonRecord, EndRecord, TargetRecord
from experiment.run_folder import Run
from loadtests.plans import PLANS
from loadtests.trial_record import GeneratorShare, ScenarioRecord, TrialRecord

SLICE_NOISE = 0.10
STANDARD = PLANS["standard"]
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
                slices = rng.normal(1.0, SLICE_NOISE, STANDARD.slices)
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
