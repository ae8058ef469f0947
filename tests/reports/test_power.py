"""Simulated truth: how often the plan standard errs, and what it finds, inside a run and between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from simulated_pairs import CANDIDATE, simulated_run

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
