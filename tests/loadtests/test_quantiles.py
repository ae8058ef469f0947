"""Percentiles: from how many samples on, and which sample."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from loadtests.ladder.call_percentiles import percentiles_us
from loadtests.quantiles import PERCENTILES, nearest_rank, samples_missing, samples_needed


@pytest.mark.parametrize(("name", "least"), [("p50", 11), ("p90", 64), ("p95", 130), ("p99", 662), ("p999", 6636)])
def test_percentile_floors_are_those_of_the_exact_binomial(name: str, least: int) -> None:
    """p90 needs 64 samples, p99 662: computed from the binomial law, they agree with MLPerf's published table."""
    quantile = PERCENTILES[name]
    assert samples_needed(quantile) == least
    assert samples_missing(least - 1, quantile) == 1
    assert samples_missing(least, quantile) == 0


@pytest.mark.parametrize("quantile", ["0.5", "0.9", "0.95", "0.99", "0.999"])
def test_a_rank_is_the_nearest_one_to_the_last_bit(quantile: str) -> None:
    """Also where q n is whole: the 90th percentile of ten samples is the ninth, not the tenth."""
    for samples in range(1, 3001):
        assert nearest_rank(float(quantile), samples) == max(1, math.ceil(Fraction(quantile) * samples))


def test_the_ladder_needs_as_many_calls_and_takes_the_same_rank() -> None:
    """One call fewer than needed withholds a percentile, and of 1 to 1000 the 90th percentile is 900."""
    for name, quantile in PERCENTILES.items():
        least = samples_needed(quantile)
        assert percentiles_us([1000] * least)[name] == 1.0
        assert percentiles_us([1000] * (least - 1))[name] is None
    found = percentiles_us(range(1000, 0, -1))
    assert (found["p50"], found["p90"], found["p99"]) == (0.5, 0.9, 0.99)
