"""The ladder of a folder: what one request costs on each rung, where its time goes, and from which model on it is moot.

Read from `ladder.json`, pytest-benchmark's own file. The calls of one group (mode, endpoint, encoding) pair: the n-th
of every variant carry the same payload and were made milliseconds apart. A figure is the median over calls for each
payload, averaged over the payloads. Its interval is Student's over batches of neighbouring rounds, so what lasts longer
than a batch is in it. Differences are taken call by call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from msgspec import UNSET, Struct

from experiment.foreign_ground import read_file
from experiment.journal import JournalError
from experiment.run_folder import COUNTS_NAME, LADDER_NAME
from reports import statistics
from reports.statistics import Floats
from reports.summary.ladder_rows import (
    Estimate,
    ExactCounts,
    LadderNoise,
    LadderSummary,
    ModelBreakEven,
    ModelThreshold,
    RungRow,
    WaterfallRow,
)

BATCHES = 10
NULL, FLOOR = "null", "wsgi"
PIECES = ("validation", "decode", "inference", "encode")
SEGMENTS = ("server", "framework", *PIECES)
SHARES = (0.10, 0.05, 0.01)
PAIR = ("bottle", "flask")
"""Baseline and candidate of the break-even."""

LadderPlace = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The variants of one mode, endpoint and encoding.

    `calls_us` has microseconds a call, (rounds, payloads), by rung, framework and twin.
    """

    mode: str
    endpoint: str
    encoding: str
    calls_us: Mapping[LadderPlace, Floats]

    def of(self, rung: str, framework: str = "", twin: str = "") -> Floats | None:
        """One variant's calls; None where it was not measured."""
        return self.calls_us.get((rung, framework, twin))

    @property
    def frameworks(self) -> list[str]:
        """Those with an HTTP rung, the null application left out, the floor first."""
        found = [framework for rung, framework, _ in self.calls_us if rung == "http" and framework != NULL]
        return sorted(found, key=lambda name: (name != FLOOR, name))


class _Facts(Struct):
    mode: str
    endpoint: str
    encoding: str
    rung: str
    framework: str
    twin: str
    calls_ns: list[float]


class _Stats(Struct):
    iterations: int


class _Benchmark(Struct):
    extra_info: _Facts
    stats: _Stats


class _Document(Struct):
    """What is read of pytest-benchmark's file."""

    benchmarks: list[_Benchmark]


def read(folder: Path) -> list[Group]:
    """The ladder's groups, empty where the folder has none. Raises JournalError where the file is something else."""
    path = folder / LADDER_NAME
    try:
        document = msgspec.json.decode(read_file(path), type=_Document)
        made: dict[LadderPlace, dict[LadderPlace, Floats]] = {}
        for entry in document.benchmarks:
            facts, payloads = entry.extra_info, entry.stats.iterations
            calls = statistics.finite(facts.calls_ns, least=payloads).reshape(-1, payloads) / 1e3
            place = (facts.mode, facts.endpoint, facts.encoding)
            made.setdefault(place, {})[facts.rung, facts.framework, facts.twin] = calls
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise JournalError(f"{path} is not the ladder's file: {error}") from error
    found = []
    for (mode, endpoint, encoding), calls_us in made.items():
        # A variant that broke off has fewer rounds; what pairs is what all have.
        rounds = min(len(one) for one in calls_us.values())
        cut = {place: one[:rounds] for place, one in calls_us.items()}
        found.append(Group(mode=mode, endpoint=endpoint, encoding=encoding, calls_us=cut))
    return found


def middle(calls: Floats) -> float:
    """The median over calls for each payload, averaged over the payloads."""
    return float(np.median(calls, axis=0).mean())


def estimate(calls: Floats) -> Estimate:
    """`middle`, with Student's interval over batches of neighbouring rounds."""
    value = middle(calls)
    parts = [middle(batch) for batch in np.array_split(calls, min(BATCHES, len(calls)))]
    low, high = statistics.student_interval(np.array(parts))
    half = (high - low) / 2
    return Estimate(value=value, ci95=(value - half, value + half))


def summarise(folder: Path) -> LadderSummary | None:
    """The summary's `ladder` object; None where the folder has no ladder. Raises JournalError."""
    groups = read(folder)
    counts = instructions(folder)
    if not groups and counts is None:
        return None
    return LadderSummary(
        rungs=[row for group in groups for row in _rungs(group)],
        inconsistent=[text for group in groups for text in inconsistencies(group)],
        noise=noise(groups),
        waterfalls=[row for group in groups for row in waterfalls(group)],
        break_evens=[row for group in groups if (row := break_even(group)) is not None],
        instructions=counts,
    )


def instructions(folder: Path) -> ExactCounts | None:
    """What was counted exactly: `rows`, or `skipped` with the reason; None where the folder has nothing of it."""
    path = folder / COUNTS_NAME
    try:
        counts = msgspec.json.decode(read_file(path), type=ExactCounts)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"{path} is not the file of the exact counts: {error}") from error
    if counts.rows is UNSET and counts.skipped is UNSET:
        raise JournalError(f"{path} holds neither rows nor a reason")
    return counts


