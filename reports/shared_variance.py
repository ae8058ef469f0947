"""What the pairs of a run tell of each other's noise.

Four blocks of one pair say little of its spread, and a Student interval from them alone is wide for want of knowledge,
not for noise. But the pairs of a run share machine, generator and hour, so their variances are alike, though not equal.
Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression in microarray experiments":
variances are taken as drawn from a scaled inverse chi-square distribution, whose two parameters the sample variances
themselves tell; each pair's own is then drawn towards the common one, by as much as the common one is known better, and
its t has as many degrees of freedom more. Where variances differ much, the method finds that out and shares little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from reports.statistics import SIGNIFICANCE, PairedRatio, finite, student_below, student_quantile

LEAST_PAIRS = 4
"""Of fewer variances the spread is not known, and nothing is shared."""
_STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonVariance:
    """What is known beforehand of a pair's variance: its size, worth so many degrees of freedom.

    They are infinite where all variances are as alike as chance would have them.
    """

    variance: float
    freedom: float


def common_variance(variances: Sequence[float], freedoms: Sequence[float]) -> CommonVariance | None:
    """The common variance of these sample variances, or None where nothing is to be shared.

    By moments of log variances (Smyth 2004, section 6.2). Raises ValueError for what is not positive and finite.
    """
    found, freedom = finite(variances), finite(freedoms)
    if found.size != freedom.size or (found <= 0).any() or (freedom <= 0).any():
        raise ValueError("each variance is positive and has its degrees of freedom")
    if found.size < LEAST_PAIRS:
        return None
    centred = np.log(found) - special.digamma(freedom / 2) + np.log(freedom / 2)
    beyond = float(centred.var(ddof=1) - special.polygamma(1, freedom / 2).mean())
    if beyond <= 0:
        return CommonVariance(variance=math.exp(centred.mean()), freedom=math.inf)
    half = _inverse_trigamma(beyond)
    return CommonVariance(variance=math.exp(centred.mean() + special.digamma(half) - math.log(half)), freedom=2 * half)


def drawn(variance: float, freedom: float, common: CommonVariance | None) -> tuple[float, float]:
    """A sample variance of so many degrees of freedom drawn towards the common one, and the freedom of both."""
    if common is None:
        return variance, freedom
    if math.isinf(common.freedom):
        return common.variance, math.inf
    both = freedom + common.freedom
    return (freedom * variance + common.freedom * common.variance) / both, both


def moderated(measured: PairedRatio, common: CommonVariance | None, level: float = SIGNIFICANCE) -> PairedRatio:
    """The same ratio with its own variance drawn towards the common one, by Student's t with the freedom of both.

    Its interval has the confidence 1 - `level`.
    """
    if common is None:
        return measured
    variance, freedom = drawn(measured.log_sd**2, measured.blocks - 1, common)
    error = math.sqrt(variance / measured.blocks)
    centre = math.log(measured.ratio)
    half = student_quantile(freedom, 1 - level / 2) * error
    return replace(
        measured,
        low=math.exp(centre - half),
        high=math.exp(centre + half),
        p_value=2 * student_below(freedom, -abs(centre) / error),
        log_sd=math.sqrt(variance),
        shared_freedom=common.freedom,
    )


def noise_reach(
    itself: Sequence[PairedRatio], blocks: int, shared_variance: float = 0.0, shared_freedom: float = 0.0
) -> float:
    """How far from 1 the mean ratio of the same code over `blocks` blocks comes out, 95 times in 100, as a log.

    `itself` are A/A ratios whose noise is taken to be of one size. Their true value is known to be 1, so every block of
    every one of them is a deviation, and the pooled variance has as many degrees of freedom as there are blocks in all,
    and as many more as `shared_variance` is worth, which other pairs tell of.
    Raises ValueError where there is no block.
    """
    total = sum(one.blocks for one in itself)
    if total < 1 or blocks < 1:
        raise ValueError("no block, so no noise is known")
    # (n - 1) sd^2 + n mean^2 is the sum of squares about zero.
    squares = sum((one.blocks - 1) * one.log_sd**2 + one.blocks * math.log(one.ratio) ** 2 for one in itself)
    finite([squares])
    if math.isinf(shared_freedom):
        variance = shared_variance
    else:
        variance = (squares + shared_freedom * shared_variance) / (total + shared_freedom)
    return student_quantile(total + shared_freedom, 0.975) * math.sqrt(variance / blocks)


def _inverse_trigamma(value: float) -> float:
    """Newton's method on the reciprocal, which is convex and nearly linear (Smyth 2004, appendix)."""
    found = 0.5 + 1 / value
    for _ in range(_STEPS):
        trigamma = float(special.polygamma(1, found))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, found))
        found += step
        if -step / found < 1e-9:
            break
    return found
