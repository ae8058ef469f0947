"""Which percentiles are told, from how many samples on, and which sample each is: for the ladder and for reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from scipy import special

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@cache
def samples_needed(quantile: float, confidence: float = 0.99) -> int:
    """The fewest samples from which a percentile may be claimed: 64 for p90, 662 for p99.

    MLPerf Inference's early stopping with one sample discarded: the smallest n for which at most one of n
    samples above the quantile has a chance of at most 1 - confidence, by the exact binomial law.
    """
    if not 0 < quantile < 1:
        raise ValueError("a quantile lies between 0 and 1")
    low, high = 1, 2
    while special.bdtr(1, high, 1 - quantile) > 1 - confidence:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if special.bdtr(1, middle, 1 - quantile) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def samples_missing(samples: int, quantile: float) -> int:
    """How many samples are missing until that percentile may be printed; 0 where there are enough."""
    return max(0, samples_needed(quantile) - samples)


def nearest_rank(quantile: float, samples: int) -> int:
    """The rank, from 1, of the smallest sample with at least that share of all samples at or below it."""
    return max(1, math.ceil(quantile * samples))


def percentiles_us(calls_ns: Sequence[int]) -> dict[str, float | None]:
    """Nearest-rank percentiles in microseconds, which pytest-benchmark has not; null below the calls that one needs."""
    ordered, count = sorted(calls_ns), len(calls_ns)
    return {
        name: None if samples_missing(count, quantile) else ordered[nearest_rank(quantile, count) - 1] / 1e3
        for name, quantile in PERCENTILES.items()
    }
