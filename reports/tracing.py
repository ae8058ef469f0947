"""Where each figure comes from: the numbers of the journal's lines, from 1, in every row of a summary as `lines`.

A figure is traced by its place (target, scenario, block), as a reader would do it by hand with the journal open. A
test works out figures from the lines alone and holds the report to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from experiment.run_folder import Run
from reports.comparisons import BLOCK_FIGURE, NOISE_AXIS
from reports.summary import Summary
from reports.summary.load_rows import BreakEven, CapacityRow, ComparisonRow, EncodingRow, FrameworkCost, ResultRow

COST_FIGURE = {"latency_us": "p50_ms", "cpu_us": "cpu_ms_per_request"}

Blocks = Mapping[int, int]
"""A line by the block that it is about."""


def with_lines(summary: Summary, run: Run) -> Summary:
    """The summary with `lines` in every row that comes from trials."""
    trace = _Trace(summary, run)
    compared = [replace(row, lines=trace.comparison(row)) for row in summary.comparisons]
    framework_costs = [replace(row, lines=trace.framework_cost(row)) for row in summary.framework_costs]
    noise = (row.lines for row in compared if row.axis == NOISE_AXIS and row.ratio is not None)
    return replace(
        summary,
        results=[trace.result(row) for row in summary.results],
        comparisons=compared,
        framework_costs=framework_costs,
        break_evens=[replace(row, lines=_break_even(row, framework_costs)) for row in summary.break_evens],
        encodings=[replace(row, lines=trace.encoding(row, summary.results)) for row in summary.encodings],
        costs=[
            replace(row, lines=sorted(trace.blocks(row.target, row.scenario, "cpu_ms_per_request").values()))
            for row in summary.costs
        ],
        noise_floor=replace(summary.noise_floor, lines=_joined(noise)),
        capacity=[replace(row, lines=trace.capacity(row)) for row in summary.capacity],
    )


class _Trace:
    """A run's lines by place."""

    def __init__(self, summary: Summary, run: Run) -> None:
        self._run = run
        self._cells = {(row.target, row.scenario): row for row in summary.results}
        self._lines = {(one.block, one.target, one.scenario): run.line_of(one) for one in run.trials}

    def blocks(self, target: str, scenario: str, figure: str) -> Blocks:
        """The lines of those blocks of a cell that have the figure."""
        cell = self._cells.get((target, scenario))
        told = cell.by_block(figure) if cell else ()
        return {block: self._lines[block, target, scenario] for block in told}

    def result(self, row: ResultRow) -> ResultRow:
        own = self._run.trials_of(row.target, row.scenario)
        return replace(
            row,
            lines=sorted(self._run.line_of(one) for one in own if one.unusable() is None),
            left_out_lines=sorted(self._run.line_of(one) for one in own if one.unusable() is not None),
        )

    def comparison(self, row: ComparisonRow) -> list[int]:
        """The lines of those blocks that both sides have; where there are none, those that tell why."""
        pair = (row.baseline, row.candidate)
        both = _paired(*(self.blocks(side, row.scenario, BLOCK_FIGURE[row.metric]) for side in pair))
        if both:
            return both
        trials = [self._run.line_of(one) for side in set(pair) for one in self._run.trials_of(side, row.scenario)]
        return sorted(trials + [self._run.line_of(one) for one in self._run.refusals if one.target in pair])

    def framework_cost(self, row: FrameworkCost) -> list[int]:
        figure = COST_FIGURE[row.measure]
        return _paired(*(self.blocks(side, row.scenario, figure) for side in (row.target, row.floor)))

    def encoding(self, row: EncodingRow, results: Iterable[ResultRow]) -> list[int]:
        scenarios = [
            one.scenario
            for one in results
            if (one.target, one.endpoint, one.load) == (row.target, row.endpoint, row.load)
            and one.variant in (None, row.encoding)
        ]
        return _joined(self.blocks(row.target, one, "throughput_rps").values() for one in scenarios)

    def capacity(self, row: CapacityRow) -> list[int]:
        place = (row.target, row.endpoint)
        return sorted(self._run.line_of(one) for one in self._run.capacities if (one.target, one.endpoint) == place)


def _break_even(row: BreakEven, costs: Iterable[FrameworkCost]) -> list[int]:
    return _joined(
        cost.lines
        for cost in costs
        if (cost.measure, cost.endpoint) == ("latency_us", row.endpoint) and cost.target in (row.slow, row.fast)
    )


def _paired(first: Blocks, second: Blocks) -> list[int]:
    """The lines of those blocks that both sides have."""
    both = first.keys() & second.keys()
    return sorted([*(first[block] for block in both), *(second[block] for block in both)])


def _joined(parts: Iterable[Iterable[int]]) -> list[int]:
    return sorted({line for part in parts for line in part})
