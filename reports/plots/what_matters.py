"""The share of what differs between targets that each choice explains."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.ladder_words import METRIC_WORDS
from reports.summary import Summary

TITLE = "What matters most"
NOTE = (
    "Share of the variation between this run\u2019s targets under equal load that each choice explains by itself "
    "(Shapley values of the explained variance of the logarithm), with 95 % intervals over blocks. It tells of the "
    "values that were measured here: a choice that was not varied has no share."
)
ROW_IN = 0.28


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every share, in words."""
    said = [
        f"{METRIC_WORDS[row.metric]}: "
        + ", ".join(f"{one.choice} {wording.percent(one.share)} %" for one in row.shares)
        + f", unexplained {wording.percent(row.unexplained)} %"
        for row in summary.what_matters
    ]
    return f"Share of the variation explained by each choice. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure, a panel a metric; None where fewer than two choices vary."""
    rows = summary.what_matters
    if not rows:
        return None
    most = max(len(row.shares) for row in rows) + 1
    figure, grid = drawing.figure(1, len(rows), height_in=ROW_IN * most + 0.9)
    for axes, row in zip(grid[0], rows, strict=True):
        drawing.heading(axes, METRIC_WORDS[row.metric])
        for place, one in enumerate(row.shares):
            bars = axes.barh(place, 100 * one.share, color=drawing.SPARE[0], height=0.6)
            ends = " to ".join(map(wording.percent, one.ci95))
            drawing.mark(bars[0], f"{one.choice}: {wording.percent(one.share)} % ({ends})")
            axes.plot([100 * end for end in one.ci95], [place, place], color=drawing.INK, linewidth=1.4)
        last = len(row.shares)
        axes.barh(last, 100 * max(0.0, row.unexplained), color=drawing.QUIET, height=0.6)
        axes.set_yticks(range(last + 1), [*(one.choice for one in row.shares), "unexplained"])
        axes.set_ylim(last + 0.6, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the variation")
        axes.grid(axis="x")
    return figure
