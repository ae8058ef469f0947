"""The same open-loop requests both ways: response time from when each was due, service time from when it was sent."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.run_folder import Run
from loadtests.quantiles import PERCENTILES
from reports import drawing, latencies, wording
from reports.latencies import Latencies
from reports.summary import Summary
from reports.summary.load_rows import ResultRow

TITLE = "The same requests both ways"
NOTE = (
    "Open loops only, of the target whose two readings lie furthest apart. Response time runs from when a request was "
    "due to its answer; service time, grey, from when it was sent, as a tool shows it that measures from the send. "
    "Where grey lies below, requests waited to be sent, and that tool leaves their wait out (coordinated omission)."
)
ROW_IN = 2.6
COLUMNS = 3
TOLD = ("p50", "p90", "p99")


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Both 99th percentiles, or medians where those need more samples, of every open-loop cell, in words."""
    said = []
    for row in _rows(summary):
        name = "p99" if row.response_ms.p99 and row.latency_ms.p99 else "p50"
        both = [found for kind in (row.response_ms, row.latency_ms) if (found := kind.at(name))]
        if len(both) == 2:
            response, service = (wording.number(entry.median) for entry in both)
            said.append(f"{row.target} in {row.scenario}, {name}: response {response} ms, service {service} ms")
    return f"Response and service time of the same requests. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:
    """The figure, a panel a scenario and a server and mode; None where nothing was measured on a schedule."""
    worst = _worst(summary)
    if worst is None:
        return None
    rows = [row for row in _rows(summary) if row.target == worst]
    both = [(row, latencies.pooled(run, worst, row.scenario)) for row in rows]
    both = [(row, one) for row, one in both if one.service_ns.size > 2 * drawing.LEAST_BEYOND]
    if not both:
        return None
    down = -(-len(both) // COLUMNS)
    figure, grid = drawing.figure(down, min(COLUMNS, len(both)), height_in=ROW_IN * down + 0.3)
    places = [axes for line in grid for axes in line]
    target = summary.target_by_id[worst]
    for axes, (row, one) in zip(places, both, strict=False):
        _panel(axes, one, drawing.colour(target, summary.targets))
        drawing.heading(axes, f"{wording.brief(target)}, /{row.endpoint}, {row.load}")
    for axes in places[len(both) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("share of requests answered within")
    return figure


def _worst(summary: Summary) -> str | None:
    """The target whose response and service times lie furthest apart, by the factor at the furthest percentile told."""
    apart: dict[str, float] = {}
    first = {target.id for target in summary.first_targets}
    for row in (one for one in _rows(summary) if one.target in first):
        told = [name for name in row.response_ms.told if name in row.latency_ms.told]
        if told:
            response, service = (kind.told[told[-1]].median for kind in (row.response_ms, row.latency_ms))
            apart[row.target] = max(apart.get(row.target, 0.0), response / service)
    return max(apart, key=lambda name: apart[name], default=None)


def _panel(axes: Axes, found: Latencies, colour: str) -> None:
    furthest = drawing.last_quantile(found.response_ns.size)
    ends = []
    for samples, name, paint, width in (
        (found.service_ns, "service time", drawing.QUIET, 3.0),
        (found.response_ns, "response time", colour, 1.4),
    ):
        places, values = drawing.quantile_curve(samples)
        axes.plot(places, values, color=paint, linewidth=width)
        ends.append((math.log10(values[-1]), name, paint))
        for percentile in TOLD:
            at = drawing.quantile_place(PERCENTILES[percentile])
            if at <= places[-1]:
                height = float(np.interp(at, places, values))
                (point,) = axes.plot(at, height, "o", color=paint, markersize=3.6)
                drawing.mark(point, f"{name}, {percentile}: {wording.number(height)} ms")
    drawing.quantile_scale(axes, furthest)
    axes.set_yscale("log")
    drawing.milliseconds(axes.yaxis)
    axes.set_ylabel("ms")
    axes.grid()
    drawing.end_labels(axes, ends, drawing.quantile_place(furthest))


def _rows(summary: Summary) -> list[ResultRow]:
    """The open-loop cells in the usual encoding."""
    return [row for row in summary.results if row.arrival != "closed" and row.valid and not row.variant]
