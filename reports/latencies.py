"""The nanosecond samples of a trial, and percentiles pooled over blocks with their intervals.

Only steady samples without an error are latencies: the first round of a slice, its drain and every failed
request are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiment.run_folder import Run
from experiment.sample_columns import BROKEN, columns
from loadtests.samples import STEADY
from reports import statistics

Nanoseconds = npt.NDArray[np.int64]

NO_ERROR = 0
NS_PER_MS = 1e6
# Enough for an interval's ends where blocks are too many to enumerate; more would only cost time.
RESAMPLES = 1_000
EXACT_UP_TO = 5
_READ = ("phase", "error", "due_ns", "sent_ns", "done_ns")


class SamplesError(ValueError):
    """A sample file is missing or is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """The steady latencies of one trial, sorted: service from sent to done, response from due to done."""

    service_ns: Nanoseconds
    response_ns: Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledPercentile:
    """A percentile over all blocks' samples together; its interval is None for a single block."""

    value_ns: float
    low_ns: float | None
    high_ns: float | None


def read(path: Path) -> Latencies:
    """The steady, error-free latencies of one trial's file. Raises SamplesError."""
    try:
        phase, error_kind, due, sent, done = columns(path, _READ).values()
        kept = (phase == STEADY) & (error_kind == NO_ERROR)
        answered, began, ready = (column[kept].astype(np.int64, copy=False) for column in (done, sent, due))
        service, response = answered - began, answered - ready
    except (*BROKEN, IndexError) as error:
        raise SamplesError(f"{path.name}: {error}") from error
    if (service < 0).any() or (response < 0).any():
        raise SamplesError(f"{path.name}: an answer came before its request")
    return Latencies(service_ns=np.sort(service), response_ns=np.sort(response))


def pooled(run: Run, target: str, scenario: str) -> Latencies:
    """The latencies of all usable trials of one cell together, each sorted; a file that cannot be read is left out.

    The cell's own notes name such a file.
    """
    parts: list[Latencies] = []
    for trial in run.trials_of(target, scenario):
        if trial.samples and trial.unusable() is None:
            with suppress(SamplesError):
                parts.append(read(run.folder / trial.samples))
    if not parts:
        return Latencies(service_ns=np.empty(0, dtype=np.int64), response_ns=np.empty(0, dtype=np.int64))
    # The parts are sorted, and a stable sort merges sorted runs in one pass.
    return Latencies(
        service_ns=np.sort(np.concatenate([one.service_ns for one in parts]), kind="stable"),
        response_ns=np.sort(np.concatenate([one.response_ns for one in parts]), kind="stable"),
    )


def quantile_ns(ordered: Nanoseconds, quantile: float) -> int:
    """The nearest-rank quantile of sorted samples: the smallest with at least that share at or below it."""
    rank = max(1, int(np.ceil(quantile * ordered.size)))
    return int(ordered[rank - 1])


def pooled_percentile(blocks: Sequence[Nanoseconds], quantile: float, seed: int = 0) -> PooledPercentile:
    """The quantile of all blocks' sorted samples together, with a 95 % interval over resampled blocks."""
    filled = [block for block in blocks if block.size]
    if not filled:
        raise ValueError("there is no sample")
    singly = np.array([quantile_ns(block, quantile) for block in filled], dtype=np.float64)
    drawn = statistics.resamples(len(filled), seed, EXACT_UP_TO, RESAMPLES)
    value, *others = _resampled(
        filled, np.hstack([np.ones((len(filled), 1)), drawn.by_block]), quantile, singly
    ).tolist()
    if len(filled) < 2 or value <= 0:
        return PooledPercentile(value_ns=value, low_ns=None, high_ns=None)
    resampled = np.array(others)
    low, high = statistics.bootstrap_interval(np.log(singly), np.log(resampled), drawn)
    return PooledPercentile(value_ns=value, low_ns=float(np.exp(low)), high_ns=float(np.exp(high)))


def _resampled(
    blocks: Sequence[Nanoseconds], times: npt.NDArray[np.float64], quantile: float, singly: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The pooled quantile of every resample, shape (R,), by bisection between the blocks' own quantiles.

    `times` is how often each block was drawn, (n, R): whole numbers, which below 2^53 are exact as floats, whose
    products and sums are quicker.

    A pooled quantile is a sample between the smallest and the largest of its parts. Those samples are merged once, with
    how many of each block lie at or below each; no pool is ever built.
    """
    sizes = np.array([block.size for block in blocks], dtype=np.float64)
    ranks = np.maximum(1, np.ceil(quantile * (sizes @ times)))
    ends = np.array([singly.min(), singly.max() + 1])
    between = [slice(*block.searchsorted(ends)) for block in blocks]
    merged = np.concatenate([block[part] for block, part in zip(blocks, between, strict=True)])
    order = np.argsort(merged, kind="stable")
    merged = merged[order]
    owner = np.repeat(np.arange(len(blocks)), [part.stop - part.start for part in between])[order]
    below = np.zeros((len(blocks), merged.size))
    below[owner, np.arange(merged.size)] = 1
    np.cumsum(below, axis=1, out=below)
    below += np.array([[part.start] for part in between])
    low = np.zeros(times.shape[1], dtype=np.int64)
    high = np.full(times.shape[1], merged.size - 1)
    while (low < high).any():
        middle = (low + high) // 2
        reached = (below.take(middle, axis=1) * times).sum(axis=0) >= ranks
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    found: npt.NDArray[np.float64] = merged[high].astype(np.float64)
    return found
