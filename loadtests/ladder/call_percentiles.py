"""Percentiles of single calls, which pytest-benchmark does not have; withheld where the calls are too few."""

from __future__ import annotations

from collections.abc import Sequence

from loadtests.quantiles import PERCENTILES, nearest_rank, samples_missing


def percentiles_us(calls_ns: Sequence[int]) -> dict[str, float | None]:
    """Nearest-rank percentiles in microseconds; null below the calls that one needs."""
    ordered, count = sorted(calls_ns), len(calls_ns)
    return {
        name: None if samples_missing(count, quantile) else ordered[nearest_rank(quantile, count) - 1] / 1e3
        for name, quantile in PERCENTILES.items()
    }
