"""The ratio of two sets of blocks that were measured apart: two runs, on two days or of two commits.

Block 3 of one run and block 3 of another share a number and nothing else. To pair them would subtract noise that they
do not have in common, and halve the degrees of freedom for it. So each side is taken with a spread of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.shared_variance import CommonVariance, drawn
from reports.statistics import (
    CONFIDENCE,
    Floats,
    NoVariationError,
    Ratio,
    logarithms,
    student_below,
    student_quantile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentRatio(Ratio):
    """A ratio of two geometric means; `blocks` is the harmonic mean of both sides' counts, rounded down."""

    base_blocks: int
    new_blocks: int


def independent_ratio(
    base: Sequence[float] | Floats,
    new: Sequence[float] | Floats,
    *,
    lower_is_better: bool = False,
    common: tuple[CommonVariance | None, CommonVariance | None] = (None, None),
) -> IndependentRatio:
    """The ratio of the geometric means of two independent sets of blocks; above 1 `new` is faster.

    Welch 1947, "The generalization of 'Student's' problem when several different population variances are involved",
    on logarithms, with the degrees of freedom of Satterthwaite 1946: the sides need neither the same spread nor the
    same count. For a latency pass `lower_is_better`. `common` is what the other cells of each run tell of the variance
    of a block's logarithm; each side's own is drawn towards it (Smyth 2004, `reports/shared_variance.py`). Raises
    ValueError for fewer than two blocks on a side and for values that are not positive and finite; NoVariationError
    where a side does not vary, which no clock produces.
    """
    before, after = logarithms(base, least=2), logarithms(new, least=2)
    own = [(float(side.var(ddof=1)), side.size - 1.0) for side in (before, after)]
    if any(math.sqrt(variance) <= np.finfo(np.float64).eps for variance, _ in own):
        raise NoVariationError("the blocks do not vary at all, which no clock produces")
    variances, freedoms = zip(*(drawn(*one, shared) for one, shared in zip(own, common, strict=True)), strict=True)
    shares = np.array(variances) / [before.size, after.size]
    difference = float(after.mean() - before.mean()) * (-1 if lower_is_better else 1)
    error = math.sqrt(shares.sum())
    doubt = float((shares**2 / freedoms).sum())
    freedom = float(shares.sum() ** 2) / doubt if doubt else math.inf
    half = student_quantile(freedom, 0.5 + CONFIDENCE / 2) * error
    harmonic = 2 / (1 / before.size + 1 / after.size)
    return IndependentRatio(
        ratio=math.exp(difference),
        low=math.exp(difference - half),
        high=math.exp(difference + half),
        p_value=2 * student_below(freedom, -abs(difference) / error),
        blocks=math.floor(harmonic),
        log_sd=error * math.sqrt(math.floor(harmonic)),
        base_blocks=before.size,
        new_blocks=after.size,
    )
