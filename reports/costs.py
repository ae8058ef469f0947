"""What it costs: a framework over the floor, in microseconds a request, and a million predictions, in core hours.

The floor is bare WSGI on the same server. Two readings of the same thing. `latency_us`: how much longer one user waits,
from the blocks' median service times. `cpu_us`: how much more CPU time the server burns, at the most users measured.
Both are differences inside a block, with the 95 % interval of their mean over blocks.

Of a million predictions the CPU time of the server's processes under load is counted, as the operating system books it
to them, at the most users measured on an endpoint in its usual encoding, where a request is one prediction. Not
counted: cores that idle for the next peak, memory, network, the kernel's work that is booked to no process, start-up.
So it is what a fully used core costs, and the least that can be paid.
"""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Sequence

from experiment.journal_records import varied_of
from reports import statistics
from reports.cells import over_blocks
from reports.headline_rows import busiest_cells, usual
from reports.summary import TargetSummary
from reports.summary.load_rows import BreakEven, CostRow, FrameworkCost, ResultRow
from reports.summary.measures import Median
from reports.verdicts import LEAST_MARGIN

FLOOR = "wsgi"
US_PER_MS = 1000.0
PREDICTIONS = 1_000_000
THOUSAND = 1000.0
MS_PER_HOUR = 3_600_000.0
LEFT_OUT = "idle cores kept for a peak, memory, network, start-up, kernel time charged to no process"


def framework_costs(targets: Sequence[TargetSummary], results: Sequence[ResultRow], seed: int) -> list[FrameworkCost]:
    """One row for every target, endpoint and reading that pair with a floor in at least two blocks."""
    known = {target.id: target for target in targets}
    results = usual(results)
    rows = []
    for cell in results:
        target = known[cell.target]
        floor = _floor_of(target, targets)
        if floor is None or target.twin_of:
            continue
        ground = next(
            (one for one in results if (one.target, one.scenario) == (floor.id, cell.scenario)),
            None,
        )
        if ground is None:
            continue
        most_users = max(row.users for row in results if row.target == cell.target and row.endpoint == cell.endpoint)
        if cell.users == 1:
            rows.append(_cost(cell, ground, "latency_us", "p50_ms", seed))
        if cell.users == most_users:
            rows.append(_cost(cell, ground, "cpu_us", "cpu_ms_per_request", seed))
    return [row for row in rows if row]


def break_evens(costs: Sequence[FrameworkCost], targets: Sequence[TargetSummary]) -> list[BreakEven]:
    """From which request time on the choice between two frameworks is within 3 %, from their added latency.

    One row for every two frameworks on one server, mode and endpoint whose costs differ: `model_ms` is the
    difference over 3 %.
    """
    known = {target.id: target for target in targets}
    waits = [row for row in costs if row.measure == "latency_us"]
    rows = []
    for index, first in enumerate(waits):
        for second in waits[index + 1 :]:
            same = (first.floor, first.scenario) == (second.floor, second.scenario)
            names = [known[row.target].framework or "" for row in (first, second)]
            if not same or any(name.endswith("-native") for name in names):
                continue
            difference = first.mean - second.mean
            low, high = first.ci95[0] - second.ci95[1], first.ci95[1] - second.ci95[0]
            if low <= 0 <= high:
                continue
            slow, fast = (first, second) if difference > 0 else (second, first)
            rows.append(
                BreakEven(
                    slow=slow.target,
                    fast=fast.target,
                    endpoint=first.endpoint,
                    difference_us=abs(difference),
                    share=LEAST_MARGIN,
                    request_ms=abs(difference) / LEAST_MARGIN / US_PER_MS,
                )
            )
    return rows


def _floor_of(target: TargetSummary, targets: Sequence[TargetSummary]) -> TargetSummary | None:
    """The bare WSGI target on the same server, mode and device, under the same settings."""
    if target.framework in (None, FLOOR):
        return None
    floors = (one for one in targets if one.framework == FLOOR and not one.twin_of)
    return next((one for one in floors if _place(one) == _place(target)), None)


def _place(target: TargetSummary) -> tuple[object, ...]:
    return target.server, target.mode, target.device, varied_of(target.id)


def _cost(cell: ResultRow, ground: ResultRow, measure: str, figure: str, seed: int) -> FrameworkCost | None:
    paired = statistics.in_pairs(cell.by_block(figure), ground.by_block(figure))
    added = [(own - bare) * US_PER_MS for own, bare in zip(*paired, strict=True)]
    if len(added) < 2:
        return None
    return FrameworkCost(
        target=cell.target,
        floor=ground.target,
        endpoint=cell.endpoint,
        scenario=cell.scenario,
        measure=measure,
        mean=plain.fmean(added),
        ci95=statistics.mean_interval(added, seed),
        blocks=len(added),
    )


def read_price(text: str) -> float:
    """The price of one core for one hour, in the reader's own currency. Raises ValueError."""
    try:
        price = float(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not (math.isfinite(price) and price > 0):
        raise ValueError(f"{text!r} is not a price: it must be above 0")
    return price


def spent(row: CostRow) -> Median:
    """What a row says of the cost: of a billion predictions in money where there is a price, else core hours a million.

    Of a million the cost is a figure with three zeros behind its point.
    """
    cost = row.cost_per_million
    if cost is None:
        return row.core_hours_per_million
    ends = cost.ci95
    low_high = (THOUSAND * ends[0], THOUSAND * ends[1]) if ends else None
    return Median(median=THOUSAND * cost.median, ci95=low_high)


def prediction_costs(results: Sequence[ResultRow], price: float | None, seed: int) -> list[CostRow]:
    """One row a target and endpoint: core hours a million predictions, and their cost; medians over blocks.

    Left out are cells without a CPU time: servers given by address, and trials that were invalid.
    """
    rows = []
    for (target, endpoint), cell in busiest_cells(row for row in results if row.valid).items():
        spent = [entry.cpu_ms_per_request for entry in cell.blocks if entry.cpu_ms_per_request]
        if not spent:
            continue
        hours = PREDICTIONS / MS_PER_HOUR
        money = None if price is None else price * PREDICTIONS / MS_PER_HOUR
        rows.append(
            CostRow(
                target=target,
                endpoint=endpoint,
                scenario=cell.scenario,
                users=cell.users,
                throughput_rps=cell.throughput_rps,
                p99_ms=cell.latency_ms.p99,
                core_hours_per_million=over_blocks([one * hours for one in spent], seed),
                cost_per_million=None if money is None else over_blocks([one * money for one in spent], seed),
            )
        )
    return rows
