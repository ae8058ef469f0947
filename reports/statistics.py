"""The statistics of an answer: intervals, tests and floors. Pure; seeded; broken input raises ValueError.

The unit of replication is the block: requests inside one block are correlated, and an interval over requests
would be far too narrow. Comparisons pair inside a block, so whatever the machine did during it cancels.

Every ratio is written so that **above 1 means that the candidate is faster**: candidate / baseline for a
throughput, baseline / candidate for a latency. Work is done on logarithms, where a ratio and its inverse are
equally far from 1.

Student's formulas stand here on scipy.special. scipy.stats has the same, but importing it takes 0.9 s of CPU time more
than all else that a report imports of SciPy, and half of its intervals differ from these in their last digit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
POWER = 0.8
# 7 blocks have 1716 distinct resamples: up to there the bootstrap is enumerated and has no error of its own.
EXACT_UP_TO = 7
RESAMPLES = 10_000
BLOCKS_WORTH_NAMING = 1000


class NoVariationError(ValueError):
    """Blocks without any variation: figures that were not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resamples:
    """Bootstrap resamples of n blocks: the times each was drawn, (R, n), and the resample's chance, (R,).

    `by_block` is `counts` turned, (n, R): what goes through the blocks one by one is several times quicker along it.
    """

    counts: npt.NDArray[np.int64]
    by_block: npt.NDArray[np.int64]
    chances: Floats

    @classmethod
    def of(cls, counts: npt.NDArray[np.int64], chances: Floats) -> Resamples:
        """The resamples of those counts."""
        return cls(counts=counts, by_block=np.ascontiguousarray(counts.T), chances=chances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio over blocks, its interval (95 %, or wider after looks) and the two-sided p-value of "it is 1".

    The logarithm of the ratio has the standard error `log_sd` / sqrt(`blocks`), which is known by as many degrees of
    freedom as there are blocks but one, and `shared_freedom` more that others tell of it.
    """

    ratio: float
    low: float
    high: float
    p_value: float
    blocks: int
    log_sd: float
    shared_freedom: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRatio(Ratio):
    """A ratio taken inside every block and averaged over them; `log_sd` is its spread from block to block."""


def finite(values: Sequence[float] | Floats, least: int = 1) -> Floats:
    """`values` as a vector. Raises ValueError for fewer than `least` and for anything not finite."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size < least:
        raise ValueError(f"{vector.size} values where at least {least} are needed")
    if not np.isfinite(vector).all():
        raise ValueError("a value is not finite")
    return vector


@cache
def resamples(blocks: int, seed: int = 0, exact_up_to: int = EXACT_UP_TO, random: int = RESAMPLES) -> Resamples:
    """All bootstrap resamples of `blocks` with their chances, or `random` drawn ones above `exact_up_to`.

    The enumeration is that of Fisher and Hall 1991, "Bootstrap algorithms for small samples": a resample is a
    multiset, and its chance is multinomial.
    """
    if blocks < 1:
        raise ValueError("there is no block to resample")
    if blocks > exact_up_to:
        drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=random)
        return Resamples.of(drawn.astype(np.int64), np.full(random, 1 / random))
    counts = np.array(
        [
            np.bincount(chosen, minlength=blocks)
            for chosen in itertools.combinations_with_replacement(range(blocks), blocks)
        ],
        dtype=np.int64,
    )
    ways = [math.factorial(blocks) / math.prod(math.factorial(int(k)) for k in row) for row in counts]
    return Resamples.of(counts, np.array(ways) / float(blocks) ** blocks)


def expanded_tail(blocks: int, confidence: float = CONFIDENCE) -> float:
    """The tail to cut off on each side, alpha'/2 = Phi(-sqrt(n/(n-1)) * t(1 - alpha/2, n-1)).

    Hesterberg 2015, "What Teachers Should Know about the Bootstrap": a plain percentile interval of a small
    sample is too narrow, by the factor sqrt((n-1)/n) and by z in the place of t.
    """
    if blocks < 2:
        raise ValueError("an interval needs at least two blocks")
    t = special.stdtrit(blocks - 1, 0.5 + confidence / 2)
    return float(special.ndtr(-math.sqrt(blocks / (blocks - 1)) * t))


def weighted_quantiles(values: Floats, chances: Floats, at: Sequence[float]) -> list[float]:
    """For each of `at` the smallest value whose cumulated chance reaches it."""
    # Where all chances are equal, which value has which does not matter, and a place is found without a sort.
    alike = bool((chances == chances[0]).all())
    order = None if alike else np.argsort(values, kind="stable")
    reached = np.cumsum(chances if order is None else chances[order])
    places = [min(int(np.searchsorted(reached, one * reached[-1], side="left")), values.size - 1) for one in at]
    ordered = np.partition(values, places) if order is None else values[order]
    return [float(ordered[place]) for place in places]


def student_interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's interval of the mean."""
    half = special.stdtrit(values.size - 1, 0.5 + confidence / 2) * values.std(ddof=1) / math.sqrt(values.size)
    return float(values.mean() - half), float(values.mean() + half)


