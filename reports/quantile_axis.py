"""The axis of HDR histograms: quantiles spaced by what lies beyond them, so that each nine has the same width.

Gil Tene's HdrHistogram plots percentile curves over 1 / (1 - q). Importing this imports matplotlib.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from reports.latencies import Nanoseconds
from reports.statistics import Floats

LEAST_BEYOND = 10
"""A quantile is drawn while so many samples lie beyond it."""
TICKS = {0.5: "50 %", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %"}
POINTS = 60
NS_PER_MS = 1e6


def last_quantile(samples: int) -> float:
    """The furthest quantile that so many samples carry."""
    return 1 - LEAST_BEYOND / samples


def curve(ordered: Nanoseconds) -> tuple[Floats, Floats]:
    """Places on the axis and milliseconds, from the median on, of sorted samples."""
    at = 1 - np.geomspace(0.5, 1 - last_quantile(ordered.size), POINTS)
    ranks = np.minimum(ordered.size - 1, (at * ordered.size).astype(np.int64))
    return 1 / (1 - at), ordered[ranks] / NS_PER_MS


def place(quantile: float) -> float:
    """Where a quantile lies on the axis."""
    return 1 / (1 - quantile)


def scale(axes: Axes, furthest: float) -> None:
    """The axis up to `furthest`, its ticks named by their share of requests."""
    axes.set_xscale("log")
    kept = {quantile: text for quantile, text in TICKS.items() if quantile <= furthest}
    axes.set_xticks([place(quantile) for quantile in kept], list(kept.values()), minor=False)
    axes.set_xticks([], minor=True)
