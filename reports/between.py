"""Two runs held against each other, cell by cell: what became faster or slower, and one verdict for the whole.

A cell is a target under a scenario; its figure is the throughput of a closed loop, in core time where both runs know
it (`reports.sides`), and the median response time of an open one. The blocks of two runs are independent
(`reports.independent`). All cells are one family, since one decision hangs on them: a comparison with nothing changed
has a chance of at most 5 % of even one false `faster` or `slower`.
"""

from __future__ import annotations

import math
import statistics as plain
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec.structs import replace

from experiment.progress import plural
from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord
from reports import statistics, verdicts, wording
from reports.comparisons import LATENCIES, TargetScenario, UnfairError, floor_for
from reports.independent import IndependentRatio, independent_ratio
from reports.machine_change import machine_change, measure_both
from reports.runs_compared import CellRow, CommonMove, RefusedSince, RunsCompared, RunSide
from reports.sameness import changes, machine_differences, plan_differences
from reports.shared_variance import CommonVariance, noise_reach
from reports.sides import Sides, common_variances, itself_of, metric_of, places, scenario_of, shared_figures
from reports.statistics import PairedRatio
from reports.verdicts import NoiseFloor, Verdict


class RunVerdict(StrEnum):
    """What a whole comparison came to."""

    REGRESSION = "regression"
    FINE = "fine"
    OPEN = "could not tell"