def bootstrap_interval(
    block_values: Sequence[float] | Floats, statistics: Floats, drawn: Resamples, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The expanded percentile interval of a statistic over resampled blocks.

    `statistics` has the statistic of every resample, (R,); `block_values` that of every single block, (n,).
    No resample lies outside the range of its blocks, and that range covers the truth with 1 - 2^(1-n) at
    best: 50 % for two blocks, 94 % for five. Where that is less than the confidence (below six blocks, for 95 %) the
    interval is therefore widened to Student's where that one is wider.
    """
    values = finite(block_values, least=2)
    tail = expanded_tail(values.size, confidence)
    low, high = weighted_quantiles(statistics, drawn.chances, (tail, 1 - tail))
    if 1 - 2.0 ** (1 - values.size) < confidence:
        student = student_interval(values, confidence)
        low, high = min(low, student[0]), max(high, student[1])
    return low, high


def mean_interval(
    values: Sequence[float] | Floats, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The interval of the mean over blocks, in the unit of `values`."""
    vector = finite(values, least=2)
    drawn = resamples(vector.size, seed)
    return bootstrap_interval(vector, drawn.counts @ vector / vector.size, drawn, confidence)


def median_interval(values: Sequence[float] | Floats, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the median over blocks, worked out on logarithms: `values` are positive."""
    logs = logarithms(values, least=2)
    drawn = resamples(logs.size, seed)
    ordered = np.sort(logs)
    # The k-th smallest of a resample is the first value whose cumulated count passes k.
    reached, lower, upper = (np.zeros(drawn.chances.size, dtype=np.int64) for _ in range(3))
    for index in np.argsort(logs, kind="stable"):
        reached += drawn.by_block[index]
        lower += reached <= (logs.size - 1) // 2
        upper += reached <= logs.size // 2
    low, high = bootstrap_interval(logs, (ordered[lower] + ordered[upper]) / 2, drawn)
    return math.exp(low), math.exp(high)


def logarithms(values: Sequence[float] | Floats, least: int = 1) -> Floats:
    """Natural logarithms. Raises ValueError for a value that is not positive."""
    vector = finite(values, least)
    if (vector <= 0).any():
        raise ValueError("a value is not positive")
    return np.log(vector)


def in_pairs(first: Mapping[int, float], second: Mapping[int, float]) -> tuple[list[float], list[float]]:
    """The figures of those blocks that both have, in the blocks' order."""
    both = sorted(first.keys() & second.keys())
    return [first[block] for block in both], [second[block] for block in both]


def paired_ratio(
    baseline: Sequence[float] | Floats,
    candidate: Sequence[float] | Floats,
    *,
    lower_is_better: bool = False,
    seed: int = 0,
    level: float = SIGNIFICANCE,
) -> PairedRatio:
    """The geometric mean ratio of paired blocks, with an interval of confidence 1 - `level`.

    Above 1 the candidate is faster. Both vectors have one value a block, in the same order. For a latency pass
    `lower_is_better`, which inverts the ratio. Raises ValueError for fewer than two blocks, values that are not
    positive and finite, and unequal lengths; NoVariationError for blocks that do not vary at all, which no clock
    produces.
    """
    before, after = logarithms(baseline, least=2), logarithms(candidate, least=2)
    if before.size != after.size:
        raise ValueError(f"{before.size} blocks against {after.size}: they do not pair")
    logs = before - after if lower_is_better else after - before
    deviation = float(logs.std(ddof=1))
    if deviation <= np.finfo(np.float64).eps:
        raise NoVariationError("the blocks do not vary at all, which no clock produces")
    low, high = mean_interval(logs, seed, 1 - level)
    t = logs.mean() / (deviation / math.sqrt(logs.size))
    return PairedRatio(
        ratio=math.exp(logs.mean()),
        low=math.exp(low),
        high=math.exp(high),
        p_value=float(2 * special.stdtr(logs.size - 1, -abs(t))),
        blocks=logs.size,
        log_sd=deviation,
    )


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Holm's step-down adjusted p-values, in the order given; the family's error is at most the level used.

    Holm 1979, "A simple sequentially rejective multiple test procedure": the i-th smallest of m is multiplied
    by m - i + 1, made monotone, and capped at 1.
    """
    raw = finite(p_values)
    if ((raw < 0) | (raw > 1)).any():
        raise ValueError("a p-value lies outside 0 to 1")
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def blocks_for_difference(
    log_ratio: float, log_sd: float, level: float = SIGNIFICANCE, shared_freedom: float = 0.0
) -> int | None:
    """Blocks in all for Student's test at `level` to find this ratio four times in five; None above 1000."""
    return _fewest(abs(log_ratio), log_sd, level, shared_freedom)


def blocks_for_equivalence(
    log_ratio: float, log_sd: float, log_margin: float, level: float = SIGNIFICANCE, shared_freedom: float = 0.0
) -> int | None:
    """Blocks in all for the interval to lie inside the margin four times in five; None above 1000."""
    return _fewest(log_margin - abs(log_ratio), log_sd, level, shared_freedom)


def student_quantile(freedom: float, share: float) -> float:
    """Student's quantile; the normal one for infinite freedom."""
    return float(special.ndtri(share) if math.isinf(freedom) else special.stdtrit(freedom, share))


def student_below(freedom: float, at: float) -> float:
    """Student's distribution function; the normal one for infinite freedom."""
    return float(special.ndtr(at) if math.isinf(freedom) else special.stdtr(freedom, at))


def _fewest(distance: float, log_sd: float, level: float, shared_freedom: float) -> int | None:
    if distance <= 0:
        return None
    for blocks in range(2, BLOCKS_WORTH_NAMING + 1):
        freedom = blocks - 1 + shared_freedom
        reach = student_quantile(freedom, 1 - level / 2) + student_quantile(freedom, POWER)
        if reach * log_sd / math.sqrt(blocks) <= distance:
            return blocks
    return None
