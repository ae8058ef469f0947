"""Where each figure comes from: the numbers of the journal's lines, from 1, added to every row of a summary as `lines`.

A figure is traced by its place (target, scenario, block), as a reader would do it by hand with the journal open. A
test works out figures from the lines alone and holds the report to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from experiment.records import Run
from reports.comparisons import BLOCK_FIGURE

COST_FIGURE = {"latency_us": "p50_ms", "cpu_us": "cpu_ms_per_request"}
RUN_LINE = 1
"""The line of the run record: targets, scenarios, settings, environment, command."""

Row = dict[str, Any]
Blocks = Mapping[int, int]
"""A line by the block that it is about."""


def add_lines(summary: Row, run: Run) -> None:
    """Add `lines` to every row that holds a figure, in place."""
    cells = {(row["target"], row["scenario"]): row for row in summary["results"]}
    lines = {(one.block, one.target, one.scenario): one.line for one in run.trials}

    def of(target: str, scenario: str, figure: str) -> Blocks:
        cell = cells.get((target, scenario))
        told = cell["blocks"] if cell else ()
        return {one["block"]: lines[one["block"], target, scenario] for one in told if one[figure] is not None}

    for row in summary["results"]:
        own = run.trials_of(row["target"], row["scenario"])
        row["lines"] = sorted(one.line for one in own if one.unusable() is None)
        row["left_out_lines"] = sorted(one.line for one in own if one.unusable() is not None)
    for row in summary["comparisons"]:
        sides = [of(row[side], row["scenario"], BLOCK_FIGURE[row["metric"]]) for side in ("baseline", "candidate")]
        row["lines"] = _paired(*sides) or _reasons(run, (row["baseline"], row["candidate"]), row["scenario"])
    for row in summary["framework_costs"]:
        figure = COST_FIGURE[row["measure"]]
        row["lines"] = _paired(*(of(row[side], row["scenario"], figure) for side in ("target", "floor")))
    for row in summary["break_evens"]:
        sides_of = (row["slow"], row["fast"])
        row["lines"] = _joined(
            cost["lines"]
            for cost in summary["framework_costs"]
            if (cost["measure"], cost["endpoint"]) == ("latency_us", row["endpoint"]) and cost["target"] in sides_of
        )
    for row in summary["encodings"]:
        scenarios = [
            one["scenario"]
            for one in summary["results"]
            if (one["target"], one["endpoint"], one["load"]) == (row["target"], row["endpoint"], row["load"])
            and one["variant"] in (None, row["encoding"])
        ]
        row["lines"] = _joined(of(row["target"], one, "throughput_rps").values() for one in scenarios)
    for row in summary["costs"]:
        row["lines"] = sorted(of(row["target"], row["scenario"], "cpu_ms_per_request").values())
    summary["noise_floor"]["lines"] = _joined(
        row["lines"] for row in summary["comparisons"] if row["axis"] == "noise" and row["ratio"] is not None
    )
    _add_records(summary, run)


def _add_records(summary: Row, run: Run) -> None:
    """The lines of what is told as it was recorded: one kind of record, one table."""
    for row in summary["conformance"]:
        row["lines"] = sorted(one.line for one in run.gates if one.target == row["target"])
    for row, parity in zip(summary["answers_alike"], run.parities, strict=True):
        row["lines"] = [parity.line]
    for row in summary["startup"]:
        row["lines"] = sorted(one.line for one in run.launches if one.target == row["target"])
    for row in summary["refused"]:
        row["lines"] = sorted(one.line for one in run.refusals if one.target == row["target"])
    for row in summary["capacity"]:
        place = (row["target"], row["endpoint"])
        row["lines"] = sorted(one.line for one in run.capacities if (one.target, one.endpoint) == place)
    summary["audit"]["lines"] = sorted(one.line for one in run.trials)


def _paired(first: Blocks, second: Blocks) -> list[int]:
    """The lines of those blocks that both sides have."""
    both = first.keys() & second.keys()
    return sorted([*(first[block] for block in both), *(second[block] for block in both)])


def _reasons(run: Run, pair: tuple[str, str], scenario: str) -> list[int]:
    """Where there is no ratio: the lines that tell why, trials and refusals of the two."""
    trials = [one.line for target in set(pair) for one in run.trials_of(target, scenario)]
    return sorted(trials + [one.line for one in run.refusals if one.target in pair])


def _joined(parts: Iterable[Iterable[int]]) -> list[int]:
    return sorted({line for part in parts for line in part})
