"""Percentile curves on an HDR axis: service time at the most users, a panel an endpoint, all on one scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiment.progress import plural
from experiment.run_folder import Run
from loadtests.quantiles import PERCENTILES
from reports import drawing, latencies, wording
from reports.headline_rows import usual
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import ResultRow
from reports.tables import endpoints

TITLE = "Percentile curves"
NOTE = (
    "Service time at the most users, all blocks together: each nine has the same width, so that the tail is as wide as "
    "the body. A curve ends where fewer than ten samples lie beyond. "
    "Bars: 95 % intervals over blocks. Broken line: tutorial code. Lower is better."
)
LEAST_IN, LABEL_IN = 3.4, 0.22
ASIDE = 1.02
CURVE = 3
"""Which of a panel's lines are curves, by the order in which they are painted."""
WORDS = {"p50": "median", "p90": "p90", "p99": "p99", "p999": "p99.9"}

Cells = dict[str, dict[str, ResultRow]]


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Median and 99th percentile of every curve, in words; a median alone where the other needs more samples."""
    said = []
    for endpoint, cells in _cells(summary).items():
        for row in cells.values():
            known = [(name, one) for name in ("p50", "p99") if (one := row.latency_ms.at(name))]
            figures = ", ".join(f"{name} {wording.number(one.median)} ms" for name, one in known)
            said.append(f"{row.target} on /{endpoint}: {figures}")
    return f"Service time over the share of requests answered within it. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:
    """The figure; None where no latency was measured."""
    cells = _cells(summary)
    shown = {name for own in cells.values() for name in own}
    targets = [one for one in summary.targets if one.id in shown]
    if not targets:
        return None
    height_in = max(LEAST_IN, LABEL_IN * len(targets) + 0.9)
    figure, grid = drawing.figure(1, len(cells), height_in=height_in, sharey=True)
    for axes, (endpoint, own) in zip(grid[0], cells.items(), strict=True):
        _panel(axes, [(one, own[one.id]) for one in targets if one.id in own], summary.targets, run)
        users = max(row.users for row in own.values())
        drawing.heading(axes, f"/{endpoint}, {plural(users, 'user')}")
        axes.set_xlabel("share answered within")
    # One scale for all, which only their own samples set: a panel's intervals may have no bounds.
    drawn = [value for axes in grid[0] for line in axes.get_lines() if line.get_zorder() == CURVE for value in _y(line)]
    if drawn:
        grid[0][0].set_ylim(min(drawn) * 0.85, max(drawn) * 1.25)
    drawing.milliseconds(grid[0][0].yaxis)
    grid[0][0].set_ylabel("ms")
    for axes in grid[0]:
        drawing.end_labels(axes, _ends(axes), axes.get_xlim()[1], switched=True)
    return figure


def _cells(summary: Summary) -> Cells:
    """By endpoint and target: the closed loop with the most users that has a median; a twin is left out."""
    first = {target.id for target in summary.first_targets}
    found: Cells = {}
    for endpoint in endpoints(summary):
        rows = [
            row
            for row in usual(summary.results)
            if row.endpoint == endpoint and row.latency_ms.p50 and row.target in first
        ]
        most = max((row.users for row in rows), default=0)
        if rows:
            found[endpoint] = {row.target: row for row in rows if row.users == most}
    return found


def _panel(
    axes: Axes,
    rows: Sequence[tuple[TargetSummary, ResultRow]],
    targets: Sequence[TargetSummary],
    run: Run,
) -> None:
    furthest = 0.9
    for number, (target, row) in enumerate(rows):
        ordered = latencies.pooled(run, row.target, row.scenario).service_ns
        if ordered.size <= 2 * drawing.LEAST_BEYOND:
            continue
        colour, name = drawing.colour(target, targets), wording.brief(target)
        places, values = drawing.quantile_curve(ordered)
        style = drawing.line_style(target)
        (curve,) = axes.plot(places, values, color=colour, linewidth=1.4, linestyle=style, label=name, zorder=CURVE)
        drawing.mark(curve, "", name)
        furthest = max(furthest, drawing.last_quantile(ordered.size))
        for percentile, entry in row.latency_ms.told.items():
            # Side by side, so that no bar hides another.
            at = drawing.quantile_place(PERCENTILES[percentile]) * ASIDE ** (number - len(rows) / 2)
            if at > places[-1]:
                continue
            low, high = entry.ci95 or (entry.median, entry.median)
            (bar,) = axes.plot([at, at], [low, high], color=colour, linewidth=2.2, alpha=0.45, solid_capstyle="butt")
            (point,) = axes.plot(at, entry.median, drawing.marker(target), color=colour, markersize=3.6)
            drawing.mark(bar, "", name)
            ends = f" ({wording.number(low)} to {wording.number(high)})" if entry.ci95 else ""
            drawing.mark(point, f"{name}: {WORDS[percentile]} {wording.number(entry.median)} ms{ends}", name)
    axes.set_yscale("log")
    drawing.quantile_scale(axes, furthest)
    axes.set_xlim(1.9, drawing.quantile_place(furthest))
    axes.grid()


def _y(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata(), dtype=np.float64)]


def _ends(axes: Axes) -> list[tuple[float, str, str]]:
    """Every curve's last height, name and colour."""
    curves = [line for line in axes.get_lines() if line.get_zorder() == CURVE]
    return [(float(np.log10(_y(line)[-1])), str(line.get_label()), str(line.get_color())) for line in curves]