def between(base: Run, new: Run, targets: Sequence[str] = (), scenarios: Sequence[str] = ()) -> RunsCompared:
    """The whole comparison; `targets` and `scenarios` narrow it and its family."""
    rows: list[CellRow] = []
    measured: dict[int, IndependentRatio] = {}
    held = [places(run, targets, scenarios) for run in (base, new)]
    pair = _pair(base, new)
    for target, scenario in held[0]:
        if (target, scenario) not in held[1]:
            continue
        row, ratio = _cell(pair, target, scenario_of(base, scenario))
        if ratio is not None:
            measured[len(rows)] = ratio
        rows.append(row)
    _judge(pair, rows, measured)
    changed = machine_change(pair.both, rows)
    result = RunsCompared(
        base=_told(base),
        new=_told(new),
        machine_differences=machine_differences(base, new),
        plan_differences=plan_differences(base, new),
        changes=changes(base, new),
        family_size=len(measured),
        cells=rows,
        only_in_base=[place for place in held[0] if place not in held[1]],
        only_in_new=[place for place in held[1] if place not in held[0]],
        counts=dict(Counter(row.verdict for row in rows)),
        median_ratio=plain.median(one.ratio for one in measured.values()) if measured else None,
        machine_changed=changed,
        measure_both=measure_both(base, rows) if changed else [],
        refused_since=_refused_since(base, new, held),
        verdict="",
        reason="",
    )
    verdict, reason = _whole(result)
    return replace(result, verdict=verdict.value, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Two runs as sides, by the figures that both have; what each tells of its cells' variances and of its twins."""

    base: Sides
    new: Sides
    figures: Mapping[str, str]
    common: tuple[Mapping[str, CommonVariance | None], Mapping[str, CommonVariance | None]]
    itself: tuple[Mapping[TargetScenario, PairedRatio], Mapping[TargetScenario, PairedRatio]]

    @property
    def both(self) -> tuple[Sides, Sides]:
        """BASE, then NEW."""
        return self.base, self.new


def _pair(base: Run, new: Run) -> _Pair:
    figures = shared_figures((base, new))
    first, second = Sides(base, figures), Sides(new, figures)
    return _Pair(
        base=first,
        new=second,
        figures=figures,
        common=(common_variances(first), common_variances(second)),
        itself=(itself_of(first), itself_of(second)),
    )


def _cell(pair: _Pair, target: str, scenario: ScenarioRecord) -> tuple[CellRow, IndependentRatio | None]:
    """One cell with its medians, and the ratio if there is a fair one; else the row has the published reason."""
    metric = metric_of(scenario)
    row = CellRow(
        target=target,
        scenario=scenario.id,
        endpoint=scenario.endpoint,
        load=wording.load(scenario.arrival, scenario.users, scenario.rates_rps),
        metric=metric,
        figure=pair.figures[metric],
        verdict=Verdict.INVALID.value,
        reason=None,
    )
    try:
        before = _side(pair, "BASE", target, scenario.id)
        row = replace(row, base=plain.median(before))
        after = _side(pair, "NEW", target, scenario.id)
        row = replace(row, new=plain.median(after))
        common = (pair.common[0].get(metric), pair.common[1].get(metric))
        return row, independent_ratio(before, after, lower_is_better=metric in LATENCIES, common=common)
    except (UnfairError, statistics.NoVariationError) as error:
        return replace(row, reason=str(error)), None


def _side(pair: _Pair, name: str, target: str, scenario: str) -> list[float]:
    """The figures of one cell in one run. Raises UnfairError with the reason that is published."""
    sides = pair.base if name == "BASE" else pair.new
    try:
        return list(sides.of(target, scenario_of(sides.run, scenario)).values())
    except UnfairError as error:
        raise UnfairError(f"{name}: {error}") from error


def _judge(pair: _Pair, rows: list[CellRow], measured: Mapping[int, IndependentRatio]) -> None:
    if not measured:
        return
    adjusted = statistics.holm([one.p_value for one in measured.values()]).tolist()
    floors = {blocks: noise_floors(pair, blocks) for blocks in {one.blocks for one in measured.values()}}
    for (index, ratio), p_value in zip(measured.items(), adjusted, strict=True):
        row = rows[index]
        noise = floor_for(floors[ratio.blocks], row.metric, row.scenario)
        judged = verdicts.judge(ratio, adjusted_p=p_value, noise=noise)
        rows[index] = replace(
            row,
            ratio=ratio.ratio,
            ci95=(ratio.low, ratio.high),
            p_value=ratio.p_value,
            p_adjusted=p_value,
            blocks=(ratio.base_blocks, ratio.new_blocks),
            margin=judged.margin,
            noise_ci95=(noise.low, noise.high) if noise else None,
            blocks_needed=judged.blocks_needed,
            verdict=judged.verdict.value,
            reason=f"{judged.reason} in each run" if judged.blocks_needed else judged.reason,
        )


def noise_floors(pair: _Pair, blocks: int) -> dict[TargetScenario, NoiseFloor]:
    """How far two runs of the same code come apart by chance, by metric and scenario: from what both did to themselves.

    An A/A ratio inside a run is the difference of two sides of one run's blocks; between runs the sides are of two
    runs, with the same noise. So both runs' A/A ratios of an endpoint are pooled. Empty where one run has none: of
    its noise nothing is known.
    """
    own = pair.itself
    if not all(own):
        return {}
    endpoints = {one.id: one.endpoint for sides in pair.both for one in sides.run.scenarios}
    floors = {}
    for metric, scenario in dict.fromkeys([*own[0], *own[1]]):
        alike = [
            ratio
            for side in own
            for (name, other), ratio in side.items()
            if (name, endpoints[other]) == (metric, endpoints[scenario])
        ]
        reach = noise_reach(alike, blocks)
        floors[metric, scenario] = NoiseFloor(low=math.exp(-reach), high=math.exp(reach))
    return floors


def _refused_since(base: Run, new: Run, places: Sequence[Sequence[tuple[str, str]]]) -> list[RefusedSince]:
    """Targets of the comparison that NEW refused to measure and BASE did not."""
    asked = {target for target, _ in (*places[0], *places[1])}
    before = {refusal.target for refusal in base.refusals}
    found = {one.target: one.reason for one in new.refusals if one.target not in before and one.target in asked}
    return [RefusedSince(target=target, reason=reason) for target, reason in found.items()]


def _told(run: Run) -> RunSide:
    git = run.environment.git
    return RunSide(
        run_id=run.run_id,
        folder=str(run.folder),
        plan=run.plan,
        started_utc=run.started_utc,
        commit=git.commit if git else None,
        complete=run.complete,
        partial_reason=run.partial_reason,
    )


def _whole(result: RunsCompared) -> tuple[RunVerdict, str]:
    """The verdict on all cells and why. A regression that was found stays one, whatever else could not be told."""
    counts, total = result.counts, len(result.cells)
    refused = [f"{one.target} is refused now: {one.reason}" for one in result.refused_since]
    if result.machine_changed and not refused:
        return RunVerdict.OPEN, f"the machine changed: {_together(result, result.machine_changed)}"
    slower = counts.get(Verdict.SLOWER.value, 0)
    found = [f"{slower} of {plural(total, 'cell')} slower"] if slower else []
    found += refused
    if found:
        return RunVerdict.REGRESSION, "; ".join(found)
    if not total:
        return RunVerdict.OPEN, "the runs have no cell in common"
    unsettled = [
        f"{counts[one.value]} of {plural(total, 'cell')} {one.value}"
        for one in (Verdict.INCONCLUSIVE, Verdict.INVALID)
        if counts.get(one.value)
    ]
    unsettled += [f"{name} is partial" for name, (side, _) in result.sides.items() if not side.complete]
    unsettled += [f"{len(result.only_in_base)} of BASE's cells not in NEW"] if result.only_in_base else []
    if unsettled:
        return RunVerdict.OPEN, "; ".join(unsettled)
    return RunVerdict.FINE, f"no cell of {total} slower"


def _together(result: RunsCompared, moved: CommonMove) -> str:
    ratios = [one.ratio for one in moved.moves]
    ends = wording.interval(moved.ratio, (min(ratios), max(ratios)))
    cells = plural(len(result.cells), "cell")
    return f"all {cells} moved the same way, by about as much: {wording.change(moved.ratio)} ({ends} by target)"
