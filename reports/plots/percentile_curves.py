"""Percentile curves on an HDR axis: service time at the most users of each endpoint, one row a server and mode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    "the body. A curve ends where fewer than ten samples lie beyond. Bars: 95 % intervals over blocks. Lower is better."
)
ROW_IN = 2.35
ASIDE = 1.05
SHOWN = ("p50", "p90", "p99", "p999")

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
    groups = list(dict.fromkeys(wording.conditions("framework", one) for one in targets))
    if not groups:
        return None
    figure, grid = drawing.figure(len(groups), len(cells), height_in=ROW_IN * len(groups) + 0.3)
    for line, group in zip(grid, groups, strict=True):
        members = [one for one in targets if wording.conditions("framework", one) == group]
        for axes, (endpoint, own) in zip(line, cells.items(), strict=True):
            _panel(axes, [(one, own[one.id]) for one in members if one.id in own], summary.targets, run)
            drawing.heading(axes, f"/{endpoint}, {group}" if group and axes is line[0] else f"/{endpoint}")
        line[0].set_ylabel("ms")
    for axes, own in zip(grid[-1], cells.values(), strict=True):
        users = max(row.users for row in own.values())
        axes.set_xlabel(f"share answered within, {plural(users, 'user')}")
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
    ends: list[tuple[float, str, str]] = []
    for number, (target, row) in enumerate(rows):
        ordered = latencies.pooled(run, row.target, row.scenario).service_ns
        if ordered.size <= 2 * drawing.LEAST_BEYOND:
            continue
        colour = drawing.colour(target, targets)
        style = "--" if (target.framework or "").endswith("-native") else "-"
        places, values = drawing.quantile_curve(ordered)
        axes.plot(places, values, color=colour, linewidth=1.4, linestyle=style)
        furthest = max(furthest, drawing.last_quantile(ordered.size))
        ends.append((float(np.log10(values[-1])), target.framework or target.id, colour))
        for name in SHOWN:
            entry = row.latency_ms.at(name)
            # Side by side, so that no bar hides another.
            at = drawing.quantile_place(PERCENTILES[name]) * ASIDE ** (number - len(rows) / 2)
            if entry and entry.ci95 and at <= places[-1]:
                axes.plot([at, at], entry.ci95, color=colour, linewidth=2.6, alpha=0.45, solid_capstyle="butt")
    drawing.quantile_scale(axes, furthest)
    axes.set_yscale("log")
    # Two blocks can have an interval without bounds; it leaves the panel, and the curves stay readable.
    drawn = [value for line in axes.get_lines() if line.get_linewidth() < 2 for value in np.asarray(line.get_ydata())]
    if drawn:
        axes.set_ylim(min(drawn) * 0.85, max(drawn) * 1.25)
    drawing.milliseconds(axes.yaxis)
    axes.grid()
    drawing.end_labels(axes, ends, drawing.quantile_place(furthest))
