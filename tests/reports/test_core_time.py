"""The throughput in the time in which a target could have its cores, and the variance that pairs share."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import special
from synthetic_run import Truth, write_run

from experiment.run_folder import Run, read_run
from loadtests.trial_record import TrialRecord, Visits
from reports.between import between
from reports.core_time import core_time_rps
from reports.shared_variance import LEAST_PAIRS, common_variance, moderated
from reports.statistics import PairedRatio, paired_ratio

SECOND = 1_000_000


def visits(answered: int, served: int, cpu: int, *, others: int = 0, stolen: int = 0, cores: int = 1) -> Visits:
    """One visit, in us."""
    return Visits(
        cores=cores,
        round=(0,),
        answered=(answered,),
        served_us=(served,),
        cpu_us=(cpu,),
        others_us=(others,),
        stolen_us=(stolen,),
        queued_us=(0,),
    )


def test_a_busy_target_is_credited_what_others_took() -> None:
    """A server that had four fifths of its core is as fast as it would have been with all of it."""
    alone = core_time_rps(visits(1000, SECOND, SECOND))
    beside = core_time_rps(visits(800, SECOND, 800_000, others=200_000))
    stolen = core_time_rps(visits(800, SECOND, 800_000, stolen=200_000))
    assert alone == beside == stolen == pytest.approx(1000)


def test_its_own_stalls_count_in_full() -> None:
    """Where nobody else had the core, idle or busy time is the target's own."""
    sleeping = core_time_rps(visits(950, SECOND, 950_000))
    collecting = core_time_rps(visits(950, SECOND, SECOND))
    assert sleeping == collecting == pytest.approx(950)


def test_who_runs_while_the_target_is_idle_takes_little() -> None:
    """A target that is idle half of the time loses half of what others use, not all of it."""
    assert core_time_rps(visits(100, SECOND, 400_000, others=200_000)) == pytest.approx(100 / 0.9)


def test_no_more_is_credited_than_the_target_was_without() -> None:
    """Books that tell of more than the visit do not make a target faster than its own CPU time allows."""
    assert core_time_rps(visits(500, SECOND, 900_000, others=5 * SECOND)) == pytest.approx(500 / 0.9)
    assert core_time_rps(visits(2000, SECOND, 2 * SECOND, cores=2)) == pytest.approx(2000)
    assert core_time_rps(visits(0, SECOND, SECOND)) is None


def with_books(run: Run, taken: float) -> Run:
    """The run with its cores' books, in which others took that share of every target's core."""

    def slowed(trial: TrialRecord) -> TrialRecord:
        rps = (trial.throughput_rps or 0.0) * (1 - taken)
        served, others = 100 * SECOND, round(100 * SECOND * taken)
        books = visits(round(100 * rps), served, served - others, others=others)
        return msgspec.structs.replace(trial, throughput_rps=rps, visits=books)

    return msgspec.structs.replace(run, trials=tuple(slowed(trial) for trial in run.trials))


def test_runs_are_compared_by_core_time_where_both_have_it(tmp_path: Path) -> None:
    """A neighbour that takes a fifth of every core between two runs is no regression where both kept the books."""
    truth = Truth(samples=40, scenarios=("predict@16",), modes=("function",), native=False, drift_sd=0.004)
    base = read_run(write_run(tmp_path / "a", truth))
    new = with_books(read_run(write_run(tmp_path / "b", dataclasses.replace(truth, seed=8))), taken=0.2)
    told = between(with_books(base, taken=0.0), new)
    assert told.verdict == "fine"
    assert {row.figure for row in told.cells} == {"core_time_rps"}
    seen = between(base, new)
    assert {row.verdict for row in seen.cells} == {"slower"}
    # All moved alike, which no change of code does.
    assert seen.verdict == "could not tell"
    assert {row.figure for row in seen.cells} == {"throughput_rps"}


def test_alike_variances_are_taken_as_one() -> None:
    """Sample variances that differ by chance alone are all known by infinitely many degrees of freedom."""
    quantiles = special.chdtri(3, (np.arange(200) + 0.5) / 200) / 3
    shared = common_variance(list(quantiles * 1e-4), [3.0] * 200)
    assert shared is not None
    assert shared.freedom > 100
    assert shared.variance == pytest.approx(1e-4, rel=0.1)


def test_the_spread_of_variances_is_found_again() -> None:
    """Of variances drawn from an inverse chi-square of known size and freedom, both are found again."""
    rng = np.random.default_rng(3)
    true = 8 * 4e-4 / rng.chisquare(8, 20_000)
    shared = common_variance(list(true * rng.chisquare(4, 20_000) / 4), [4.0] * 20_000)
    assert shared is not None
    assert shared.freedom == pytest.approx(8, rel=0.1)
    assert shared.variance == pytest.approx(4e-4, rel=0.05)


def test_few_or_broken_variances_are_not_shared() -> None:
    """Below four nothing is shared; what is no variance raises."""
    assert common_variance([1e-4] * (LEAST_PAIRS - 1), [3.0] * (LEAST_PAIRS - 1)) is None
    for broken in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"positive|finite"):
            common_variance([1e-4, 1e-4, 1e-4, broken], [3.0] * 4)


@pytest.mark.parametrize("kind", ["alike", "unequal", "heavy"])
def test_shared_intervals_cover_and_are_narrower(kind: str) -> None:
    """Of 24 pairs of 4 blocks without a difference 93 to 97 % of the intervals cover 1, and are a quarter narrower."""
    rng = np.random.default_rng(5)
    covered, own, narrow = [], [], []
    for _ in range(300):
        sizes = 0.02 * (np.exp(rng.normal(0, 0.5, 24)) if kind == "unequal" else np.ones(24))
        noise = rng.standard_t(4, (24, 4)) / math.sqrt(2) if kind == "heavy" else rng.normal(size=(24, 4))
        pairs: list[PairedRatio] = [paired_ratio(np.ones(4), np.exp(row)) for row in sizes[:, None] * noise]
        shared = common_variance([pair.log_sd**2 for pair in pairs], [3.0] * 24)
        after = [moderated(pair, shared) for pair in pairs]
        covered += [pair.low <= 1 <= pair.high for pair in after]
        own += [math.log(pair.high / pair.low) for pair in pairs]
        narrow += [math.log(pair.high / pair.low) for pair in after]
    assert 0.93 < np.mean(covered) < 0.97
    assert np.mean(narrow) < 0.75 * np.mean(own)
