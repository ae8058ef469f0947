"""What another encoding does to one endpoint: requests per second against the usual encoding, within one target.

The two are scenarios of the same blocks, visited one after the other and not in turn, so the machine's drift between
them is part of the interval. They are told as ratios and not judged: nothing else is compared across scenarios.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports import statistics
from reports.statistics import PairedRatio
from reports.summary.load_rows import EncodingRow, ResultRow


def compared(results: Sequence[ResultRow], seed: int) -> list[EncodingRow]:
    """One row for every result in another encoding whose target was measured in the usual one under the same load.

    `ratio` and `ci95` are over the blocks that have both; null with fewer than two, or where blocks do not vary.
    """
    usual = {(row.target, row.endpoint, row.law): row for row in results if row.variant is None}
    rows = []
    for row in results:
        ground = usual.get((row.target, row.endpoint, row.law))
        if row.variant is None or ground is None or not (row.throughput_rps and ground.throughput_rps):
            continue
        blocks, found = _ratio(ground, row, seed)
        rows.append(
            EncodingRow(
                target=row.target,
                endpoint=row.endpoint,
                users=row.users,
                load=row.load,
                encoding=row.variant,
                usual_rps=ground.throughput_rps.median,
                rps=row.throughput_rps.median,
                ratio=found.ratio if found else None,
                ci95=(found.low, found.high) if found else None,
                blocks=blocks,
            )
        )
    return rows


def _ratio(ground: ResultRow, row: ResultRow, seed: int) -> tuple[int, PairedRatio | None]:
    """How many blocks have both, and their ratio if it can be told."""
    before, after = statistics.in_pairs(
        *({one.block: one.throughput_rps for one in side.blocks if one.throughput_rps} for side in (ground, row))
    )
    if len(before) < 2:
        return len(before), None
    try:
        return len(before), statistics.paired_ratio(before, after, seed=seed)
    except statistics.NoVariationError:
        return len(before), None
