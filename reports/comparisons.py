"""Every comparison of a run: paired over blocks, held against the noise floor, corrected by family.

A family is one question on one pair: Bottle against Flask on gunicorn with the TensorFlow graph, say, in all its
scenarios and metrics. So each such question has a chance of at most 5 % of even one false `faster` or `slower`, and
measuring more servers or modes costs it nothing. Nor does looking often: in a run that goes on until it is decided,
each comparison pays for its own looks (`reports/looks.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from experiment.journal_records import ComparisonRecord
from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord
from reports import looks, statistics, treatment, verdicts, wording
from reports.shared_variance import CommonVariance, common_variance, moderated, noise_reach
from reports.statistics import PairedRatio
from reports.summary.load_rows import ComparisonRow, NoiseRow, NoiseSummary, ResultRow
from reports.summary.measures import BlockFigures
from reports.verdicts import Judgement, NoiseFloor, Verdict

THROUGHPUT = "throughput"
LATENCY_P50 = "latency_p50"
RESPONSE_P50 = "response_p50"
LATENCIES = (LATENCY_P50, RESPONSE_P50)
NOISE_AXIS = "noise"
BLOCK_FIGURE = {THROUGHPUT: "throughput_rps", LATENCY_P50: "p50_ms", RESPONSE_P50: "response_p50_ms"}

CORE_TIME = "core_time_rps"
"""The figure that a throughput is compared by, where the books of both targets' cores are there."""

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


def figure_of(metric: str, blocks: Sequence[BlockFigures]) -> str:
    """By which figure these blocks are compared: one that all of them have."""
    if metric == THROUGHPUT and blocks and all(one.core_time_rps for one in blocks):
        return CORE_TIME
    return BLOCK_FIGURE[metric]


def compare(
    run: Run, results: Sequence[ResultRow], pairs: Sequence[ComparisonRecord] | None = None
) -> tuple[list[ComparisonRow], NoiseSummary]:
    """All comparison rows in the run's order, and the noise floor's object; `pairs` stand for the run's own."""
    cells: dict[TargetScenario, ResultRow] = {(row.target, row.scenario): row for row in results}
    rows: list[ComparisonRow] = []
    ratios: dict[int, PairedRatio] = {}
    looked: dict[int, tuple[int, ...]] = {}
    for comparison in run.comparisons if pairs is None else pairs:
        for scenario in run.scenarios:
            if not _planned(run, cells, comparison, scenario):
                continue
            for metric in metrics_of(scenario):
                row = _row(comparison, scenario, metric)
                try:
                    ratios[len(rows)], looked[len(rows)] = _ratio(run, cells, comparison, scenario, metric)
                    row = _with_figure(row, cells)
                except UnfairError as error:
                    row = replace(row, reason=str(error))
                rows.append(row)
    common = _common(rows, ratios)
    noise = _noise_floors(rows, ratios, common)
    # A floor is that of so many blocks, of which after some looks not all pairs have the same number.
    own_floors = {count: _noise_floors(rows, ratios, common, count) for own in looked.values() for count in own[-1:]}
    ratios = {
        index: moderated(ratio, common[rows[index].metric], _level(looked[index])) for index, ratio in ratios.items()
    }
    for family in _families(rows, ratios):
        adjusted = statistics.holm([looks.p_after(ratios[index].p_value, looked[index]) for index in family])
        for index, p_value in zip(family, adjusted.tolist(), strict=True):
            row, measured = rows[index], ratios[index]
            if row.axis == NOISE_AXIS:
                judged = verdicts.judge_noise(measured)
            else:
                own = looked[index]
                level = _level(own)
                floor = floor_for(own_floors[own[-1]] if own else noise, row.metric, row.scenario)
                judged = verdicts.judge(measured, adjusted_p=p_value, noise=floor, level=level)
                row = replace(row, look=max(1, len(own)), level=level)
                row = replace(row, noise_ci95=(floor.low, floor.high) if floor else None)
            rows[index] = _filled(row, measured, p_value, len(family), judged)
    return rows, _noise_object(rows, noise)


def _with_figure(row: ComparisonRow, cells: Mapping[TargetScenario, ResultRow]) -> ComparisonRow:
    """The row with the figure that its ratio is of, and the ratio that users saw."""
    pair = [cells[one, row.scenario] for one in (row.baseline, row.candidate)]
    both = statistics.in_pairs(*(one.by_block(BLOCK_FIGURE[THROUGHPUT]) for one in pair))
    seen = statistics.logarithms(both[1]).mean() - statistics.logarithms(both[0]).mean()
    figure = figure_of(row.metric, [one for cell in pair for one in cell.blocks])
    return replace(row, figure=figure, throughput_ratio=math.exp(seen))


