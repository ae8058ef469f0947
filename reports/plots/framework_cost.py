"""The framework's cost over bare WSGI, in microseconds a request."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import FrameworkCost
from reports.tables import endpoints

TITLE = "The framework\u2019s cost over bare WSGI"
NOTE = (
    "Microseconds added to a request; bare WSGI on the same server and mode is zero. Mean of the blocks\u2019 "
    "differences with its 95 % interval. Latency is the median; load is the most users measured. Lower is better."
)
READINGS = {"latency_us": "added latency with 1 user", "cpu_us": "added CPU time under load"}
ROW_IN = 0.24
REACH = 4.0


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every cost, in words."""
    said = [
        f"{row.target} on /{row.endpoint}, {READINGS[row.measure]}: {wording.number(row.mean)} microseconds"
        for row in summary.framework_costs
    ]
    return f"Microseconds a request over bare WSGI. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure, a row of panels an endpoint; None where no target pairs with a floor."""
    costs = summary.framework_costs
    if not costs:
        return None
    readings = [name for name in READINGS if any(row.measure == name for row in costs)]
    rows = {
        endpoint: list(dict.fromkeys(row.target for row in costs if row.endpoint == endpoint))
        for endpoint in endpoints(summary)
        if any(row.endpoint == endpoint for row in costs)
    }
    heights = [len(names) + 2.2 for names in rows.values()]
    figure, grid = drawing.figure(
        len(rows), len(readings), height_in=ROW_IN * sum(heights) + 0.3, sharey="row", height_ratios=heights
    )
    for line, (endpoint, names) in zip(grid, rows.items(), strict=True):
        for axes, reading in zip(line, readings, strict=True):
            drawing.heading(axes, f"/{endpoint}, {READINGS[reading]}")
            own = [row for row in costs if (row.endpoint, row.measure) == (endpoint, reading)]
            _panel(axes, own, names, summary.targets)
        labels = {target.id: target.label for target in summary.targets}
        drawing.name_rows(line[0], [labels[name] for name in names])
    for axes in grid[-1]:
        axes.set_xlabel("\u00b5s a request")
    return figure


def _panel(axes: Axes, rows: Sequence[FrameworkCost], names: Sequence[str], targets: Sequence[TargetSummary]) -> None:
    if not rows:
        axes.text(0.02, 0.5, "not measured", transform=axes.transAxes, va="center", fontsize=8.5)
        axes.set_xticks([])
        return
    known = {target.id: target for target in targets}
    for row in rows:
        place, target = names.index(row.target), known[row.target]
        colour = drawing.colour(target, targets)
        axes.plot(row.ci95, [place, place], color=colour, linewidth=1.6)
        (point,) = axes.plot(row.mean, place, drawing.marker(target), color=colour, markersize=5)
        ends = " to ".join(map(wording.whole, row.ci95))
        drawing.mark(point, f"{target.label}, /{row.endpoint}: {wording.whole(row.mean)} \u00b5s ({ends})")
        drawing.beside(axes, wording.whole(row.mean), (max(row.ci95), place))
    axes.axvline(0, color=drawing.INK, linewidth=0.8)
    axes.margins(x=0.12)
    # Two blocks can have an interval without bounds; it leaves the panel, and the means stay readable.
    low, high = axes.get_xlim()
    widest = REACH * max(abs(row.mean) for row in rows)
    if max(-low, high) > widest > 0:
        axes.set_xlim(max(low, -widest), min(high, widest))
    drawing.plain_numbers(axes.xaxis)
    axes.grid(axis="x")
