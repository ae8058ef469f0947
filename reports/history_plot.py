"""A history as one plot: a panel a scenario, a line a target, against its first run; steps are ringed and labelled."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiment.progress import plural
from reports import drawing, wording
from reports.comparisons import LATENCIES
from reports.runs_compared import History, Series, SeriesRun

TITLE = "Runs over time"
ROW_IN = 2.5
# Names of runs that stand side by side without touching.
MOST_NAMED = 8


def alt(found: History) -> str:
    """Every step, in words."""
    runs = [run.run_id for run in found.runs]
    said = [
        f"{row.target} in {row.scenario}: {wording.change(step.ratio)} from {runs[step.run]} on"
        for row in found.series
        for step in row.steps
    ]
    return f"{plural(len(found.runs), 'run')}. {'; '.join(said) or 'No step was told'}."


def draw(found: History) -> Figure | None:
    """The figure, drawn inside `drawing.style()`; None where no cell has a figure in two runs."""
    series = [row for row in found.series if len(row.points) > 1]
    scenarios = list(dict.fromkeys(row.scenario for row in series))
    if not scenarios:
        return None
    figure, grid = drawing.figure(len(scenarios), 1, height_in=ROW_IN * len(scenarios) + 0.3)
    for (axes,), scenario in zip(grid, scenarios, strict=True):
        rows = [row for row in series if row.scenario == scenario]
        _panel(axes, rows, found)
        drawing.heading(axes, f"{scenario}: {'response time' if rows[0].metric in LATENCIES else 'throughput'}")
    return figure


def _panel(axes: Axes, rows: list[Series], found: History) -> None:
    targets = {target.id: target for target in found.targets}
    ends = []
    heights = [1.0]
    for row in rows:
        target = targets[row.target]
        colour = drawing.colour(target, found.targets)
        runs = [point.run for point in row.points]
        first = row.points[0].figure
        level = [point.figure / first for point in row.points]
        spans = [[end / first for end in point.ci95] for point in row.points]
        heights += level
        axes.vlines(runs, [low for low, _ in spans], [high for _, high in spans], color=colour, linewidth=0.9)
        style = "-" if target.mode in (None, "function") else "--"
        axes.plot(runs, level, style, color=colour, linewidth=1.4, marker=drawing.marker(target), markersize=3.2)
        for step in row.steps:
            place = (step.run, level[runs.index(step.run)])
            axes.plot(*place, "o", markersize=11, markerfacecolor="none", markeredgecolor=drawing.INK)
            axes.annotate(
                wording.change(step.ratio), place, xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8
            )
        ends.append((level[-1], target.label, colour))
    _scale(axes, heights, found)
    span = axes.get_ylim()
    last = len(found.runs) - 1
    for height, (_, name, colour) in zip(
        drawing.spread([end for end, _, _ in ends], (span[1] - span[0]) * 0.085), ends, strict=True
    ):
        drawing.beside(axes, name, (last, height), gap_pt=9, color=colour)


def _scale(axes: Axes, heights: list[float], found: History) -> None:
    """Room for a tenth at least either way, so that noise does not look like news; runs named where they have room."""
    low, high = min(*heights, 0.9), max(*heights, 1.1)
    axes.set_ylim(low - 0.06 * (high - low), high + 0.12 * (high - low))
    last = len(found.runs) - 1
    axes.set_xlim(-0.3, last * 1.22 + 0.3)
    every = -(-len(found.runs) // MOST_NAMED)
    named = range(0, last + 1, every)
    axes.set_xticks(named, [_name(found.runs[index]) for index in named])
    axes.xaxis.set_minor_locator(NullLocator())
    drawing.plain_numbers(axes.yaxis)
    axes.axhline(1, color=drawing.QUIET, linewidth=0.6)
    axes.set_ylabel("against the first run")
    axes.grid(axis="y")


def _name(run: SeriesRun) -> str:
    """The day, and the commit where it is known."""
    day = str(run.started_utc)[:10]
    return f"{day}\n{run.commit[:7]}" if run.commit else day
