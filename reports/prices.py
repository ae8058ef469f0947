"""What a million predictions cost: the CPU time that a request takes, and its price where the reader has named one.

Counted is the CPU time of the server's processes under load, as the operating system books it to them, at the most
users measured on an endpoint in its usual encoding, where a request is one prediction. Not counted: cores that idle for
the next peak, memory, network, the kernel's work that is booked to no process, start-up. So it is what a fully used
core costs, and the least that can be paid.
"""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Sequence

from reports import statistics
from reports.headline_rows import busiest_cells
from reports.summary.load_rows import CostRow, ResultRow
from reports.summary.measures import Median

PREDICTIONS = 1_000_000
MS_PER_HOUR = 3_600_000.0
LEFT_OUT = (
    "idle cores that are kept for a peak, memory, network, start-up, "
    "the kernel\u2019s work that is booked to no process"
)


class PriceError(ValueError):
    """A price that is not a positive number."""


def read(text: str) -> float:
    """The price of one core for one hour, in the reader's own currency. Raises PriceError."""
    try:
        price = float(text)
    except ValueError as error:
        raise PriceError(f"{text!r} is not a number") from error
    if not (math.isfinite(price) and price > 0):
        raise PriceError(f"{text!r} is not a price: it must be above 0")
    return price


def costs(results: Sequence[ResultRow], price: float | None, seed: int) -> list[CostRow]:
    """One row a target and endpoint: core hours a million predictions, and their cost; medians over blocks.

    Left out are cells without a CPU time: servers given by address, and trials that were invalid.
    """
    rows = []
    for (target, endpoint), cell in busiest_cells(row for row in results if row.valid).items():
        spent = [entry.cpu_ms_per_request for entry in cell.blocks if entry.cpu_ms_per_request]
        if not spent:
            continue
        hours = _scaled(spent, PREDICTIONS / MS_PER_HOUR, seed)
        rows.append(
            CostRow(
                target=target,
                endpoint=endpoint,
                scenario=cell.scenario,
                users=cell.users,
                throughput_rps=cell.throughput_rps,
                p99_ms=cell.latency_ms.p99,
                core_hours_per_million=hours,
                cost_per_million=None if price is None else _scaled(spent, price * PREDICTIONS / MS_PER_HOUR, seed),
            )
        )
    return rows


def _scaled(spent: Sequence[float], factor: float, seed: int) -> Median:
    values = [one * factor for one in spent]
    interval = statistics.median_interval(values, seed) if len(values) > 1 else None
    return Median(median=plain.median(values), ci95=interval)
