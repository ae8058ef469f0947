"""The pytest-benchmark face of the ladder: one benchmark a variant, its rounds timed interleaved with all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from loadtests.ladder.climb import Timed
from loadtests.ladder.provided import Variant, group_of, variant_id
from loadtests.quantiles import percentiles_us


def test_rung(variant: Variant, timings: Mapping[str, Timed], benchmark: Any, request: pytest.FixtureRequest) -> None:
    """A piece of the request's path answers every payload rightly; its rounds become pytest-benchmark's."""
    timed = timings[variant_id(variant)]
    if timed.fault is not None:
        pytest.fail(f"not timed: {timed.fault}", pytrace=False)
    if benchmark.disabled:
        benchmark.pedantic(lambda: None)
        return
    marker = request.node.get_closest_marker("benchmark")
    marker.kwargs["timer"].load(timed.rounds_ns)
    benchmark.group = group_of(variant)
    benchmark.extra_info |= dict(variant)
    benchmark.extra_info |= {
        "calls": len(timed.calls_ns),
        "percentiles_us": percentiles_us(timed.calls_ns),
        "order_seed": request.config.getoption("ladder_seed", 0),
        "calls_ns": timed.calls_ns,
    }
    rounds = len(timed.calls_ns) // timed.payloads
    benchmark.pedantic(lambda: None, rounds=rounds, iterations=timed.payloads)
