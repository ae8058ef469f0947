"""What a run found of each target's capacity: the highest rate that keeps a promise, over blocks."""

from __future__ import annotations

import statistics as plain
from collections.abc import Sequence

import msgspec

from experiment.run_folder import Run
from loadtests.trial_record import CapacityRecord
from reports import statistics
from reports.summary.load_rows import CapacityRow, SearchRow
from reports.summary.measures import Median


def rows(run: Run) -> list[CapacityRow]:
    """One row a target and endpoint that was searched, in the run's order; rates are medians over its valid blocks."""
    places = dict.fromkeys((one.target, one.endpoint) for one in run.capacities)
    return [_row(run, *place) for place in places]


def _row(run: Run, target: str, endpoint: str) -> CapacityRow:
    own = [one for one in run.capacities if (one.target, one.endpoint) == (target, endpoint)]
    valid = [one for one in own if one.valid]
    reasons = list(dict.fromkeys(f"block {one.block}: {one.reason}" for one in own if one.reason))
    return CapacityRow(
        target=target,
        endpoint=endpoint,
        slo=own[0].slo.name,
        rate_rps=_over_blocks([one.rate_rps for one in valid], run.seed),
        saturated_rps=_over_blocks([one.saturated_rps for one in valid], run.seed),
        saturated_users=max((one.saturated_users for one in valid if one.saturated_users), default=None),
        blocks=len(valid),
        unstable=sum(one.unstable for one in own),
        reason="; ".join(reasons) or None,
        searches=[_search(one) for one in own],
    )


def _over_blocks(values: Sequence[float | None], seed: int) -> Median | None:
    """Median and 95 % interval; None where a block has none, since a median of the rest would flatter."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    varied = len(set(known)) > 1
    interval = statistics.median_interval(known, seed) if varied else None
    return Median(median=plain.median(known), ci95=interval)


def _search(one: CapacityRecord) -> SearchRow:
    return SearchRow(
        block=one.block,
        rate_rps=one.rate_rps,
        failed_rps=one.failed_rps,
        saturated_rps=one.saturated_rps,
        probes=msgspec.to_builtins(list(one.probes)),
        ladder=msgspec.to_builtins(list(one.ramp)),
    )
