"""Throughput against users: one panel for each endpoint, with every target in it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.progress import plural
from experiment.run_folder import Run
from reports import drawing, wording
from reports.headline_rows import usual
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import ResultRow
from reports.tables import endpoints

TITLE = "Throughput against users"
NOTE = (
    "Median over blocks with its 95 % interval; one that leaves its panel is cut off. Marker: the server. Broken line: "
    "tutorial code. Higher is better."
)
LEAST_IN, LABEL_IN = 3.0, 0.22
REACH = 1.5


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """The highest throughput of every endpoint, in words."""
    said = []
    for endpoint in endpoints(summary):
        rows = [row for row in usual(summary.results) if row.endpoint == endpoint and row.throughput_rps]
        if rows:
            best = max(rows, key=lambda row: row.rate.median)
            rate = wording.number(best.rate.median)
            said.append(f"/{endpoint}: highest {rate} requests/s, {best.target} with {best.users} users")
    return f"Requests per second against concurrent users. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where no throughput was measured."""
    targets = summary.first_targets
    measured = [row for row in usual(summary.results) if row.throughput_rps]
    shown = {row.target for row in measured}
    columns = [name for name in endpoints(summary) if any(row.endpoint == name for row in measured)]
    if not columns:
        return None
    members = [target for target in targets if target.id in shown]
    figure, grid = drawing.figure(1, len(columns), height_in=max(LEAST_IN, LABEL_IN * len(members) + 0.9))
    for axes, endpoint in zip(grid[0], columns, strict=True):
        _panel(axes, [row for row in measured if row.endpoint == endpoint], members, summary.targets)
        drawing.heading(axes, f"/{endpoint}")
        axes.set_xlabel("users")
    grid[0][0].set_ylabel("requests/s")
    return figure


def _panel(
    axes: Axes,
    rows: Sequence[ResultRow],
    members: Sequence[TargetSummary],
    targets: Sequence[TargetSummary],
) -> None:
    ends: list[tuple[float, str, str]] = []
    users = sorted({row.users for row in rows})
    for target in members:
        own = sorted((row for row in rows if row.target == target.id), key=lambda row: row.users)
        if not own:
            continue
        colour = drawing.colour(target, targets)
        medians = [row.rate.median for row in own]
        spans = [row.rate.ci95 or (middle, middle) for row, middle in zip(own, medians, strict=True)]
        places = [users.index(row.users) for row in own]
        name = wording.brief(target)
        lines = axes.plot(places, medians, color=colour, linewidth=1.4, linestyle=drawing.line_style(target))
        drawing.mark(lines[0], "", name)
        for row, place, middle, (low, high) in zip(own, places, medians, spans, strict=True):
            (bar,) = axes.plot([place, place], [low, high], color=colour, linewidth=0.9)
            (point,) = axes.plot(place, middle, drawing.marker(target), color=colour, markersize=4.4)
            drawing.mark(bar, "", name)
            ends_told = f"{wording.number(low)} to {wording.number(high)}"
            told = f"{name}, {plural(row.users, 'user')}: {wording.number(middle)} requests/s ({ends_told})"
            drawing.mark(point, told, name)
        ends.append((medians[-1], name, colour))
    highest = max(row.rate.median for row in rows)
    top = max((row.rate.ci95 or (0, highest))[1] for row in rows)
    # Two blocks can have an interval without bounds; it leaves the panel, and the medians stay readable.
    top = min(top, REACH * highest)
    axes.set_ylim(0, top * 1.08)
    axes.set_xlim(-0.25, max(len(users) - 1, 0) + 0.1)
    axes.set_xticks(range(len(users)), [str(count) for count in users])
    axes.grid(axis="y")
    drawing.end_labels(axes, ends, max(len(users) - 1, 0), switched=True)
