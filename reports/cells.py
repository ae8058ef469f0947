"""One cell of the results: a target under a scenario, over all its blocks.

Throughput is the median over blocks; latencies are percentiles of the blocks' steady samples together. Both
carry 95 % intervals over blocks. A percentile without the samples that it needs is null, and
`missing_samples` says how many it lacks.
"""

from __future__ import annotations

import statistics as plain
from collections.abc import Iterable, Sequence

from experiment.journal_records import TargetRecord
from experiment.run_folder import Run
from loadtests.quantiles import PERCENTILES, samples_missing
from loadtests.trial_record import ScenarioRecord, TrialRecord
from reports import latencies, statistics, wording
from reports.core_time import core_time_rps
from reports.latencies import NS_PER_MS, Latencies, Nanoseconds
from reports.parallel_drawing import Share, alone
from reports.summary.load_rows import ResultRow
from reports.summary.measures import COLUMNS, BlockFigures, Median, Percentiles


def results(run: Run, share: Share = alone) -> list[ResultRow]:
    """One row for every target and scenario of which the run holds a trial, in the run's order."""
    return [row for rows in share(_of_target, run.targets, run) for row in rows]


def _of_target(target: TargetRecord, run: Run) -> list[ResultRow]:
    return [
        measure(run, target, scenario, trials)
        for scenario in run.scenarios
        if (trials := run.trials_of(target.id, scenario.id))
    ]


def measure(run: Run, target: TargetRecord, scenario: ScenarioRecord, trials: Sequence[TrialRecord]) -> ResultRow:
    """The figures of one cell, and those of each of its blocks, from which the comparisons are made."""
    used = sorted((trial for trial in trials if trial.unusable() is None), key=lambda trial: trial.block)
    told: dict[int, Latencies] = {}
    notes = [(trial.block, reason) for trial in trials if (reason := trial.unusable())]
    for trial in used:
        if trial.samples is None:
            notes.append((trial.block, "no latencies: no samples were recorded"))
            continue
        try:
            told[trial.block] = latencies.read(run.folder / trial.samples)
        except latencies.SamplesError as error:
            notes.append((trial.block, f"no latencies: {error}"))
    service = percentiles([one.service_ns for one in told.values()], run.seed)
    response = percentiles([one.response_ns for one in told.values()], run.seed)
    steady = sum(one.service_ns.size for one in told.values())
    return ResultRow(
        target=target.id,
        endpoint=scenario.endpoint,
        scenario=scenario.id,
        users=scenario.users,
        variant=scenario.variant,
        arrival=scenario.arrival,
        law=scenario.law,
        load=wording.load(scenario.arrival, scenario.users, scenario.rates_rps),
        trials=len(used),
        requests=sum(trial.requests for trial in used),
        errors=sum(trial.errors for trial in trials),
        valid=bool(used),
        reason=_told(notes),
        offered_rps=median_of(trial.offered_rps for trial in used),
        throughput_rps=over_blocks([trial.throughput_rps or 0.0 for trial in used], run.seed) if used else None,
        latency_ms=service,
        response_ms=response,
        steady_samples=steady,
        unstable_trials=sum(trial.steady is False for trial in used),
        missing_samples={name: missing for name in COLUMNS if (missing := samples_missing(steady, PERCENTILES[name]))},
        cpu_ms_per_request=median_of(trial.cpu_ms_per_request for trial in used),
        rss_mib=median_of(trial.rss_mib for trial in used),
        pss_mib=median_of(trial.pss_mib for trial in used),
        threads=median_of(trial.threads for trial in used),
        startup_s=median_of(launch.startup_s for launch in run.launches if launch.target == target.id),
        context_switches_per_request=median_of(
            trial.context_switches / trial.requests
            for trial in used
            if trial.context_switches is not None and trial.requests
        ),
        retraces=_sum(trial.retraces for trial in used),
        blocks=[block_figures(trial, told.get(trial.block)) for trial in used],
    )


def over_blocks(values: Sequence[float], seed: int) -> Median:
    """The median over blocks; the interval is null for a single one."""
    interval = statistics.median_interval(values, seed) if len(values) > 1 else None
    return Median(median=plain.median(values), ci95=interval)


def percentiles(blocks: Sequence[Nanoseconds], seed: int) -> Percentiles:
    """Percentiles in ms of all blocks' samples together; null below the samples that one needs."""
    steady = sum(block.size for block in blocks)
    found: dict[str, Median | None] = {}
    for name in COLUMNS:
        quantile = PERCENTILES[name]
        if samples_missing(steady, quantile):
            found[name] = None
            continue
        pooled = latencies.pooled_percentile(blocks, quantile, seed)
        interval = None
        if pooled.low_ns is not None and pooled.high_ns is not None:
            interval = (pooled.low_ns / NS_PER_MS, pooled.high_ns / NS_PER_MS)
        found[name] = Median(median=pooled.value_ns / NS_PER_MS, ci95=interval)
    return Percentiles(**found)


def _told(notes: Sequence[tuple[int, str]]) -> str | None:
    """Each reason once, with the blocks that it is about; None where there is none."""
    blocks: dict[str, list[str]] = {}
    for block, reason in notes:
        blocks.setdefault(reason, []).append(str(block))
    named = {reason: f"{'block' if len(own) == 1 else 'blocks'} {', '.join(own)}" for reason, own in blocks.items()}
    return "; ".join(f"{where}: {reason}" for reason, where in named.items()) or None


def block_figures(trial: TrialRecord, told: Latencies | None) -> BlockFigures:
    """The figures of one block; a percentile is None below the samples that it needs."""
    service_ns = told.service_ns if told else None
    return BlockFigures(
        block=trial.block,
        throughput_rps=trial.throughput_rps,
        core_time_rps=core_time_rps(trial.visits) if trial.visits else None,
        p50_ms=_quantile_ms(service_ns, 0.5),
        p99_ms=_quantile_ms(service_ns, 0.99),
        response_p50_ms=_quantile_ms(told.response_ns if told else None, 0.5),
        cpu_ms_per_request=trial.cpu_ms_per_request,
        samples=0 if told is None else int(told.service_ns.size),
    )


def _quantile_ms(latencies_ns: Nanoseconds | None, quantile: float) -> float | None:
    if latencies_ns is None or samples_missing(latencies_ns.size, quantile):
        return None
    return latencies.quantile_ns(latencies_ns, quantile) / NS_PER_MS


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return plain.median(known) if known else None


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
