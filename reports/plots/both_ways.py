"""The same open-loop requests both ways: response time from when each was due, service time from when it was sent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord
from reports import drawing, latencies, wording
from reports.latencies import Latencies
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import ResultRow

TITLE = "The same requests both ways"
NOTE = (
    "Open loops only: requests are due on a schedule that waits for nobody. Full line: response time, from due to "
    "answered. Broken line: service time of the same requests, from sent to answered, as a tool shows it that measures "
    "from the send. Where the broken line lies below, requests waited to be sent, and that tool leaves their wait out "
    "(coordinated omission). Quantiles of all blocks together, as far as the samples carry them."
)
ROW_IN = 2.6
COLUMNS = 2


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
    shown = {row.scenario for row in _rows(summary)}
    panels: list[tuple[str, dict[str, Latencies]]] = []
    for scenario in (one for one in run.scenarios if one.id in shown):
        found = _samples(summary, run, scenario)
        load = wording.load(scenario.arrival, scenario.users, scenario.rates_rps)
        known = [target for target in summary.targets if target.id in found]
        for group in dict.fromkeys(wording.conditions("framework", target) for target in known):
            members = [one.id for one in known if wording.conditions("framework", one) == group]
            where = ", ".join(part for part in (f"/{scenario.endpoint}", load, group) if part)
            panels.append((where, {name: found[name] for name in members}))
    if not panels:
        return None
    rows = -(-len(panels) // COLUMNS)
    figure, grid = drawing.figure(rows, min(COLUMNS, len(panels)), height_in=ROW_IN * rows + 0.3)
    places = [axes for line in grid for axes in line]
    for axes, (where, pairs) in zip(places, panels, strict=False):
        _panel(axes, pairs, summary.targets)
        drawing.heading(axes, where)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("share of requests answered within")
    return figure


def _panel(axes: Axes, pairs: Mapping[str, Latencies], targets: Sequence[TargetSummary]) -> None:
    furthest = 0.5
    ends: list[tuple[float, str, str]] = []
    for target in (one for one in targets if one.id in pairs):
        service, response = pairs[target.id].service_ns, pairs[target.id].response_ns
        colour = drawing.colour(target, targets)
        furthest = max(furthest, drawing.last_quantile(response.size))
        places, waited_ms = drawing.quantile_curve(response)
        axes.plot(places, waited_ms, color=colour, linewidth=1.4)
        axes.plot(*drawing.quantile_curve(service), color=colour, linewidth=1.1, linestyle="--")
        ends.append((math.log10(waited_ms[-1]), target.framework or target.id, colour))
    drawing.quantile_scale(axes, furthest)
    axes.set_yscale("log")
    drawing.milliseconds(axes.yaxis)
    axes.set_ylabel("ms")
    axes.grid()
    drawing.end_labels(axes, ends, drawing.quantile_place(furthest))


def _rows(summary: Summary) -> list[ResultRow]:
    """The open-loop cells in the usual encoding."""
    return [row for row in summary.results if row.arrival != "closed" and row.valid and not row.variant]


def _samples(summary: Summary, run: Run, scenario: ScenarioRecord) -> dict[str, Latencies]:
    """The latencies of every target's usable trials, where a curve has room; a twin is left out."""
    found = {one.id: latencies.pooled(run, one.id, scenario.id) for one in summary.first_targets}
    return {name: one for name, one in found.items() if one.service_ns.size > 2 * drawing.LEAST_BEYOND}
