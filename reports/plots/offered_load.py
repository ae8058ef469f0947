"""Response time against offered load: what an open loop's rate does to how soon requests are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import CapacityRow
from reports.summary.measures import Median
from reports.tables import endpoints

TITLE = "Response time against offered load"
NOTE = (
    "Open loops only: from when a request is due to its answer, over the rate at which requests are due. "
    "Bars: 95 % intervals over blocks. Broken line: tutorial code. One rate is one point; more of them make a curve "
    "(--scenarios predict~poisson100rps,predict~poisson200rps). Upright line: the highest rate that keeps "
    "the run\u2019s promise, where it was searched. Lower is better."
)
LEAST_IN, LABEL_IN = 3.0, 0.22
MOST_ACROSS = 2
PERCENTILES = ("p50", "p99")
WORDS = {"p50": "median", "p99": "p99"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one target answered at one offered rate."""

    target: str
    endpoint: str
    rate_rps: float
    response_ms: Mapping[str, Median]


def _points(summary: Summary) -> list[Point]:
    """The open loops of one rate, in the usual encoding."""
    rates = {one.id: one.rates_rps for one in summary.scenarios}
    first = {target.id for target in summary.first_targets}
    return [
        Point(
            target=row.target, endpoint=row.endpoint, rate_rps=rates[row.scenario][0], response_ms=row.response_ms.told
        )
        for row in summary.results
        if len(rates[row.scenario]) == 1
        and row.arrival != "closed"
        and row.target in first
        and row.response_ms.p50
        and not row.variant
    ]


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every point, in words."""
    said = [
        f"{row.target} on /{row.endpoint} at {row.rate_rps:g} requests/s: "
        + ", ".join(
            f"{name} {wording.number(row.response_ms[name].median)} ms"
            for name in PERCENTILES
            if name in row.response_ms
        )
        for row in _points(summary)
    ]
    return f"Response time over offered requests per second. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure, a panel an endpoint and percentile; None where nothing was measured on a schedule."""
    rows = _points(summary)
    shown = {row.target for row in rows}
    targets = [target for target in summary.targets if target.id in shown]
    columns = [name for name in endpoints(summary) if any(row.endpoint == name for row in rows)]
    if not targets:
        return None
    panels = [(endpoint, name) for endpoint in columns for name in PERCENTILES if _told(rows, endpoint, name)]
    across = min(MOST_ACROSS, len(panels))
    down = -(-len(panels) // across)
    height_in = max(LEAST_IN, LABEL_IN * len(targets) + 0.7)
    figure, grid = drawing.figure(down, across, height_in=height_in * down + 0.2)
    places = [axes for line in grid for axes in line]
    for axes, (endpoint, name) in zip(places, panels, strict=False):
        kept = [row for row in summary.capacity if row.endpoint == endpoint]
        _panel(axes, _told(rows, endpoint, name), targets, summary.targets, (name, kept))
        drawing.heading(axes, f"/{endpoint}, {WORDS[name]}")
    for axes in places[len(panels) :]:
        axes.remove()
    for line in grid:
        line[0].set_ylabel("ms")
    for axes in places[: len(panels)][-across:]:
        axes.set_xlabel("offered requests/s")
    return figure


def _told(rows: Sequence[Point], endpoint: str, percentile: str) -> list[Point]:
    return [row for row in rows if row.endpoint == endpoint and percentile in row.response_ms]


def _panel(
    axes: Axes,
    rows: Sequence[Point],
    members: Sequence[TargetSummary],
    targets: Sequence[TargetSummary],
    told: tuple[str, Sequence[CapacityRow]],
) -> None:
    percentile, capacities = told
    ends: list[tuple[float, str, str]] = []
    rates = sorted({row.rate_rps for row in rows})
    for target in members:
        own = sorted((row for row in rows if row.target == target.id), key=lambda row: row.rate_rps)
        if not own:
            continue
        colour, name = drawing.colour(target, targets), wording.brief(target)
        values = [row.response_ms[percentile].median for row in own]
        places = [row.rate_rps for row in own]
        (line,) = axes.plot(places, values, color=colour, linewidth=1.3, linestyle=drawing.line_style(target))
        drawing.mark(line, "", name)
        for row, value in zip(own, values, strict=True):
            low, high = row.response_ms[percentile].ci95 or (value, value)
            (bar,) = axes.plot([row.rate_rps] * 2, [low, high], color=colour, linewidth=2.6, alpha=0.4)
            (point,) = axes.plot(row.rate_rps, value, drawing.marker(target), color=colour, markersize=4)
            drawing.mark(bar, "", name)
            span = f"{wording.number(low)} to {wording.number(high)}"
            drawing.mark(point, f"{name}, {row.rate_rps:g} requests/s: {wording.number(value)} ms ({span})", name)
        ends.append((float(np.log10(values[-1])), name, colour))
        for kept in capacities:
            if kept.target == target.id and kept.rate_rps:
                limit = axes.axvline(kept.rate_rps.median, color=colour, linewidth=3, alpha=0.35)
                drawing.mark(limit, f"{name} keeps {kept.slo} up to {wording.number(kept.rate_rps.median)}/s", name)
    axes.set_yscale("log")
    middles = [row.response_ms[percentile].median for row in rows]
    # Two blocks can have an interval without bounds; it leaves the panel, and the points stay readable.
    axes.set_ylim(min(middles) / 1.5, max(middles) * 1.5)
    drawing.milliseconds(axes.yaxis)
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    if len(rates) == 1:
        axes.set_xlim(rates[0] * 0.5, rates[0] * 1.2)
    axes.grid(axis="y")
    drawing.end_labels(axes, ends, max(rates), switched=True)
