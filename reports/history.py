"""The trend of every cell over the runs of one machine and plan, and the steps in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord
from reports import statistics, wording
from reports.comparisons import LATENCIES, UnfairError
from reports.runs_compared import History, LeftOutRun, Series, SeriesPoint, SeriesRun, SeriesStep, SeriesTarget
from reports.sameness import machine_differences, plan_differences
from reports.sides import Sides, metric_of, places, shared_figures
from reports.steps import LEAST_RUNS, find_steps
from reports.verdicts import LEAST_MARGIN


def alike(
    runs: Sequence[Run], *, across_machines: bool = False, across_plans: bool = False
) -> tuple[list[Run], list[LeftOutRun]]:
    """The runs that may stand in one series with the newest, oldest first; and those left out, each with a reason."""
    ordered = sorted(runs, key=lambda run: (run.started_utc, run.run_id))
    kept, left_out = [], []
    for run in ordered:
        reasons = [] if across_machines else machine_differences(run, ordered[-1])
        reasons += [] if across_plans else plan_differences(run, ordered[-1])
        if reasons:
            said = "; ".join(reasons).replace("in BASE", "here").replace("in NEW", "in the newest")
            left_out.append(LeftOutRun(run_id=run.run_id, reason=said))
        else:
            kept.append(run)
    return kept, left_out


def history(
    runs: Sequence[Run],
    targets: Sequence[str] = (),
    scenarios: Sequence[str] = (),
    left_out: Sequence[LeftOutRun] = (),
) -> History:
    """The series of every cell of `runs`, oldest first; `left_out` is only told.

    A figure is the geometric mean over blocks, with its 95 % interval; a run in which a cell cannot be told has none,
    and is skipped. A step's ratio is above 1 where the target became faster. All series together have a chance of at
    most 5 % of even one false step.
    """
    cells = list(dict.fromkeys(place for run in runs for place in places(run, targets, scenarios)))
    figures = shared_figures(runs)
    sides = [Sides(run, figures) for run in runs]
    rows = [_series(sides, target, scenario) for target, scenario in cells]
    judged = sum(row.judged for row in rows)
    rows = [_marked(row, statistics.SIGNIFICANCE / judged) if row.judged else row for row in rows]
    described = {target.id: target for run in runs for target in run.targets}
    shown = msgspec.convert(
        [target for target in described.values() if any(row.target == target.id for row in rows)],
        list[SeriesTarget],
        from_attributes=True,
    )
    return History(
        runs=[
            SeriesRun(
                run_id=run.run_id,
                started_utc=run.started_utc,
                commit=run.environment.git.commit if run.environment.git else None,
                partial_reason=run.partial_reason,
            )
            for run in runs
        ],
        targets=[replace(one, label=label) for one, label in zip(shown, wording.labels(shown).values(), strict=True)],
        least_runs=LEAST_RUNS,
        series=rows,
        left_out=list(left_out),
    )


def _series(sides: Sequence[Sides], target: str, scenario: str) -> Series:
    known: ScenarioRecord = next(found for one in sides if (found := one.run.scenario(scenario)) is not None)
    points = []
    for index, own in enumerate(sides):
        if (target, scenario) not in places(own.run):
            continue
        try:
            logs = statistics.logarithms(list(own.of(target, known).values()), least=2)
        except UnfairError:
            continue
        if logs.std(ddof=1) <= np.finfo(np.float64).eps:
            # Blocks without any variation were not measured.
            continue
        low, high = statistics.student_interval(logs)
        points.append(
            SeriesPoint(
                run=index,
                figure=math.exp(logs.mean()),
                ci95=(math.exp(low), math.exp(high)),
                log_error=float(logs.std(ddof=1)) / math.sqrt(logs.size),
            )
        )
    return Series(
        target=target,
        scenario=scenario,
        metric=metric_of(known),
        points=points,
        steps=[],
        judged=len(points) >= LEAST_RUNS,
    )


def _marked(row: Series, level: float) -> Series:
    points = row.points
    sign = -1 if row.metric in LATENCIES else 1
    found = find_steps(
        [point.figure**sign for point in points],
        [point.log_error for point in points],
        level=level,
        least=LEAST_MARGIN,
    )
    steps = [SeriesStep(run=points[step.first].run, ratio=step.ratio, p_value=step.p_value) for step in found]
    return replace(row, steps=steps)
