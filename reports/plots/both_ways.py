"""The same open-loop requests both ways: response time from when each was due, service time from when it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reports import drawing, samples, wording
from reports.records import Run, Scenario
from reports.samples import Nanoseconds

TITLE = "The same requests both ways"
NOTE = (
    "Open loops only: requests are due on a schedule that waits for nobody. Full line: response time, from due to "
    "answered. Broken line: service time of the same requests, from sent to answered, as a tool shows it that measures "
    "from the send. Where the broken line lies below, requests waited to be sent, and that tool leaves their wait out "
    "(coordinated omission). Quantiles of all blocks together, as far as the samples carry them."
)
ROW_IN = 2.6
LEAST_BEYOND = 10
"""A quantile is drawn while so many samples lie beyond it."""
TICKS = {0.5: "50 %", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %"}

Pair = tuple[Nanoseconds, Nanoseconds]


def ALT(summary: Mapping[str, Any]) -> str:  # noqa: N802 - the name that every plot has
    """Both 99th percentiles, or medians where those need more samples, of every open-loop cell, in words."""
    said = []
    for row in _rows(summary):
        name = "p99" if row["response_ms"]["p99"] and row["latency_ms"]["p99"] else "p50"
        both = [row[kind][name] for kind in ("response_ms", "latency_ms")]
        if all(both):
            response, service = (wording.number(entry["median"]) for entry in both)
            said.append(f"{row['target']} in {row['scenario']}, {name}: response {response} ms, service {service} ms")
    return f"Response and service time of the same requests. {'; '.join(said)}."


def draw(summary: Mapping[str, Any], run: Run) -> Figure | None:
    """The figure; None where nothing was measured on a schedule."""
    shown = {row["scenario"] for row in _rows(summary)}
    scenarios = [scenario for scenario in run.scenarios if scenario.id in shown]
    cells = {scenario.id: _samples(summary, run, scenario) for scenario in scenarios}
    scenarios = [scenario for scenario in scenarios if cells[scenario.id]]
    if not scenarios:
        return None
    figure, grid = drawing.figure(len(scenarios), 1, height_in=ROW_IN * len(scenarios) + 0.3)
    for (axes,), scenario in zip(grid, scenarios, strict=True):
        furthest = 0.5
        for target, (service, response) in cells[scenario.id].items():
            found = next(one for one in summary["targets"] if one["id"] == target)
            colour = drawing.colour(found, summary["targets"])
            last = 1 - LEAST_BEYOND / response.size
            furthest = max(furthest, last)
            at = 1 - np.geomspace(0.5, 1 - last, 60)
            ranks = np.minimum(response.size - 1, (at * response.size).astype(np.int64))
            label = found["label"]
            axes.plot(1 / (1 - at), response[ranks] / 1e6, color=colour, linewidth=1.4, label=label)
            axes.plot(1 / (1 - at), service[ranks] / 1e6, color=colour, linewidth=1.1, linestyle="--")
        axes.set_xscale("log")
        axes.set_yscale("log")
        kept = {quantile: text for quantile, text in TICKS.items() if quantile <= furthest}
        axes.set_xticks([1 / (1 - quantile) for quantile in kept], list(kept.values()), minor=False)
        axes.set_xticks([], minor=True)
        drawing.plain_numbers(axes.yaxis)
        axes.set_ylabel("ms")
        axes.grid()
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        load = wording.load(scenario.arrival, scenario.users, scenario.rates_rps)
        drawing.heading(axes, f"/{scenario.endpoint}, {load}")
    grid[-1][0].set_xlabel("share of requests answered within")
    return figure


def _rows(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The open-loop cells in the usual encoding."""
    return [row for row in summary["results"] if row["arrival"] != "closed" and row["valid"] and not row["variant"]]


def _samples(summary: Mapping[str, Any], run: Run, scenario: Scenario) -> dict[str, Pair]:
    """Service and response times of every target's usable trials, each sorted; a twin is left out."""
    first = {target["id"] for target in summary["targets"] if not target["twin_of"]}
    found: dict[str, list[samples.Latencies]] = {}
    for trial in run.trials:
        if trial.scenario == scenario.id and trial.target in first and trial.samples and trial.unusable() is None:
            try:
                found.setdefault(trial.target, []).append(samples.read(run.folder / trial.samples))
            except samples.SamplesError:
                # The cell's notes name the file; what is left of the others is still the target's.
                continue
    pairs = {
        target: (
            np.sort(np.concatenate([one.service_ns for one in parts])),
            np.sort(np.concatenate([one.response_ns for one in parts])),
        )
        for target, parts in found.items()
    }
    return {target: pair for target, pair in pairs.items() if pair[0].size > 2 * LEAST_BEYOND}
