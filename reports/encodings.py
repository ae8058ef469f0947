"""What another encoding does to one endpoint: requests per second against the usual encoding, within one target.

The two are scenarios of the same blocks, visited one after the other and not in turn, so the machine's drift between
them is part of the interval. They are told as ratios and not judged: nothing else is compared across scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import statistics

Row = Mapping[str, Any]


def compared(results: Sequence[Row], seed: int) -> list[dict[str, Any]]:
    """One row for every result in another encoding whose target was measured in the usual one under the same load.

    `ratio` and `ci95` are over the blocks that have both; null with fewer than two, or where blocks do not vary.
    """
    usual = {(row["target"], row["endpoint"], row["law"]): row for row in results if row["variant"] is None}
    rows = []
    for row in results:
        ground = usual.get((row["target"], row["endpoint"], row["law"]))
        if row["variant"] is None or ground is None or not (row["throughput_rps"] and ground["throughput_rps"]):
            continue
        rows.append(
            {
                "target": row["target"],
                "endpoint": row["endpoint"],
                "users": row["users"],
                "load": row["load"],
                "encoding": row["variant"],
                "usual_rps": ground["throughput_rps"]["median"],
                "rps": row["throughput_rps"]["median"],
                **_ratio(ground, row, seed),
            }
        )
    return rows


def _ratio(ground: Row, row: Row, seed: int) -> dict[str, Any]:
    rates = [{entry["block"]: entry["throughput_rps"] for entry in one["blocks"]} for one in (ground, row)]
    paired = sorted(block for block in rates[0].keys() & rates[1].keys() if rates[0][block] and rates[1][block])
    if len(paired) < 2:
        return {"ratio": None, "ci95": None, "blocks": len(paired)}
    try:
        before, after = ([rate[block] for block in paired] for rate in rates)
        found = statistics.paired_ratio(before, after, seed=seed)
    except statistics.NoVariationError:
        return {"ratio": None, "ci95": None, "blocks": len(paired)}
    return {"ratio": found.ratio, "ci95": [found.low, found.high], "blocks": found.blocks}
