"""Every compared pair's ratio with its interval, against what the same code did against itself."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from experiment.run_folder import Run
from reports import drawing, tables, wording
from reports.summary import Summary
from reports.summary.load_rows import ComparisonRow

TITLE = "Ratios against the noise floor"
NOTE = (
    "Throughput of the candidate over the baseline at the most users, with its 95 % interval; above 1 the candidate is "
    "faster. Grey: the same code against itself. Full dot: faster or slower; ring: equivalent; cross: undecided."
)
ROW_IN = 0.22
# Distances between ticks, of which the smallest that leaves room is taken; 1 is always one of them.
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
MOST_TICKS = 7
REACH = 1.5
SHAPES = {"faster": "o", "slower": "o", "equivalent": "o", "inconclusive": "x"}


def _panels(summary: Summary) -> dict[str, list[tuple[str, ComparisonRow]]]:
    """For every axis, its labelled rows that have a ratio."""
    targets = summary.target_by_id
    parts = wording.varying(summary.targets)
    panels: dict[str, list[tuple[str, ComparisonRow]]] = {}
    for entry in tables.verdict_table(summary):
        for row in entry.cells:
            if row and row.ratio is not None:
                over = wording.fraction(row.axis, targets[row.baseline], targets[row.candidate], parts)
                panels.setdefault(entry.axis, []).append((f"{over}, /{row.endpoint}", row))
    return panels


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every ratio and verdict, in words."""
    said = [
        f"{label}: {tables.change(row)}, {row.verdict}" for rows in _panels(summary).values() for label, row in rows
    ]
    return f"Ratios with 95 % intervals. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where there is no ratio."""
    panels = _panels(summary)
    if not panels:
        return None
    targets = summary.target_by_id
    heights = [len(rows) + 1.6 for rows in panels.values()]
    figure, grid = drawing.figure(len(panels), 1, height_in=ROW_IN * sum(heights) + 0.5, height_ratios=heights)
    for line, (axis, rows) in zip(grid, panels.items(), strict=True):
        axes = line[0]
        for place, (_, row) in enumerate(rows):
            _row(axes, place, row, drawing.colour(targets[row.candidate], summary.targets))
        axes.axvline(1, color=drawing.INK, linewidth=0.8)
        drawing.heading(axes, wording.axis_title(axis))
        drawing.name_rows(axes, [label for label, _ in rows])
        axes.tick_params(axis="y", length=0)
        _scale(axes, [row for _, row in rows])
    return figure


def _row(axes: Axes, place: int, row: ComparisonRow, colour: str) -> None:
    if row.noise_ci95:
        low, high = row.noise_ci95
        axes.add_patch(Rectangle((low, place - 0.5), high - low, 1, color=drawing.QUIET, alpha=0.28, linewidth=0))
    ratio, interval = row.effect
    axes.plot(interval, [place, place], color=colour, linewidth=1.6)
    hollow = row.verdict == "equivalent"
    axes.plot(
        ratio,
        place,
        SHAPES.get(row.verdict, "x"),
        color=colour,
        markersize=5,
        markerfacecolor="none" if hollow else colour,
    )
    drawing.beside(axes, f"{tables.change(row)}  {row.verdict}", (1, place), xycoords=("axes fraction", "data"))


def _scale(axes: Axes, rows: Sequence[ComparisonRow]) -> None:
    """A logarithmic axis with plain numbers that leaves 1 in sight."""
    ends = [end for row in rows for end in (*row.effect[1], *(row.noise_ci95 or ()))]
    ratios = [row.effect[0] for row in rows]
    # Two blocks can have an interval without bounds; it leaves the panel, and the ratios stay readable.
    low, high = max(min(ends), min(*ratios, 1) / REACH), min(max(ends), max(*ratios, 1) * REACH)
    low, high = min(low, 0.97), max(high, 1.03)
    axes.set_xscale("log")
    axes.set_xlim(low * 0.99, high * 1.01)
    step = next((one for one in STEPS if (high - low) / one <= MOST_TICKS), STEPS[-1])
    ticks = [1 + step * place for place in range(-MOST_TICKS, MOST_TICKS + 1)]
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([tick for tick in ticks if low * 0.99 <= tick <= high * 1.01])
    drawing.plain_numbers(axes.xaxis)
    axes.grid(axis="x")
