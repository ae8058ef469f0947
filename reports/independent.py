"""The ratio of two sets of blocks that were measured apart: two runs, on two days or of two commits.

Block 3 of one run and block 3 of another share a number and nothing else. To pair them would subtract noise that they
do not have in common, and halve the degrees of freedom for it. So each side is taken with a spread of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from reports.statistics import CONFIDENCE, Floats, NoVariationError, Ratio, logarithms


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentRatio(Ratio):
    """A ratio of two geometric means; `blocks` is the harmonic mean of both sides' counts, rounded down."""

    base_blocks: int
    new_blocks: int


def independent_ratio(
    base: Sequence[float] | Floats, new: Sequence[float] | Floats, *, lower_is_better: bool = False
) -> IndependentRatio:
    """The ratio of the geometric means of two independent sets of blocks; above 1 `new` is faster.

    Welch 1947, "The generalization of 'Student's' problem when several different population variances are involved",
    on logarithms, with the degrees of freedom of Satterthwaite 1946: the sides need neither the same spread nor the
    same count. For a latency pass `lower_is_better`. Raises ValueError for fewer than two blocks on a side and for
    values that are not positive and finite; NoVariationError where a side does not vary, which no clock produces.
    """
    before, after = logarithms(base, least=2), logarithms(new, least=2)
    shares = np.array([side.var(ddof=1) / side.size for side in (before, after)])
    if (np.sqrt(shares) <= np.finfo(np.float64).eps).any():
        raise NoVariationError("the blocks do not vary at all, which no clock produces")
    difference = float(after.mean() - before.mean()) * (-1 if lower_is_better else 1)
    error = math.sqrt(shares.sum())
    freedom = float(shares.sum() ** 2 / (shares**2 / [before.size - 1, after.size - 1]).sum())
    half = float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    harmonic = 2 / (1 / before.size + 1 / after.size)
    return IndependentRatio(
        ratio=math.exp(difference),
        low=math.exp(difference - half),
        high=math.exp(difference + half),
        p_value=float(2 * special.stdtr(freedom, -abs(difference) / error)),
        blocks=math.floor(harmonic),
        log_sd=error * math.sqrt(math.floor(harmonic)),
        base_blocks=before.size,
        new_blocks=after.size,
    )
