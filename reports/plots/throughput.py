"""Throughput against users: one panel for each endpoint, one row for each server and mode."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.headline_rows import usual
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import ResultRow
from reports.tables import endpoints

TITLE = "Throughput against users"
NOTE = "Median over blocks with its 95 % interval; one that leaves its panel is cut off. Higher is better."
ROW_IN = 2.35
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
    groups = list(dict.fromkeys(_group(target) for target in targets if target.id in shown))
    columns = [name for name in endpoints(summary) if any(row.endpoint == name for row in measured)]
    if not groups or not columns:
        return None
    figure, grid = drawing.figure(len(groups), len(columns), height_in=ROW_IN * len(groups) + 0.3)
    for line, group in zip(grid, groups, strict=True):
        members = [target for target in targets if _group(target) == group]
        for axes, endpoint in zip(line, columns, strict=True):
            rows = [row for row in measured if row.endpoint == endpoint]
            _panel(axes, rows, members, summary.targets)
            drawing.heading(axes, f"/{endpoint}, {group}" if group and axes is line[0] else f"/{endpoint}")
            if line is grid[-1]:
                axes.set_xlabel("users")
        line[0].set_ylabel("requests/s")
    return figure


def _group(target: TargetSummary) -> str:
    return wording.conditions("framework", target)


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
        axes.errorbar(
            places,
            medians,
            # Blocks that do not vary have ends that rounding may put on the wrong side.
            yerr=[
                [max(0.0, middle - low) for middle, (low, _) in zip(medians, spans, strict=True)],
                [max(0.0, high - middle) for middle, (_, high) in zip(medians, spans, strict=True)],
            ],
            color=colour,
            marker=drawing.marker(target),
            markersize=3.6,
            linewidth=1.4,
            elinewidth=0.9,
            linestyle="--" if (target.framework or "").endswith("-native") else "-",
        )
        ends.append((medians[-1], target.framework or target.id, colour))
    highest = max(row.rate.median for row in rows)
    top = max((row.rate.ci95 or (0, highest))[1] for row in rows)
    # Two blocks can have an interval without bounds; it leaves the panel, and the medians stay readable.
    top = min(top, REACH * highest)
    axes.set_ylim(0, top * 1.08)
    axes.set_xlim(-0.25, max(len(users) - 1, 0) + 0.25 + 0.42 * max(len(users) - 1, 1))
    axes.set_xticks(range(len(users)), [str(count) for count in users])
    axes.grid(axis="y")
    labels = drawing.spread([end for end, _, _ in ends], top * 0.085)
    for height, (_, name, colour) in zip(labels, ends, strict=True):
        drawing.beside(axes, name, (len(users) - 1, height), gap_pt=7, color=colour, fontsize=8.5)