def _rungs(group: Group) -> list[RungRow]:
    return [
        RungRow(
            mode=group.mode,
            endpoint=group.endpoint,
            encoding=group.encoding,
            rung=rung,
            framework=framework,
            twin=twin,
            us=estimate(calls),
        )
        for (rung, framework, twin), calls in group.calls_us.items()
    ]


def inconsistencies(group: Group) -> list[str]:
    """Rungs that come out below the one beneath them by more than the noise; empty as it should be."""
    found = []
    for framework in group.frameworks:
        ladder = [("core", ""), ("codec", ""), ("wsgi", framework), ("http", framework)]
        for below, above in pairwise(ladder):
            lower, upper = group.of(*below), group.of(*above)
            if lower is None or upper is None:
                continue
            step = estimate(upper - lower)
            if step.ci95[1] < 0:
                where = f"{group.mode}, /{group.endpoint} as {group.encoding}, {framework}"
                found.append(f"{where}: {above[0]} is {-step.value:.0f} us below {below[0]}")
    return found


def noise(groups: Sequence[Group]) -> LadderNoise | None:
    """The same application against its twin on the WSGI rung, over all groups: the median ratio and its interval."""
    logs = []
    for group in groups:
        for (rung, framework, twin), calls in group.calls_us.items():
            first = group.of(rung, framework)
            if twin and first is not None:
                logs.append(np.log(calls / first))
    if not logs:
        return None
    # Each group by its own median, so that one with many short calls does not outweigh the others.
    own = [estimate(one) for one in logs]
    weights = np.array([1 / max(one.ci95[1] - one.ci95[0], 1e-12) ** 2 for one in own])
    value = float(np.average([one.value for one in own], weights=weights))
    half = float(1 / np.sqrt(weights.sum())) / 2
    return LadderNoise(
        ratio=float(np.exp(value)),
        ci95=(float(np.exp(value - half)), float(np.exp(value + half))),
        pairs=int(sum(one.size for one in logs)),
    )


def waterfalls(group: Group) -> list[WaterfallRow]:
    """Where a request's time goes in each framework; `remainder_us` is what the segments do not add up to.

    `server` is what HTTP adds to the WSGI call: socket, client, server, and what a process that sleeps between requests
    runs slower; `constant_us` is that part of it which a constant answer has too. `framework` is what the WSGI call
    adds to the codec, the gate in front of every framework included. The other four are laps of one call.
    """
    codec = group.of("codec")
    pieces = {name: calls for name in PIECES if (calls := group.of(name)) is not None}
    null_http, null_wsgi = group.of("http", NULL), group.of("wsgi", NULL)
    if codec is None or len(pieces) < len(PIECES):
        return []
    rows = []
    for framework in group.frameworks:
        http, wsgi = group.of("http", framework), group.of("wsgi", framework)
        if http is None or wsgi is None:
            continue
        segments = {"server": http - wsgi, "framework": wsgi - codec, **pieces}
        estimates = {name: estimate(calls) for name, calls in segments.items()}
        total = estimate(http)
        remainder = total.value - sum(one.value for one in estimates.values())
        constant = None if null_http is None or null_wsgi is None else estimate(null_http - null_wsgi)
        rows.append(
            WaterfallRow(
                mode=group.mode,
                endpoint=group.endpoint,
                encoding=group.encoding,
                framework=framework,
                total_us=total,
                segments=estimates,
                remainder_us=remainder,
                remainder_share=remainder / total.value,
                constant_us=constant,
            )
        )
    return rows


def break_even(group: Group, pair: tuple[str, str] = PAIR) -> ModelBreakEven | None:
    """From which model time on the candidate instead of the baseline changes a request's time by less than each share.

    With d the candidate's extra time and b the baseline's request without its model, the change at a model of m is
    d / (b + m), so it is below a share s from m = d / s - b on. A threshold of 0 or less means: with any model.
    """
    baseline, candidate, core = group.of("http", pair[0]), group.of("http", pair[1]), group.of("core")
    if baseline is None or candidate is None or core is None:
        return None
    difference = estimate(candidate - baseline)
    model, request = estimate(core), estimate(baseline)
    rest = baseline - core
    return ModelBreakEven(
        mode=group.mode,
        endpoint=group.endpoint,
        encoding=group.encoding,
        baseline=pair[0],
        candidate=pair[1],
        difference_us=difference,
        model_us=model,
        rest_us=estimate(rest),
        request_us=request,
        change=estimate((candidate - baseline) / request.value),
        thresholds=[
            ModelThreshold(share=share, model_us=estimate((candidate - baseline) / share - rest)) for share in SHARES
        ],
    )


def change_at(row: ModelBreakEven, model_us: float) -> float:
    """The share by which the candidate changes a request whose model takes `model_us`, by the line of `break_even`."""
    return row.difference_us.value / (row.rest_us.value + model_us)
