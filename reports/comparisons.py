"""Every comparison of a run: paired over blocks, held against the noise floor, corrected by family.

A family is one question on one pair: Bottle against Flask on gunicorn with the compiled model, say, in all its
scenarios and metrics. So each such question has a chance of at most 5 % of even one false `faster` or `slower`, and
measuring more servers or modes costs it nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from experiment.journal_records import ComparisonRecord
from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord
from reports import statistics, treatment, verdicts, wording
from reports.statistics import PairedRatio
from reports.summary.load_rows import ComparisonRow, NoiseRow, NoiseSummary, ResultRow
from reports.verdicts import Judgement, NoiseFloor, Verdict

THROUGHPUT = "throughput"
LATENCY_P50 = "latency_p50"
RESPONSE_P50 = "response_p50"
LATENCIES = (LATENCY_P50, RESPONSE_P50)
NOISE_AXIS = "noise"
BLOCK_FIGURE = {THROUGHPUT: "throughput_rps", LATENCY_P50: "p50_ms", RESPONSE_P50: "response_p50_ms"}

TargetScenario = tuple[str, str]


class UnfairError(ValueError):
    """A comparison has no figures that may be compared; the text is the published reason."""


def metrics_of(scenario: ScenarioRecord) -> tuple[str, ...]:
    """Throughput, and the median latency where one user waits for it alone.

    On a schedule every target that keeps up has the same throughput; there it is how soon it answers.
    """
    if scenario.is_open:
        return (RESPONSE_P50,)
    return (THROUGHPUT, LATENCY_P50) if scenario.users == 1 else (THROUGHPUT,)


def compare(run: Run, results: Sequence[ResultRow]) -> tuple[list[ComparisonRow], NoiseSummary]:
    """All comparison rows in the run's order, and the noise floor's object for the summary."""
    cells: dict[TargetScenario, ResultRow] = {(row.target, row.scenario): row for row in results}
    rows: list[ComparisonRow] = []
    ratios: dict[int, PairedRatio] = {}
    for comparison in run.comparisons:
        for scenario in run.scenarios:
            if not _planned(run, cells, comparison, scenario):
                continue
            for metric in metrics_of(scenario):
                row = _row(comparison, scenario, metric)
                try:
                    ratios[len(rows)] = _ratio(run, cells, comparison, scenario, metric)
                except UnfairError as error:
                    row = replace(row, reason=str(error))
                rows.append(row)
    noise = _noise_floors(rows, ratios)
    for family in _families(rows, ratios):
        adjusted = statistics.holm([ratios[index].p_value for index in family])
        for index, p_value in zip(family, adjusted.tolist(), strict=True):
            row, measured = rows[index], ratios[index]
            if row.axis == NOISE_AXIS:
                judged = verdicts.judge_noise(measured)
            else:
                floor = floor_for(noise, row.metric, row.scenario)
                judged = verdicts.judge(measured, adjusted_p=p_value, noise=floor)
                row = replace(row, noise_ci95=(floor.low, floor.high) if floor else None)
            rows[index] = _filled(row, measured, p_value, len(family), judged)
    return rows, _noise_object(rows, noise)


def _noise_floors(rows: Sequence[ComparisonRow], ratios: Mapping[int, PairedRatio]) -> dict[TargetScenario, NoiseFloor]:
    """The noise floor of every scenario that has an A/A pair, pooled over the scenarios of one endpoint.

    Five blocks of one scenario alone tell little of their own spread; noise differs between endpoints, whose requests
    differ in length, more than between numbers of users.
    """
    own = {index: row for index, row in enumerate(rows) if row.axis == NOISE_AXIS and index in ratios}
    floors = {}
    for index, row in own.items():
        alike = [
            ratios[other] for other, its in own.items() if (its.metric, its.endpoint) == (row.metric, row.endpoint)
        ]
        reach = statistics.noise_reach(alike, ratios[index].blocks)
        floors[row.metric, row.scenario] = NoiseFloor(low=math.exp(-reach), high=math.exp(reach))
    return floors


def floor_for(noise: Mapping[TargetScenario, NoiseFloor], metric: str, scenario: str) -> NoiseFloor | None:
    """The A/A interval of that metric in that scenario; where there is none, the widest of the metric."""
    if (metric, scenario) in noise:
        return noise[metric, scenario]
    others = [floor for (name, _), floor in noise.items() if name == metric]
    return max(others, key=lambda floor: floor.reach, default=None)


def _planned(
    run: Run, cells: Mapping[TargetScenario, object], comparison: ComparisonRecord, scenario: ScenarioRecord
) -> bool:
    """Whether this pair has a row here: one of the two was measured, or one was refused."""
    pair = (comparison.baseline, comparison.candidate)
    if any((identifier, scenario.id) in cells for identifier in pair):
        return True
    return any(refusal.target in pair for refusal in run.refusals)


def _row(comparison: ComparisonRecord, scenario: ScenarioRecord, metric: str) -> ComparisonRow:
    return ComparisonRow(
        baseline=comparison.baseline,
        candidate=comparison.candidate,
        axis=comparison.axis,
        endpoint=scenario.endpoint,
        scenario=scenario.id,
        users=scenario.users,
        variant=scenario.variant,
        arrival=scenario.arrival,
        load=wording.load(scenario.arrival, scenario.users, scenario.rates_rps),
        metric=metric,
        verdict=Verdict.INVALID,
        reason=None,
    )


def _filled(row: ComparisonRow, measured: PairedRatio, p_value: float, family: int, judged: Judgement) -> ComparisonRow:
    return replace(
        row,
        ratio=measured.ratio,
        ci95=(measured.low, measured.high),
        p_value=measured.p_value,
        p_adjusted=p_value,
        family_size=family,
        blocks=measured.blocks,
        margin=judged.margin,
        blocks_needed=judged.blocks_needed,
        verdict=judged.verdict,
        reason=judged.reason,
    )


def _families(rows: Sequence[ComparisonRow], ratios: Iterable[int]) -> list[list[int]]:
    families: dict[tuple[str, str, str], list[int]] = {}
    for index in ratios:
        row = rows[index]
        families.setdefault((row.axis, row.baseline, row.candidate), []).append(index)
    return list(families.values())


def _ratio(
    run: Run,
    cells: Mapping[TargetScenario, ResultRow],
    comparison: ComparisonRecord,
    scenario: ScenarioRecord,
    metric: str,
) -> PairedRatio:
    """The paired ratio of one comparison. Raises UnfairError with the reason that is published."""
    first, second = run.target(comparison.baseline), run.target(comparison.candidate)
    if first is None or second is None:
        missing = comparison.baseline if first is None else comparison.candidate
        raise UnfairError(f"{missing} is not among the run's targets")
    unequal = treatment.differences(run, first, second, comparison.axis)
    if unequal:
        raise UnfairError(f"not treated equally: {'; '.join(unequal)}")
    sides = [_blocks(run, cells, identifier, scenario.id, metric) for identifier in (first.id, second.id)]
    paired = statistics.in_pairs(*sides)
    blocks = len(paired[0])
    if blocks < 2:
        counted = "no block" if not blocks else "one block only"
        raise UnfairError(f"{counted} has valid figures of both; a verdict needs at least two")
    tried = {trial.block for one in (first.id, second.id) for trial in run.trials_of(one, scenario.id)}
    if 2 * blocks < len(tried):
        raise UnfairError(f"only {blocks} of {len(tried)} blocks have valid figures of both")
    try:
        return statistics.paired_ratio(*paired, lower_is_better=metric in LATENCIES, seed=run.seed)
    except statistics.NoVariationError as error:
        raise UnfairError(str(error)) from error


def _blocks(
    run: Run, cells: Mapping[TargetScenario, ResultRow], target: str, scenario: str, metric: str
) -> dict[int, float]:
    """A target's figure by block. Raises UnfairError where there is none at all."""
    cell = cells.get((target, scenario))
    values = cell.by_block(BLOCK_FIGURE[metric]) if cell else {}
    if values:
        return values
    refusal = next((one for one in run.refusals if one.target == target), None)
    if refusal:
        raise UnfairError(f"{target} was not measured: {refusal.reason}")
    why = f": {cell.reason}" if cell and cell.reason else ""
    raise UnfairError(f"{target} has no valid trial here{why}")


def _noise_object(rows: Sequence[ComparisonRow], noise: Mapping[TargetScenario, NoiseFloor]) -> NoiseSummary:
    """The widest noise floor of the throughput, its reach, and the A/A ratio of every scenario."""
    own = [row for row in rows if row.axis == NOISE_AXIS]
    floors = [floor for (metric, _), floor in noise.items() if metric == THROUGHPUT]
    widest = max(floors, key=lambda floor: floor.reach, default=None)
    return NoiseSummary(
        ratio_ci95=(widest.low, widest.high) if widest else None,
        reach=widest.reach if widest else None,
        pair=(own[0].baseline, own[0].candidate) if own else None,
        by_scenario=msgspec.convert(own, list[NoiseRow], from_attributes=True),
    )
