"""From a run to its summary: the one object that every page, table and plot is drawn from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from conformance.finding import GateRecord
from experiment.run_folder import Run
from loadtests.trial_record import CeilingRecord
from reports import (
    capacities,
    cells,
    comparisons,
    costs,
    deciding,
    encodings,
    factors,
    ladder_summary,
    statistics,
    tracing,
    treatment,
    wording,
)
from reports.fastest import fastest
from reports.headline import bullets, headline
from reports.ladder_words import matters_sentence
from reports.parallel_drawing import Share, alone
from reports.summary import ScenarioSummary, Stops, Summary, TargetSummary
from reports.summary.check_rows import AnswersAlike, Audit, ConformanceRow, NothingValid, RefusedTarget, StartupRow
from reports.summary.load_rows import ResultRow
from reports.summary.measures import Interval

_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")

NOT_WRONG = frozenset({"right", "skipped", "servers_own"})


def summarise(run: Run, price_per_core_hour: float | None = None, share: Share = alone) -> Summary:
    """The summary of a run: no NaN, no infinity. A price given here stands for the run's own."""
    targets = _targets(run)
    scenarios = msgspec.convert(run.scenarios, list[ScenarioSummary], from_attributes=True)
    results = cells.results(run, share)
    compared, noise_floor = comparisons.compare(run, results)
    capacity, ladder = capacities.rows(run), ladder_summary.summarise(run.folder)
    found = any(row.valid for row in results) or any(row.rate_rps is not None for row in capacity)
    price = run.price_per_core_hour if price_per_core_hour is None else price_per_core_hour
    framework_costs = costs.framework_costs(targets, results, run.seed)
    matters = factors.what_matters(targets, scenarios, [_planned(row, run.blocks) for row in results], run.seed)
    summary = Summary(
        run_id=run.run_id,
        plan=run.plan,
        seed=run.seed,
        started_utc=run.started_utc,
        blocks=run.blocks,
        until=run.until,
        at_most_s=run.at_most_s,
        looks=list(run.looks),
        slice_s=run.slice_s,
        command=list(run.command),
        complete=run.complete,
        partial_reason=run.partial_reason,
        resumed=Stops(times=len(run.resumptions), begun_anew=sum(one.in_flight is not None for one in run.resumptions)),
        wall_s=run.end.wall_s if run.end else None,
        measuring_s=run.end.measuring_s if run.end else None,
        model=msgspec.to_builtins(run.model),
        environment=msgspec.to_builtins(run.environment),
        generator=_generator(run),
        kept_every=run.kept_every,
        price_per_core_hour=price,
        costs=costs.prediction_costs(results, price, run.seed),
        targets=targets,
        scenarios=scenarios,
        not_run=list(run.not_run),
        refused=_refused(run),
        answers_vary=sorted({one.target for one in run.primed if None in one.answers.values()}),
        noise_floor=noise_floor,
        results=results,
        comparisons=deciding.with_reasons(run, compared),
        to_decide=deciding.to_decide(run, compared),
        nothing_valid=None if ladder or found else _nothing_valid(run),
        parity_table=treatment.table(run, [one for one in run.targets if not one.twin_of]),
        framework_costs=framework_costs,
        capacity=capacity,
        encodings=encodings.compared(results, run.seed),
        break_evens=costs.break_evens(framework_costs, targets),
        conformance=[_conformance(run, target, gates) for target in targets if (gates := _gates(run, target.id))],
        answers_alike=[
            AnswersAlike(
                block=one.block,
                targets=list(one.targets),
                cases=one.cases,
                differences=msgspec.to_builtins(list(one.differences)),
                lines=[run.line_of(one)],
            )
            for one in run.parities
        ],
        startup=[_startup(run, target.id) for target in targets],
        audit=_audit(run),
        ladder=ladder,
        what_matters=matters,
        second_sentence=matters_sentence(matters),
        fastest=fastest(run, targets, results, compared),
        headline="",
    )
    return tracing.with_lines(replace(summary, headline=headline(summary), bullets=bullets(summary)), run)


def _nothing_valid(run: Run) -> NothingValid | None:
    """The commonest reason against a run's trials and targets; None where nobody has one, since nothing was begun."""
    reasons = [reason for trial in run.trials if (reason := trial.unusable())]
    reasons += [refusal.reason for refusal in run.refusals]
    kinds = Counter(_NUMBER.sub("0", reason) for reason in reasons)
    if not kinds:
        return None
    kind, times = kinds.most_common(1)[0]
    first = next(reason for reason in reasons if _NUMBER.sub("0", reason) == kind)
    return NothingValid(reason=first, times=times, of=len(reasons), share=round(times / len(reasons), 4))


def _planned(row: ResultRow, blocks: int) -> ResultRow:
    """A cell without the blocks that followed a look: they are not of all cells, and so explain none beside another."""
    return replace(row, blocks=[one for one in row.blocks if one.block < blocks])


