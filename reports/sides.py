"""One side of a comparison of runs: the figures of a cell by block, and by which figure runs may be held together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord, TrialRecord
from reports import cells, latencies, statistics
from reports.comparisons import BLOCK_FIGURE, THROUGHPUT, TargetScenario, UnfairError, figure_of, metrics_of
from reports.shared_variance import CommonVariance, common_variance
from reports.statistics import PairedRatio
from reports.summary.measures import BlockFigures


def metric_of(scenario: ScenarioRecord) -> str:
    """The one figure by which a cell is judged between runs."""
    return metrics_of(scenario)[0]


def places(run: Run, targets: Sequence[str] = (), scenarios: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The cells of a run, in its order, without the second name of the A/A pair; a refused target has its cells too."""
    tried = {(trial.target, trial.scenario) for trial in run.trials}
    refused = {refusal.target for refusal in run.refusals}
    return [
        (target.id, scenario.id)
        for target in run.targets
        if target.twin_of is None and (not targets or target.id in targets)
        for scenario in run.scenarios
        if (not scenarios or scenario.id in scenarios) and ((target.id, scenario.id) in tried or target.id in refused)
    ]


def scenario_of(run: Run, identifier: str) -> ScenarioRecord:
    """The run's scenario of that id. Raises ValueError where it has none."""
    found = run.scenario(identifier)
    if found is None:
        raise ValueError(f"{run.run_id} has no scenario {identifier}")
    return found


def shared_figures(runs: Sequence[Run]) -> dict[str, str]:
    """By metric the figure of a block that all runs have: throughput in core time, or as users saw it.

    A run of before the books of the cores has the latter alone, and then every run is judged by it.
    """
    closed = [
        cells.block_figures(trial, None)
        for run in runs
        for trial in run.trials
        if trial.unusable() is None and _is_closed(run, trial)
    ]
    return {**BLOCK_FIGURE, THROUGHPUT: figure_of(THROUGHPUT, closed)}


class Sides:
    """The cells of one run as sides of a comparison, each read once: an open loop's samples lie on a disk.

    `figures` has the figure of a block by metric (`shared_figures`).
    """

    def __init__(self, run: Run, figures: Mapping[str, str]) -> None:
        self.run = run
        self._figures = figures
        self._known: dict[TargetScenario, dict[int, float]] = {}

    def of(self, target: str, scenario: ScenarioRecord) -> dict[int, float]:
        """The figures of one cell by valid block.

        Raises UnfairError, with the published reason, where it has too few.
        """
        place = (target, scenario.id)
        if place not in self._known:
            self._known[place] = self._read(target, scenario)
        return self._known[place]

    def _read(self, target: str, scenario: ScenarioRecord) -> dict[int, float]:
        run = self.run
        refusal = next((one for one in run.refusals if one.target == target), None)
        trials = run.trials_of(target, scenario.id)
        used = [trial for trial in trials if trial.unusable() is None]
        figure = self._figures[metric_of(scenario)]
        told = (_figures_of(run, trial, scenario) for trial in used)
        values = {one.block: value for one in told if (value := one.figure(figure)) is not None}
        if refusal and not values:
            raise UnfairError(f"was not measured: {refusal.reason}")
        if len(values) < 2:
            why = next((f": {reason}" for trial in trials if (reason := trial.unusable())), "")
            counted = "no block" if not values else "one block only"
            raise UnfairError(f"{counted} has a valid figure; a verdict needs at least two{why}")
        if 2 * len(values) < len(trials):
            raise UnfairError(f"only {len(values)} of {len(trials)} blocks have valid figures")
        return values


def common_variances(sides: Sides) -> dict[str, CommonVariance | None]:
    """What all cells of a run tell of the variance of a logarithm from block to block, by metric.

    See `reports/shared_variance.py`; None where they are too few to tell.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for target in sides.run.targets:
        for scenario in sides.run.scenarios:
            try:
                logs = statistics.logarithms(list(sides.of(target.id, scenario).values()), least=2)
            except UnfairError:
                # A cell without figures tells nothing; its own row has the reason.
                continue
            if (variance := float(logs.var(ddof=1))) > 0:
                found.setdefault(metric_of(scenario), []).append((variance, logs.size - 1))
    return {metric: common_variance(*zip(*own, strict=True)) for metric, own in found.items()}


def itself_of(sides: Sides) -> dict[TargetScenario, PairedRatio]:
    """The A/A ratios of one run, by metric and scenario."""
    found: dict[TargetScenario, PairedRatio] = {}
    for twin in sides.run.targets:
        for scenario in sides.run.scenarios:
            if twin.twin_of is None:
                continue
            try:
                first, second = (sides.of(one, scenario) for one in (twin.twin_of, twin.id))
                both = statistics.in_pairs(first, second)
                found[metric_of(scenario), scenario.id] = statistics.paired_ratio(*both, seed=sides.run.seed)
            except ValueError:
                # No A/A figure here: the floor comes from other scenarios, or nothing is called a difference.
                continue
    return found


def _is_closed(run: Run, trial: TrialRecord) -> bool:
    scenario = run.scenario(trial.scenario)
    return scenario is not None and not scenario.is_open


def _figures_of(run: Run, trial: TrialRecord, scenario: ScenarioRecord) -> BlockFigures:
    if not scenario.is_open or trial.samples is None:
        return cells.block_figures(trial, None)
    try:
        return cells.block_figures(trial, latencies.read(run.folder / trial.samples))
    except latencies.SamplesError:
        # Lost samples leave the block without a latency; the cell says how many blocks it has.
        return cells.block_figures(trial, None)
