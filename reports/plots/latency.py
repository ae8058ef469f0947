"""Latency percentiles: p50, p90 and p99 of every target, at the most users of each endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from experiment.progress import plural
from experiment.run_folder import Run
from reports import drawing, wording
from reports.headline_rows import usual
from reports.summary import Summary
from reports.summary.load_rows import ResultRow
from reports.summary.measures import Median
from reports.tables import endpoints

TITLE = "Latency percentiles"
NOTE = (
    "Service time, from sent to answered. Full dot: p50 with its 95 % interval; ring: p90; bar: p99. "
    "A percentile without enough samples is not drawn."
)
ROW_IN = 0.27


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """The median latencies at the busiest scenario of every endpoint, in words."""
    said = []
    for endpoint, users in _busiest(summary).items():
        medians = [
            f"{row.target} {wording.number(median.median)} ms"
            for row in usual(summary.results)
            if (row.endpoint, row.users) == (endpoint, users) and (median := row.latency_ms.p50)
        ]
        said.append(f"/{endpoint} with {users} users, medians: {', '.join(medians)}")
    return f"Service time percentiles. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where no latency was measured."""
    busiest = _busiest(summary)
    rows = [row for row in usual(summary.results) if row.latency_ms.p50]
    targets = [
        target for target in summary.targets if not target.twin_of and any(row.target == target.id for row in rows)
    ]
    columns = [name for name in endpoints(summary) if name in busiest]
    if not targets or not columns:
        return None
    figure, grid = drawing.figure(1, len(columns), height_in=ROW_IN * len(targets) + 0.95, sharey=True)
    for axes, endpoint in zip(grid[0], columns, strict=True):
        for place, target in enumerate(targets):
            for row in rows:
                if (row.target, row.endpoint, row.users) == (target.id, endpoint, busiest[endpoint]):
                    _line(axes, place, row.latency_ms.told, drawing.colour(target, summary.targets))
        drawing.heading(axes, f"/{endpoint}, {plural(busiest[endpoint], 'user')}")
        axes.set_xscale("log")
        axes.set_xlim(*_reach(rows, endpoint, busiest[endpoint]))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        drawing.plain_numbers(axes.xaxis)
        axes.set_xlabel("ms")
        axes.grid(axis="x")
    drawing.name_rows(grid[0][0], [target.label for target in targets])
    return figure


def _busiest(summary: Summary) -> dict[str, int]:
    """The most users at which each endpoint has a median."""
    found: dict[str, int] = {}
    for row in usual(summary.results):
        if row.latency_ms.p50:
            found[row.endpoint] = max(found.get(row.endpoint, 0), row.users)
    return found


def _reach(rows: Sequence[ResultRow], endpoint: str, users: int) -> tuple[float, float]:
    """Where the panel ends: at its intervals, but at most a factor of two beyond its percentiles."""
    cells = [row.latency_ms.told for row in rows if (row.endpoint, row.users) == (endpoint, users)]
    known = [entry for cell in cells for name, entry in cell.items() if name != "p999"]
    middles = [entry.median for entry in known]
    ends = [end for cell in cells for end in cell["p50"].ci95 or ()] + middles
    return max(min(ends), min(middles) / 2) * 0.93, min(max(ends), max(middles) * 2) * 1.07


def _line(axes: Axes, place: int, latencies: Mapping[str, Median], colour: str) -> None:
    known = [latencies[name].median for name in ("p50", "p90", "p99") if name in latencies]
    axes.plot([known[0], known[-1]], [place, place], color=colour, linewidth=1, alpha=0.55)
    median = latencies["p50"]
    if median.ci95:
        axes.plot(median.ci95, [place, place], color=colour, linewidth=4, alpha=0.4, solid_capstyle="butt")
    axes.plot(median.median, place, "o", color=colour, markersize=5)
    if "p90" in latencies:
        axes.plot(latencies["p90"].median, place, "o", markerfacecolor="none", color=colour, markersize=4.5)
    if "p99" in latencies:
        axes.plot(latencies["p99"].median, place, "|", color=colour, markersize=8, markeredgewidth=1.4)
