"""All verdicts in one picture: every compared pair's ratios, against what the same code did against itself."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from experiment.run_folder import Run
from reports import drawing, tables, wording
from reports.summary import Summary
from reports.summary.load_rows import ComparisonRow

TITLE = "All verdicts against the noise floor"
NOTE = (
    "Throughput of the candidate over the baseline at the most users, with its 95 % interval; right of 1 the candidate "
    "is faster. Grey: the same code against itself. Full: faster or slower; hollow: equivalent; cross: undecided."
)
ROW_IN = 0.28
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100)
LEAST_APART = 0.07
REACH = 1.3
SHAPES = ("o", "s", "D", "^", "v", "P")
COLOURS = {"faster": drawing.FASTER, "slower": drawing.SLOWER, "equivalent": drawing.INK}


Line = tuple[str, list[ComparisonRow]]
"""A pair's name and its rows; a question's title has none."""


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every ratio and verdict, in words."""
    said = []
    for label, cells in lines(summary):
        said += [f"{label}, /{row.endpoint}: {tables.change(row)}, {row.verdict}" for row in cells]
    return f"Ratios with 95 % intervals. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where there is no ratio."""
    found = lines(summary)
    if not found:
        return None
    figure, grid = drawing.figure(1, 1, height_in=ROW_IN * len(found) + 0.75)
    paint(grid[0][0], summary, found, fontsize=9.5)
    return figure


def paint(axes: Axes, summary: Summary, told: Sequence[Line], *, fontsize: float) -> None:
    """Those lines in a panel."""
    names = [name for name in tables.endpoints(summary) if any(row.endpoint == name for _, own in told for row in own)]
    for place, (label, cells) in enumerate(told):
        for row in cells:
            aside = (names.index(row.endpoint) - (len(names) - 1) / 2) * 0.78 / len(names)
            shape = SHAPES[names.index(row.endpoint) % len(SHAPES)]
            _point(axes, (place + aside, 0.74 / len(names)), row, label, shape)
        if cells:
            text = " \u00b7 ".join(f"{tables.change(row)}{'' if row.verdict in COLOURS else ' ?'}" for row in cells)
            place_of = ("axes fraction", "data")
            drawing.beside(axes, text, (1, place), xycoords=place_of, fontsize=fontsize - 1, annotation_clip=False)
    axes.axvline(1, color=drawing.INK, linewidth=0.8)
    drawing.name_rows(axes, [label for label, _ in told])
    for name, (_, cells) in zip(axes.get_yticklabels(), told, strict=True):
        name.set_fontsize(fontsize)
        name.set_fontweight("normal" if cells else "bold")
    axes.tick_params(axis="y", length=0)
    _scale(axes, [row for _, cells in told for row in cells])
    handles = [
        Line2D([], [], linestyle="", marker=shape, color=drawing.QUIET, label=f"/{name}")
        for name, shape in zip(names, SHAPES, strict=False)
    ]
    if len(handles) > 1:
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, borderpad=0)


def lines(summary: Summary) -> list[Line]:
    """A line a pair that has a ratio, those of one question under its title, which has no rows."""
    targets = summary.target_by_id
    parts = wording.varying(summary.targets)
    found: list[Line] = []
    titled = ""
    for entry in tables.verdict_table(summary):
        cells = [row for row in entry.cells if row and row.ratio is not None]
        if not cells:
            continue
        if entry.axis != titled:
            found.append((wording.axis_title(entry.axis), []))
            titled = entry.axis
        first = cells[0]
        found.append((wording.fraction(first.axis, targets[first.baseline], targets[first.candidate], parts), cells))
    return found


def _point(axes: Axes, at: tuple[float, float], row: ComparisonRow, label: str, shape: str) -> None:
    """One ratio, at a height in its own strip of the floor."""
    place, height = at
    if row.noise_ci95:
        low, high = row.noise_ci95
        strip = Rectangle((low, place - height / 2), high - low, height, color=drawing.QUIET, alpha=0.25, linewidth=0)
        axes.add_patch(strip)
    ratio, interval = row.effect
    colour = COLOURS.get(row.verdict, drawing.QUIET)
    axes.plot(interval, [place, place], color=colour, linewidth=1.4)
    hollow = row.verdict == "equivalent"
    (point,) = axes.plot(
        ratio,
        place,
        shape if row.verdict in COLOURS else "x",
        color=colour,
        markersize=5,
        markerfacecolor="none" if hollow else colour,
    )
    drawing.mark(point, f"{label}, /{row.endpoint}: {tables.change(row)} ({tables.interval(row)}), {row.verdict}")


def _scale(axes: Axes, rows: Sequence[ComparisonRow]) -> None:
    """A logarithmic axis with plain numbers that leaves 1 in sight."""
    ends = [end for row in rows for end in (*row.effect[1], *(row.noise_ci95 or ()))]
    ratios = [row.effect[0] for row in rows]
    # Two blocks can have an interval without bounds; it leaves the panel, and the ratios stay readable.
    low, high = max(min(ends), min(*ratios, 1) / REACH), min(max(ends), max(*ratios, 1) * REACH)
    low, high = min(low, 0.97) * 0.98, max(high, 1.03) * 1.02
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    span = drawing.decades(low, high)
    kept: list[float] = []
    for tick in sorted(TICKS, key=lambda one: abs(drawing.decades(1, one))):
        far = all(abs(drawing.decades(one, tick)) > LEAST_APART * span for one in kept)
        kept += [tick] if low <= tick <= high and far else []
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(kept)
    drawing.plain_numbers(axes.xaxis)
    axes.grid(axis="x")
