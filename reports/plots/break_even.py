"""From which model time on the choice of framework is moot, and where this model lies."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.ladder_summary import SHARES, change_at
from reports.ladder_words import usual
from reports.summary import Summary
from reports.summary.ladder_rows import ModelBreakEven

TITLE = "From which model on the framework is moot"
NOTE = (
    "By how much Flask instead of Bottle changes a request, over the time that the model takes; each line is "
    "an endpoint, its dot the model served here with the interval of its change. Level lines: 10, 5 and 1 %."
)
# Endpoints are no targets, and have none of their colours.
COLOURS = drawing.SPARE
LEAST = 1e-4


def _rows(summary: Summary) -> list[ModelBreakEven]:
    rows = usual(summary.ladder.break_evens) if summary.ladder else []
    return [row for row in rows if row.difference_us.value > 0]


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every endpoint's line, in words."""
    said = [
        f"/{row.endpoint}: {wording.signed_change(1 + row.change.value)} at a model of "
        f"{wording.number(row.model_us.value)} microseconds"
        for row in _rows(summary)
    ]
    return f"Change of the request's time, Flask instead of Bottle, over the model's time. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where Flask and Bottle were not both climbed, or Flask is nowhere the slower one."""
    rows = _rows(summary)
    if not rows:
        return None
    figure, grid = drawing.figure(1, 1, height_in=3.2)
    axes = grid[0][0]
    most = max(row.difference_us.value for row in rows) / min(SHARES) * 2
    models_us = np.geomspace(10.0, max(most, 20.0), 200)
    for row, colour in zip(rows, COLOURS, strict=False):
        changes = [max(LEAST, change_at(row, float(model))) for model in models_us]
        axes.plot(models_us / 1e3, np.array(changes) * 100, color=colour, linewidth=1.4)
        own_ms = row.model_us.value / 1e3
        ends = [max(LEAST, end) * 100 for end in row.change.ci95]
        axes.plot([own_ms, own_ms], ends, color=colour, linewidth=2.2)
        (point,) = axes.plot(own_ms, max(LEAST, row.change.value) * 100, "o", color=colour, markersize=6)
        change = wording.signed_change(1 + row.change.value)
        drawing.mark(point, f"/{row.endpoint}: {change} at a model of {wording.number(own_ms)} ms")
    for share in SHARES:
        axes.axhline(share * 100, color=drawing.QUIET, linewidth=1.2)
        drawing.beside(axes, f"{wording.percent(share)} %", (1, share * 100), xycoords=("axes fraction", "data"))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=min(SHARES) * 100 / 3)
    drawing.plain_numbers(axes.xaxis)
    drawing.plain_numbers(axes.yaxis)
    for number, row in enumerate(rows[: len(COLOURS)]):
        at = (row.model_us.value / 1e3, max(LEAST, row.change.value) * 100)
        axes.annotate(f"/{row.endpoint}", at, xytext=(7, 4 + 11 * number), textcoords="offset points", fontsize=8.5)
    axes.set_xlabel("time of the model alone, ms")
    axes.set_ylabel("change of the request, %")
    axes.grid(axis="both")
    return figure