def _targets(run: Run) -> list[TargetSummary]:
    labels = wording.labels(run.targets)
    return [
        TargetSummary(**msgspec.structs.asdict(one), interpreter=one.interpreter, label=labels[one.id])
        for one in run.targets
    ]


def _generator(run: Run) -> dict[str, Any]:
    """What the load generator can do here, and the line that says so."""
    if run.generator is None:
        # A run that was stopped before anybody knew.
        return dict.fromkeys(CeilingRecord.__struct_fields__) | {"lines": []}
    found = msgspec.to_builtins(run.generator)
    return {name: value for name, value in found.items() if name != "kind"} | {"lines": [run.line_of(run.generator)]}


def _refused(run: Run) -> list[RefusedTarget]:
    """Each refused target once, with the blocks in which it was refused."""
    found: dict[tuple[str, str], RefusedTarget] = {}
    for refusal in run.refusals:
        entry = found.setdefault(
            (refusal.target, refusal.reason),
            RefusedTarget(
                target=refusal.target,
                reason=refusal.reason,
                cases=list(refusal.cases),
                blocks=[],
                lines=sorted(run.line_of(one) for one in run.refusals if one.target == refusal.target),
            ),
        )
        entry.blocks.append(refusal.block)
    return list(found.values())


def _gates(run: Run, target: str) -> list[GateRecord]:
    return sorted((gate for gate in run.gates if gate.target == target), key=lambda gate: gate.block)


def _conformance(run: Run, target: TargetSummary, gates: Sequence[GateRecord]) -> ConformanceRow:
    """The last gate's counts, and every finding of any block once, with the blocks that saw it."""
    findings: dict[tuple[str, str], dict[str, Any]] = {}
    for gate in gates:
        for finding in gate.findings:
            key = (finding.case_id, finding.verdict.value)
            entry = findings.setdefault(key, {**msgspec.to_builtins(finding), "blocks": []})
            entry["blocks"].append(gate.block)
    return ConformanceRow(
        target=target.id,
        judged=target.judged,
        passed=all(gate.passed for gate in gates),
        blocks=len(gates),
        counts=dict(gates[-1].counts),
        topics={topic: dict(counts) for topic, counts in gates[-1].topics.items()},
        steady=len({tuple(sorted(gate.counts.items())) for gate in gates}) == 1,
        findings=[entry for entry in findings.values() if entry["verdict"] not in NOT_WRONG],
        lines=sorted(map(run.line_of, gates)),
    )


def _startup(run: Run, target: str) -> StartupRow:
    launches = [launch for launch in run.launches if launch.target == target]
    return StartupRow(
        target=target,
        launches=len(launches),
        startup_s=cells.median_of([launch.startup_s for launch in launches]),
        startup_ci95=_interval([launch.startup_s for launch in launches], run.seed),
        import_s=cells.median_of([launch.import_s for launch in launches]),
        load_s=cells.median_of([launch.load_s for launch in launches]),
        rss_mib=cells.median_of([launch.rss_mib for launch in launches]),
        lines=sorted(map(run.line_of, launches)),
    )


def _interval(values: Sequence[float | None], seed: int) -> Interval | None:
    """The 95 % interval of the median over launches; None for fewer than two."""
    known = [value for value in values if value]
    return statistics.median_interval(known, seed) if len(known) > 1 else None


def _audit(run: Run) -> Audit:
    reasons = Counter(reason for trial in run.trials if (reason := trial.unusable()))
    workers = [worker for trial in run.trials for worker in trial.workers or ()]

    def worst(name: str) -> float | None:
        return _worst(getattr(trial.generator, name) for trial in run.trials)

    return Audit(
        trials=len(run.trials),
        invalid=sum(reasons.values()),
        invalid_reasons=dict(reasons.most_common()),
        requests=sum(trial.requests for trial in run.trials),
        errors=sum(trial.errors for trial in run.trials),
        error_kinds=dict(sum((Counter(trial.error_kinds) for trial in run.trials), Counter())),
        worst_cpu_share=worst("cpu_share"),
        worst_late_share=worst("late_share"),
        worst_lag_p99_us=worst("lag_p99_us"),
        worst_send_lag_p99_us=worst("send_lag_p99_us"),
        worst_queued_share=worst("queued_share"),
        workers=max((len(trial.workers or ()) for trial in run.trials), default=0),
        worst_clock_us=_worst(worker.offset_uncertainty_us for worker in workers),
        unstable=sum(trial.steady is False for trial in run.trials),
        worst_idle_cpu_share=_worst(trial.idle_cpu_share for trial in run.trials),
        retraces=sum(trial.retraces or 0 for trial in run.trials),
        lines=sorted(map(run.line_of, run.trials)),
    )


def _worst(told: Iterable[float | None]) -> float | None:
    return max((value for value in told if value is not None), default=None)
