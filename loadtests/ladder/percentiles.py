"""Percentiles of single calls, which pytest-benchmark does not have; withheld where the calls are too few."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_CALLS = {"p50": (0.5, 11), "p90": (0.9, 64), "p95": (0.95, 130), "p99": (0.99, 662), "p999": (0.999, 6636)}
"""Each quantile and the fewest samples that carry it: MLPerf Inference's rule, as in the report."""


def percentiles_us(calls_ns: Sequence[int]) -> dict[str, float | None]:
    """Nearest-rank percentiles in microseconds; null below the calls that one needs."""
    ordered = sorted(calls_ns)
    return {
        name: ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] / 1e3 if len(ordered) >= least else None
        for name, (quantile, least) in LEAST_CALLS.items()
    }
