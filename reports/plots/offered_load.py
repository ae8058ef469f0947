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
    "Open loops only: from when a request is due to its answer, over the rate at which requests are due. Full line: "
    "median; broken line: p99. Bars: 95 % intervals over blocks. One rate is one point; more of them make a curve "
    "(--scenarios predict~poisson100rps,predict~poisson200rps). Dotted: the highest rate that keeps the run\u2019s "
    "promise, where it was searched. Lower is better."
)
ROW_IN = 2.5
MOST_ACROSS = 2
PERCENTILES = {"p50": "-", "p99": "--"}


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
    """The figure, a panel an endpoint, server and mode; None where nothing was measured on a schedule.

    Endpoints lie side by side; where there is one alone, servers and modes do.
    """
    rows = _points(summary)
    shown = {row.target for row in rows}
    targets = [target for target in summary.targets if target.id in shown]
    groups = list(dict.fromkeys(wording.conditions("framework", target) for target in targets))
    columns = [name for name in endpoints(summary) if any(row.endpoint == name for row in rows)]
    if not groups:
        return None
    panels = [(group, endpoint) for group in groups for endpoint in columns]
    across = len(columns) if len(columns) > 1 else min(MOST_ACROSS, len(groups))
    down = -(-len(panels) // across)
    figure, grid = drawing.figure(down, across, height_in=ROW_IN * down + 0.3)
    places = [axes for line in grid for axes in line]
    for axes, (group, endpoint) in zip(places, panels, strict=False):
        members = [target for target in targets if wording.conditions("framework", target) == group]
        kept = [row for row in summary.capacity if row.endpoint == endpoint]
        _panel(axes, [row for row in rows if row.endpoint == endpoint], members, summary.targets, kept)
        drawing.heading(axes, f"/{endpoint}, {group}" if group else f"/{endpoint}")
    for axes in places[len(panels) :]:
        axes.remove()
    for line in grid:
        line[0].set_ylabel("ms")
    for axes in places[: len(panels)][-across:]:
        axes.set_xlabel("offered requests/s")
    return figure


def _panel(
    axes: Axes,
    rows: Sequence[Point],
    members: Sequence[TargetSummary],
    targets: Sequence[TargetSummary],
    capacities: Sequence[CapacityRow],
) -> None:
    ends: list[tuple[float, str, str]] = []
    middles: list[float] = []
    rates = sorted({row.rate_rps for row in rows})
    for target in members:
        own = sorted((row for row in rows if row.target == target.id), key=lambda row: row.rate_rps)
        colour = drawing.colour(target, targets)
        for name, style in PERCENTILES.items():
            told = [row for row in own if name in row.response_ms]
            values = [row.response_ms[name].median for row in told]
            middles += values
            places = [row.rate_rps for row in told]
            axes.plot(places, values, style, color=colour, marker=drawing.marker(target), markersize=4, linewidth=1.3)
            for row in told:
                if interval := row.response_ms[name].ci95:
                    axes.plot([row.rate_rps] * 2, interval, color=colour, linewidth=2.6, alpha=0.4)
            if told:
                ends.append((float(np.log10(values[-1])), f"{target.framework or target.id} {name}", colour))
        for kept in capacities:
            if kept.target == target.id and kept.rate_rps:
                axes.axvline(kept.rate_rps.median, color=colour, linewidth=1, linestyle=":")
    axes.set_yscale("log")
    if middles:
        # Two blocks can have an interval without bounds; it leaves the panel, and the points stay readable.
        axes.set_ylim(min(middles) / 1.5, max(middles) * 1.5)
    drawing.milliseconds(axes.yaxis)
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    if len(rates) == 1:
        axes.set_xlim(rates[0] * 0.5, rates[0] * 1.2)
    axes.grid(axis="y")
    drawing.end_labels(axes, ends, max(rates))
