"""The report's plots, one a file: `TITLE`, `NOTE`, `draw(summary, run)` and `ALT(summary)`; found by listing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PLACED: Final = (
    "what_matters",
    "throughput",
    "offered_load",
    "percentile_curves",
    "both_ways",
    "waterfall",
    "break_even",
    "framework_cost",
    "modes",
    "grid",
    "ratios",
    "start_up",
    "timeline",
)
"""The plots that have a place of their own in the page; any other follows them."""


def names() -> list[str]:
    """The plots' module names, sorted. Imports none of them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
