"""From a ratio with its interval to one word that may be published.

The rules, in this order: `invalid` where the comparison is not fair or has no figures; `equivalent` where
the interval lies inside the margin; `faster` or `slower` where the family-wise p-value is below 0.05, the
interval leaves out 1 and the ratio lies outside what the same code did against itself; else `inconclusive`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from reports import statistics, wording
from reports.statistics import PairedRatio, Ratio

LEAST_MARGIN = 0.03
# A noise floor above this hides real differences; calling targets equal within it would be an answer to nothing.
WIDEST_MARGIN = 0.10


class Verdict(StrEnum):
    """What a comparison came to; the candidate is faster or slower than the baseline."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """The 95 % interval of the ratio of one target to itself under a second name."""

    low: float
    high: float

    @property
    def reach(self) -> float:
        """How far from 1 the same code may come out, as a share: 0.02 is 2 % either way."""
        return max(self.high, 1 / self.low) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict, why, the margin it was held against, and the blocks still missing where it is open."""

    verdict: Verdict
    reason: str | None
    margin: float
    blocks_needed: int | None = None


def margin_of(noise: NoiseFloor | None) -> float:
    """The share within which two targets count as equal: 3 %, or the noise floor where larger, and 10 % at most."""
    return min(max(LEAST_MARGIN, noise.reach), WIDEST_MARGIN) if noise else LEAST_MARGIN


def judge(
    measured: Ratio, *, adjusted_p: float, noise: NoiseFloor | None, level: float = statistics.SIGNIFICANCE
) -> Judgement:
    """The verdict on one fair comparison, whose interval has the confidence 1 - `level`.

    `adjusted_p` is corrected for looks and family, so it is held against 0.05. Raises ValueError where a figure is not
    a number.
    """
    _whole(measured)
    # A maximum leaves NaN out, and a comparison with it is false: a broken floor would be no floor at all.
    statistics.finite([adjusted_p, *((noise.low, noise.high) if noise else ())])
    margin = margin_of(noise)
    if 1 / (1 + margin) < measured.low and measured.high < 1 + margin:
        return Judgement(verdict=Verdict.EQUIVALENT, reason=_within(margin), margin=margin)
    significant = adjusted_p < statistics.SIGNIFICANCE and not measured.low <= 1 <= measured.high
    if significant and noise is None:
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason="no target was measured against itself, so the noise floor is not known",
            margin=margin,
        )
    if significant and noise and not noise.low <= measured.ratio <= noise.high:
        verdict = Verdict.FASTER if measured.ratio > 1 else Verdict.SLOWER
        return Judgement(verdict=verdict, reason=None, margin=margin)
    return _open(measured, margin=margin, noise=noise, level=_level(measured, adjusted_p), interval_level=level)


def judge_noise(measured: PairedRatio) -> Judgement:
    """The verdict on a target against itself: the margin is the plain 3 %, since it sets the other one.

    Raises ValueError where a figure is not a number.
    """
    _whole(measured)
    noise = NoiseFloor(low=measured.low, high=measured.high)
    if noise.reach < LEAST_MARGIN:
        return Judgement(verdict=Verdict.EQUIVALENT, reason=_within(LEAST_MARGIN), margin=LEAST_MARGIN)
    if not measured.low <= 1 <= measured.high:
        text = f"the same code differed from itself: up to {wording.percent(noise.reach)} % is noise here"
        return Judgement(verdict=Verdict.INCONCLUSIVE, reason=text, margin=LEAST_MARGIN)
    return _open(measured, margin=LEAST_MARGIN, noise=None, level=statistics.SIGNIFICANCE)


def _whole(measured: Ratio) -> None:
    """Raises ValueError where a figure of the ratio is not a number."""
    statistics.finite([measured.ratio, measured.low, measured.high, measured.p_value, measured.log_sd])


def _within(margin: float) -> str:
    return f"within {wording.percent(margin)} %"


def _level(measured: Ratio, adjusted_p: float) -> float:
    """The level that looks and family leave to this comparison: 0.05 over the factor of both corrections."""
    factor = adjusted_p / measured.p_value if measured.p_value > 0 else 1.0
    return statistics.SIGNIFICANCE / max(1.0, factor)


def _open(
    measured: Ratio,
    *,
    margin: float,
    noise: NoiseFloor | None,
    level: float,
    interval_level: float = statistics.SIGNIFICANCE,
) -> Judgement:
    """`inconclusive`, with the blocks that would settle it if the figures stay as they are."""
    distance = abs(math.log(measured.ratio))
    totals = [
        statistics.blocks_for_difference(distance, measured.log_sd, level, measured.shared_freedom),
        statistics.blocks_for_equivalence(
            distance, measured.log_sd, math.log1p(margin), interval_level, measured.shared_freedom
        ),
    ]
    known = [total for total in totals if total is not None]
    if not known:
        text = f"more than {statistics.BLOCKS_WORTH_NAMING} blocks would be needed"
        return Judgement(verdict=Verdict.INCONCLUSIVE, reason=text, margin=margin)
    # Equal figures are no difference, however many blocks there are. The noise floor narrows with the root of the
    # blocks too, and has to fall below the ratio.
    floor = (
        0 if noise is None or not distance else math.ceil(measured.blocks * (math.log1p(noise.reach) / distance) ** 2)
    )
    total = min(known) if totals[1] == min(known) else max(min(known), floor)
    more = max(1, total - measured.blocks)
    return Judgement(
        verdict=Verdict.INCONCLUSIVE,
        reason=f"about {more} more block{'s' if more > 1 else ''} needed",
        margin=margin,
        blocks_needed=more,
    )
