"""What a look costs: nominal levels of a test that is repeated as blocks come in. Pure.

Whoever tests at 0.05 after every few blocks and stops when it is significant, is wrong far more often than one time in
twenty. So the error is spent little by little (Lan and DeMets 1983, "Discrete sequential boundaries for clinical
trials"): six tenths of it at the first look, and at every further look half of what is left, however many come.

The level of each look follows from the looks before it by the recursive numerical integration of Armitage, McPherson
and Rowe 1969, "Repeated significance tests on accumulating data": statistics of looks are correlated normals, whose
information is the number of blocks. The levels are then used for Student's p-values, whose degrees of freedom grow from
look to look (the significance level approach: Jennison and Turnbull 2000, "Group Sequential Methods", chapters 4 and
11). `tests/reports/test_looks.py` simulates what that comes to with few blocks.

Several comparisons of a family need one figure each for Holm's correction: the smallest error at which the comparison
would be significant at its look, were that error spent in the same way (a sequential p-value: Liu and Anderson 2008,
"On adaptive extensions of group sequential trials for clinical investigations").
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import numpy as np
from scipy import special

from reports.statistics import SIGNIFICANCE, Floats

_FIRST: Final = 0.6
"""The share of the error that the first look may spend: so much that most pairs are decided without another."""

_LEAST_BLOCKS: Final = 2
"""With fewer there is no test, so nothing is spent."""

_NODES: Final = 64
"""Of the quadrature over half of a symmetric density: levels are exact to 1e-9 for steps of a tenth more blocks."""

_WIDEST: Final = 40.0
"""No boundary lies beyond so many standard deviations: the chance of that is below the smallest number there is."""

_HALVINGS: Final = 60
_LEAST_ERROR: Final = 1e-9
_ERRORS: Final = np.geomspace(_LEAST_ERROR, 1.0, 91)


def looks_of(blocks: Iterable[int], cuts: Sequence[int]) -> tuple[int, ...]:
    """How many of a pair's `blocks` there were at each look that had more of them than the one before.

    `cuts` are the numbers of blocks that the run had at its looks. A look without new blocks of a pair is none at it.
    """
    own = sorted(blocks)
    counts = dict.fromkeys(sum(number < cut for number in own) for cut in cuts)
    return tuple(count for count in counts if count >= _LEAST_BLOCKS)


def level_at(looks: Sequence[int], error: float = SIGNIFICANCE) -> float:
    """The two-sided nominal level of the last of `looks`, which are numbers of blocks, when `error` is spent on all.

    Raises ValueError where there is no look, or one without more blocks than the one before.
    """
    return float(_levels(_checked(looks), np.array([error]))[0])


def p_after(p_value: float, looks: Sequence[int]) -> float:
    """The p-value that counts all looks, given that of the last look by itself; where there is no look, that itself.

    It is below an error exactly where `p_value` is below the level of the last look for that error. Raises ValueError
    for a p-value that is none, and for looks as `level_at` does.
    """
    if not 0 <= p_value <= 1:
        raise ValueError(f"{p_value} is no p-value")
    if not looks:
        return p_value
    own = _checked(looks)
    levels = _table(own)
    if p_value <= levels[0]:
        # A look's level is at least what it spends, so this bounds it from above.
        return min(p_value / (_share(len(own)) - _share(len(own) - 1)), _LEAST_ERROR)
    if p_value >= levels[-1]:
        return 1.0
    return float(np.exp(np.interp(math.log(p_value), np.log(levels), np.log(_ERRORS))))


def _checked(looks: Sequence[int]) -> tuple[int, ...]:
    own = tuple(looks)
    if not own or own[0] < 1 or any(after <= before for before, after in itertools.pairwise(own)):
        raise ValueError(f"{own} are no numbers of blocks of one look after the other")
    return own


def _share(looks: int) -> float:
    """The share of the error that so many looks may have spent together."""
    return 1 - (1 - _FIRST) * 0.5 ** (looks - 1) if looks else 0.0


@cache
def _table(looks: tuple[int, ...]) -> Floats:
    """The level of the last look for each of `_ERRORS`."""
    return _levels(looks, _ERRORS)


def _levels(looks: tuple[int, ...], errors: Floats) -> Floats:
    """The nominal level of the last look for each of `errors`.

    The sum over blocks has the density `f` where no look has been significant yet, known at `at`; both are (errors,
    nodes), on the positive half alone, since all is symmetric.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    # Before the first look all of it is at zero: a half with the weight of the whole's half.
    at, f, w = np.zeros((errors.size, 1)), np.full((errors.size, 1), 0.5), np.ones((errors.size, 1))
    bounds = np.zeros(errors.size)
    before = 0
    for look, blocks in enumerate(looks, start=1):
        step_sd = math.sqrt(blocks - before)
        spend = errors * (_share(look) - _share(look - 1))
        low, high = np.zeros(errors.size), np.full(errors.size, _WIDEST * math.sqrt(blocks))
        for _ in range(_HALVINGS):
            bounds = (low + high) / 2
            beyond = special.ndtr((at - bounds[:, None]) / step_sd) + special.ndtr((-at - bounds[:, None]) / step_sd)
            more = (2 * (f * w * beyond).sum(axis=1)) > spend
            low, high = np.where(more, bounds, low), np.where(more, high, bounds)
        here = nodes * bounds[:, None]
        apart = (here[:, :, None] - at[:, None, :]) / step_sd
        mirrored = (here[:, :, None] + at[:, None, :]) / step_sd
        kernel = (np.exp(-(apart**2) / 2) + np.exp(-(mirrored**2) / 2)) / (step_sd * math.sqrt(2 * math.pi))
        f = (kernel * (f * w)[:, None, :]).sum(axis=2)
        at, w = here, weights * bounds[:, None]
        before = blocks
    return np.asarray(2 * special.ndtr(-bounds / math.sqrt(looks[-1])), dtype=np.float64)
