"""The report's plots, one a file: `TITLE`, `NOTE`, `draw(summary, run)` and `ALT(summary)`; found by listing."""

from __future__ import annotations


def order() -> tuple[str, ...]:
    """The plots that have a place of their own in the page; any other follows them."""
    return (
        "what_matters",
        "throughput",
        "offered_load",
        "latency",
        "percentile_curves",
        "both_ways",
        "waterfall",
        "break_even",
        "framework_cost",
        "modes",
        "grid",
        "ratios",
        "start_up",
    )
