"""Where a series of runs takes a step: a change of level that its own noise does not explain.

The largest Student's t over all places to cut in two (Sen and Srivastava 1975, "On tests for detecting change in
mean"), tried again on each part (binary segmentation, Scott and Knott 1974). The unit is the run: the blocks of one run
share the state that the machine was in. The noise is the larger of two readings: what the blocks say of a run's own
error, and what neighbours differ by (after von Neumann 1941), by the median, which one step hardly moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from reports.statistics import Floats, finite, logarithms

LEAST_RUNS = 6
"""Below that a single odd run and a step look alike."""
# Median of |d| over the standard deviation of one value, d the difference of two normal ones: 0.6745 * sqrt(2).
MEDIAN_DIFFERENCE = 0.6744897501960817 * math.sqrt(2)

FREEDOM_SHARE = 0.7
"""Degrees of freedom for each difference of neighbours: overlapping differences are worth fewer than their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """A step between two neighbouring runs: the first run of the new level, its ratio to the old, and the p-value."""

    first: int
    ratio: float
    p_value: float


def run_noise(logs: Sequence[float] | Floats, errors: Sequence[float] | Floats) -> float:
    """The standard deviation of one run's figure, on logarithms, as its blocks or its neighbours show it."""
    values, own = finite(logs, least=2), finite(errors, least=2)
    between = float(np.median(np.abs(np.diff(values)))) / MEDIAN_DIFFERENCE
    return max(between, math.sqrt(float((own**2).mean())))


def find_steps(
    figures: Sequence[float] | Floats, errors: Sequence[float] | Floats, *, level: float, least: float
) -> list[LevelChange]:
    """The steps of one series, in order; `figures` are positive and higher is better, one a run, oldest first.

    `errors` are the standard errors of their logarithms. `level` is the chance of even one false step that is
    allowed; it is divided by the number of places (Bonferroni). A step of less than the share `least` is none. Fewer
    than LEAST_RUNS runs have none. Raises ValueError for broken figures or unequal lengths.
    """
    logs, own = logarithms(figures), finite(errors)
    if logs.size != own.size:
        raise ValueError(f"{logs.size} figures with {own.size} errors")
    if (own <= 0).any():
        raise ValueError("a run without variation between its blocks was not measured")
    if logs.size < LEAST_RUNS:
        return []
    noise = run_noise(logs, own)
    cuts = sorted(_cuts(logs, 0, noise=noise, freedom=FREEDOM_SHARE * (logs.size - 1), level=level / (logs.size - 1)))
    ends = [0, *(cut for cut, _ in cuts), logs.size]
    means = [float(logs[left:right].mean()) for left, right in pairwise(ends)]
    found = [
        LevelChange(first=cut, ratio=math.exp(after - before), p_value=p_value)
        for (cut, p_value), (before, after) in zip(cuts, pairwise(means), strict=True)
    ]
    return [step for step in found if abs(math.log(step.ratio)) > math.log1p(least)]


def _cuts(part: Floats, start: int, *, noise: float, freedom: float, level: float) -> list[tuple[int, float]]:
    """Where the level changes in `part`, which begins at run `start`: each place with its uncorrected p-value."""
    if part.size < 2:
        return []
    before = np.arange(1, part.size)
    after = part.size - before
    sums = np.cumsum(part)[:-1]
    differences = (part.sum() - sums) / after - sums / before
    scores = np.abs(differences) / (noise * np.sqrt(1 / before + 1 / after))
    best = int(np.argmax(scores))
    p_value = float(2 * special.stdtr(freedom, -scores[best]))
    if p_value >= level:
        return []
    cut = best + 1
    return [
        (start + cut, p_value),
        *_cuts(part[:cut], start, noise=noise, freedom=freedom, level=level),
        *_cuts(part[cut:], start + cut, noise=noise, freedom=freedom, level=level),
    ]
