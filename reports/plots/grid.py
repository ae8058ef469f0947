"""The matrix as a heat map: requests a second of every target on every endpoint, shaded against the column's best."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiment.run_folder import Run
from reports import drawing, wording
from reports.headline_rows import busiest_cells
from reports.summary import Summary
from reports.summary.load_rows import ResultRow
from reports.tables import endpoints

TITLE = "Every target on every endpoint"
NOTE = (
    "Requests per second at the most users, with the 95 % interval, shaded by their share of the best in the column: "
    "light is fast. A cell without a figure is hatched; the table of the section on throughput says why."
)
ROW_IN = 0.3
COLOURS = "cividis"


def _cells(summary: Summary) -> dict[tuple[str, str], ResultRow]:
    """The closed loop with the most users of every target and endpoint; a twin is left out."""
    first = {target.id for target in summary.first_targets}
    return busiest_cells(row for row in summary.results if row.target in first)


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """The best target of every endpoint, and the share of it that the slowest reaches, in words."""
    said = []
    for endpoint in endpoints(summary):
        rows = [row for (_, name), row in _cells(summary).items() if name == endpoint and row.throughput_rps]
        if rows:
            ordered = sorted(rows, key=lambda row: row.rate.median)
            share = ordered[0].rate.median / ordered[-1].rate.median
            said.append(
                f"/{endpoint}: fastest {ordered[-1].target}, slowest {ordered[0].target} at "
                f"{wording.percent(share)} % of it"
            )
    return f"Requests per second by target and endpoint. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where fewer than two targets have a throughput."""
    cells = _cells(summary)
    told = {place: row for place, row in cells.items() if row.throughput_rps}
    targets = [one for one in summary.targets if one.id in {name for name, _ in cells}]
    columns = [name for name in endpoints(summary) if any(endpoint == name for _, endpoint in told)]
    if len({name for name, _ in told}) < 2:
        return None
    figure, grid = drawing.figure(1, 1, height_in=ROW_IN * len(targets) + 0.6)
    axes = grid[0][0]
    for across, endpoint in enumerate(columns):
        best = max(row.rate.median for (_, name), row in told.items() if name == endpoint)
        for down, target in enumerate(targets):
            _cell(axes, (across, down), told.get((target.id, endpoint)), best)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(targets) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), [f"/{name}" for name in columns])
    axes.set_yticks(range(len(targets)), [target.label for target in targets])
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _cell(axes: Axes, place: tuple[int, int], row: ResultRow | None, best: float) -> None:
    corner = (place[0] - 0.49, place[1] - 0.46)
    if row is None:
        axes.add_patch(Rectangle(corner, 0.98, 0.92, fill=False, hatch="////", edgecolor=drawing.QUIET, linewidth=0))
        return
    median, interval = row.rate.median, row.rate.ci95
    share = median / best
    paint = mpl.colormaps[COLOURS](share)
    axes.add_patch(Rectangle(corner, 0.98, 0.92, color=paint, linewidth=0))
    spread = f"  ({wording.number(interval[0])} to {wording.number(interval[1])})" if interval else ""
    text = axes.text(
        *place,
        f"{wording.number(median)}{spread}",
        ha="center",
        va="center",
        fontsize=8.5,
        color=_ink_on(*paint[:3]),
    )
    drawing.mark(text, f"{row.target}, /{row.endpoint}: {wording.number(median)} requests/s{spread}")


def _ink_on(red: float, green: float, blue: float) -> str:
    """Near-black or white, whichever is told better from a colour (relative luminance, WCAG 2.2)."""
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"
