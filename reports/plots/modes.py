"""Eager against function, and every other pair of execution modes: requests per second before and after."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiment.progress import plural
from experiment.run_folder import Run
from reports import drawing, tables, wording
from reports.headline_rows import busiest
from reports.summary import Summary
from reports.summary.load_rows import ComparisonRow

TITLE = "Execution mode"
NOTE = "Requests per second at the most users. Ring: the baseline; full dot: the candidate, with the ratio."
ROW_IN = 0.3


def _rows(summary: Summary) -> list[ComparisonRow]:
    """The decided or open mode comparisons at the most users of each endpoint."""
    rows = [row for row in summary.comparisons if row.axis == "mode" and row.metric == "throughput"]
    pairs = dict.fromkeys((row.baseline, row.candidate) for row in rows)
    return [row for pair in pairs for row in busiest(rows, pair) if row.ratio is not None]


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every ratio, in words."""
    said = [
        f"{row.candidate} against {row.baseline} on /{row.endpoint}: {tables.change(row)}, {row.verdict}"
        for row in _rows(summary)
    ]
    return f"Throughput of one execution mode against another. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where no two modes were compared."""
    rows = _rows(summary)
    if not rows:
        return None
    targets = summary.target_by_id
    rates = {(row.target, row.scenario): row.throughput_rps.median for row in summary.results if row.throughput_rps}
    pairs = list(dict.fromkeys((row.baseline, row.candidate) for row in rows))
    columns = [name for name in tables.endpoints(summary) if any(row.endpoint == name for row in rows)]
    figure, grid = drawing.figure(1, len(columns), height_in=ROW_IN * len(pairs) + 1.05, sharey=True)
    for axes, endpoint in zip(grid[0], columns, strict=True):
        for row in (row for row in rows if row.endpoint == endpoint):
            place = pairs.index((row.baseline, row.candidate))
            ends = [rates[side, row.scenario] for side in (row.baseline, row.candidate)]
            colour = drawing.colour(targets[row.candidate], summary.targets)
            axes.plot(ends, [place, place], color=colour, linewidth=1.4, alpha=0.6)
            for side, end, fill in zip((row.baseline, row.candidate), ends, ("none", colour), strict=True):
                (point,) = axes.plot(end, place, "o", color=colour, markerfacecolor=fill, markersize=5.5)
                drawing.mark(point, f"{targets[side].label}, /{endpoint}: {wording.number(end)} requests/s")
            drawing.beside(axes, tables.change(row), (max(ends), place), gap_pt=7, fontsize=8.5)
        users = max(row.users for row in rows if row.endpoint == endpoint)
        drawing.heading(axes, f"/{endpoint}, {plural(users, 'user')}")
        axes.margins(x=0.16)
        axes.set_xlim(left=0)
        axes.set_xlabel("requests/s")
        axes.grid(axis="x")
    parts = wording.varying(summary.targets)
    names = [wording.fraction("mode", targets[pair[0]], targets[pair[1]], parts) for pair in pairs]
    drawing.name_rows(grid[0][0], names)
    return figure