def _common(rows: Sequence[ComparisonRow], ratios: Mapping[int, PairedRatio]) -> dict[str, CommonVariance | None]:
    """What all pairs of a metric tell of each other's variance (`reports/shared_variance.py`), by metric."""
    alike: dict[str, list[PairedRatio]] = {}
    for index, ratio in ratios.items():
        alike.setdefault(rows[index].metric, []).append(ratio)
    return {
        metric: common_variance([one.log_sd**2 for one in those], [one.blocks - 1 for one in those])
        for metric, those in alike.items()
    }


def _level(own: tuple[int, ...]) -> float:
    """The level that a comparison with these looks is judged at."""
    return looks.level_at(own) if own else statistics.SIGNIFICANCE


def _noise_floors(
    rows: Sequence[ComparisonRow],
    ratios: Mapping[int, PairedRatio],
    common: Mapping[str, CommonVariance | None],
    blocks: int | None = None,
) -> dict[TargetScenario, NoiseFloor]:
    """The noise floor of every scenario that has an A/A pair, pooled over the scenarios of one endpoint.

    It is that of a ratio over so many `blocks`; without them, over those of the A/A pair itself.
    Five blocks of one scenario alone tell little of their own spread; noise differs between endpoints, whose requests
    differ in length, more than between numbers of users.
    """
    own = {index: row for index, row in enumerate(rows) if row.axis == NOISE_AXIS and index in ratios}
    floors = {}
    for index, row in own.items():
        alike = [
            ratios[other] for other, its in own.items() if (its.metric, its.endpoint) == (row.metric, row.endpoint)
        ]
        shared = common[row.metric]
        worth = (shared.variance, shared.freedom) if shared else (0.0, 0.0)
        reach = noise_reach(alike, blocks or ratios[index].blocks, *worth)
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
) -> tuple[PairedRatio, tuple[int, ...]]:
    """The paired ratio of one comparison, and the numbers of blocks at its looks, if looks are to be paid for.

    Raises UnfairError with the reason that is published.
    """
    first, second = run.target(comparison.baseline), run.target(comparison.candidate)
    if first is None or second is None:
        missing = comparison.baseline if first is None else comparison.candidate
        raise UnfairError(f"{missing} is not among the run's targets")
    unequal = treatment.differences(run, first, second, comparison.axis)
    if unequal:
        raise UnfairError(f"not treated equally: {'; '.join(unequal)}")
    measured = [cells.get((one.id, scenario.id)) for one in (first, second)]
    figure = figure_of(metric, [one for cell in measured if cell for one in cell.blocks])
    sides = [_blocks(run, cells, identifier, scenario.id, figure) for identifier in (first.id, second.id)]
    paired = statistics.in_pairs(*sides)
    blocks = len(paired[0])
    if blocks < 2:
        counted = "no block" if not blocks else "one block only"
        raise UnfairError(f"{counted} has valid figures of both; a verdict needs at least two")
    tried = _tried(run, (first.id, second.id), scenario.id)
    if 2 * blocks < len(tried):
        raise UnfairError(f"only {blocks} of {len(tried)} blocks have valid figures of both")
    pays = run.looks_again and comparison.axis != NOISE_AXIS
    own = looks.looks_of(sides[0].keys() & sides[1].keys(), run.cuts) if pays else ()
    try:
        ratio = statistics.paired_ratio(*paired, lower_is_better=metric in LATENCIES, seed=run.seed, level=_level(own))
    except statistics.NoVariationError as error:
        raise UnfairError(str(error)) from error
    return ratio, own


def _tried(run: Run, pair: Sequence[str], scenario: str) -> set[int]:
    """The blocks in which the two were to be measured: the planned ones, and later ones that both were asked in."""
    first, second = ({trial.block for trial in run.trials_of(one, scenario)} for one in pair)
    return {block for block in first | second if block < run.blocks} | (first & second)


def _blocks(
    run: Run, cells: Mapping[TargetScenario, ResultRow], target: str, scenario: str, figure: str
) -> dict[int, float]:
    """A target's figure by block. Raises UnfairError where there is none at all."""
    cell = cells.get((target, scenario))
    values = cell.by_block(figure) if cell else {}
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
