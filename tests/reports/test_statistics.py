"""The statistics: worked examples, and what must hold over many simulated runs whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import statistics, verdicts
from reports.independent import independent_ratio
from reports.shared_variance import CommonVariance, noise_reach
from reports.statistics import PairedRatio
from reports.verdicts import NoiseFloor, Verdict

RUNS = 200
BLOCKS = 5


def test_holm_follows_the_worked_example() -> None:
    """Four p-values are multiplied by 4, 3, 2 and 1 from the smallest on, and made monotone."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_never_lowers_a_p_value_nor_swaps_two(raw: list[float]) -> None:
    """Adjusted values lie between the raw ones and 1, and keep their order."""
    adjusted = statistics.holm(raw)
    assert (adjusted >= np.asarray(raw)).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


def test_expanded_tail_follows_hesterberg() -> None:
    """For five blocks the tail of a 95 % interval is Phi(-sqrt(5/4) * 2.776), and it nears 2.5 % with many."""
    assert statistics.expanded_tail(5) == pytest.approx(0.000955, rel=0.01)
    assert statistics.expanded_tail(10_000) == pytest.approx(0.025, rel=0.01)


def test_enumerated_resamples_are_the_whole_bootstrap() -> None:
    """The 126 multisets of five blocks have chances that sum to 1, and the all-alike one has 1 in 3125."""
    drawn = statistics.resamples(5)
    assert drawn.counts.shape == (126, 5)
    assert drawn.chances.sum() == pytest.approx(1)
    assert drawn.chances[(drawn.counts == 5).any(axis=1)] == pytest.approx([1 / 3125] * 5)


@pytest.mark.parametrize("blocks", [2, 3, 5, 9])
def test_intervals_cover_the_truth_as_often_as_they_say(blocks: int) -> None:
    """Over 400 simulated comparisons at least 92 % of the 95 % intervals hold the true ratio, for few blocks too."""
    rng = np.random.default_rng(1)
    truth, held = 1.1, 0
    for _ in range(400):
        drift = rng.normal(0, 0.1, blocks)
        before = np.exp(drift + rng.normal(0, 0.02, blocks))
        after = truth * np.exp(drift + rng.normal(0, 0.02, blocks))
        measured = statistics.paired_ratio(before, after)
        held += measured.low <= truth <= measured.high
    assert held >= 0.92 * 400


def test_pairing_inside_blocks_cancels_the_machines_drift() -> None:
    """A drift of 30 % between blocks leaves a 5 % difference in plain sight."""
    rng = np.random.default_rng(2)
    drift = np.exp(rng.normal(0, 0.3, 5))
    before = 1000 * drift * np.exp(rng.normal(0, 0.003, 5))
    measured = statistics.paired_ratio(before, before * 1.05 * np.exp(rng.normal(0, 0.003, 5)))
    assert measured.low > 1.03
    assert measured.high < 1.07


def test_a_latency_ratio_is_inverted() -> None:
    """Half the latency is a ratio of 2: above 1 the candidate is always the faster one."""
    measured = statistics.paired_ratio([2.0, 2.1, 1.9], [1.0, 1.0, 1.01], lower_is_better=True)
    assert measured.ratio == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1.0, float("nan")], [1.0, 2.0]),
        ([1.0, float("inf")], [1.0, 2.0]),
        ([1.0, 0.0], [1.0, 2.0]),
        ([1.0, -1.0], [1.0, 2.0]),
        ([1.0], [2.0]),
        ([], []),
        ([1.0, 2.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
    ],
)
def test_broken_figures_raise(before: list[float], after: list[float]) -> None:
    """NaN, infinities, zeros, a single block, unequal lengths and blocks without variation are errors."""
    with pytest.raises(ValueError, match=r"."):
        statistics.paired_ratio(before, after)


@pytest.mark.parametrize(
    ("base", "new"),
    [
        ([], []),
        ([1.0], [2.0]),
        ([1.0, 1.1], [2.0]),
        ([1.0, 1.1], [2.0, float("nan")]),
        ([1.0, 1.1], [2.0, float("inf")]),
        ([1.0, 1.1], [2.0, 0.0]),
        ([1.0, 1.1], [2.0, 2.0]),
        ([1.0, 1.0], [2.0, 2.1]),
    ],
)
def test_broken_figures_of_two_runs_raise(base: list[float], new: list[float]) -> None:
    """Nothing, one block, NaN, infinity, zero, or a side without variation: an error, on either side."""
    for sides in ((base, new), (new, base)):
        with pytest.raises(ValueError, match=r"."):
            independent_ratio(*sides)


def test_the_ratio_of_two_runs_follows_welch() -> None:
    """SciPy's Welch test on the logarithms gives the same p-value and interval, for sides of different counts."""
    base, new = [100.0, 104.0, 97.0, 101.0], [110.0, 118.0, 109.0, 107.0, 121.0, 114.0]
    measured = independent_ratio(base, new)
    known = stats.ttest_ind(np.log(new), np.log(base), equal_var=False)
    assert measured.p_value == pytest.approx(known.pvalue)
    assert np.log([measured.low, measured.high]) == pytest.approx(list(known.confidence_interval()))
    inverse = independent_ratio(base, new, lower_is_better=True)
    assert (inverse.ratio, inverse.p_value) == pytest.approx((1 / measured.ratio, measured.p_value))


def test_what_other_cells_tell_narrows_the_ratio_of_two_runs() -> None:
    """With a variance known for certain the interval is the normal one of that variance; the ratio stays."""
    base, new = [100.0, 104.0, 97.0, 101.0], [110.0, 118.0, 109.0, 107.0]
    known = CommonVariance(variance=4e-4, freedom=math.inf)
    alone, told = independent_ratio(base, new), independent_ratio(base, new, common=(known, known))
    assert told.ratio == alone.ratio
    assert math.log(told.high / told.ratio) == pytest.approx(stats.norm.ppf(0.975) * math.sqrt(2 * 4e-4 / 4))
    assert told.high - told.low < alone.high - alone.low


def test_blocks_of_two_runs_are_not_paired() -> None:
    """The order of one run's blocks changes nothing, as it would were block 3 paired with block 3."""
    base, new = [100.0, 130.0, 90.0, 115.0], [104.0, 135.0, 94.0, 120.0]
    assert independent_ratio(base, new) == independent_ratio(base, new[::-1])
    assert statistics.paired_ratio(base, new).p_value < 0.01
    assert independent_ratio(base, new).p_value > 0.5


def test_a_verdict_is_never_made_of_nan() -> None:
    """A p-value that is not a number raises, whatever the interval says."""
    measured = statistics.paired_ratio([1.0, 1.01, 0.99], [1.2, 1.21, 1.22])
    with pytest.raises(ValueError, match="not finite"):
        verdicts.judge(measured, adjusted_p=float("nan"), noise=NoiseFloor(low=0.99, high=1.01))


def _family(rng: np.random.Generator, ratio: float, *, noise_sd: float, size: int) -> list[Verdict]:
    """The verdicts of one simulated family, gated on an A/A pair of the same noise."""

    def measure(truth: float) -> statistics.PairedRatio:
        noise = np.exp(rng.normal(0, noise_sd, (2, BLOCKS)))
        return statistics.paired_ratio(noise[0], truth * noise[1])

    itself = measure(1.0)
    floor = NoiseFloor(low=itself.low, high=itself.high)
    ratios = [measure(ratio) for _ in range(size)]
    adjusted = statistics.holm([one.p_value for one in ratios])
    return [
        verdicts.judge(one, adjusted_p=float(p), noise=floor).verdict for one, p in zip(ratios, adjusted, strict=True)
    ]


@pytest.mark.parametrize("noise_sd", [0.01, 0.05])
def test_at_most_one_family_in_twenty_holds_a_false_difference(noise_sd: float) -> None:
    """Of 200 families of nine equal pairs, at most 5 % call any of them faster or slower."""
    rng = np.random.default_rng(3)
    different = {Verdict.FASTER, Verdict.SLOWER}
    wrong = sum(bool(different & set(_family(rng, 1.0, noise_sd=noise_sd, size=9))) for _ in range(RUNS))
    assert wrong <= 0.05 * RUNS


def test_a_difference_of_five_percent_is_found() -> None:
    """With 0.6 % noise, five blocks call at least nine in ten true differences of 5 % faster, and none slower."""
    rng = np.random.default_rng(4)
    found = [verdict for _ in range(RUNS) for verdict in _family(rng, 1.05, noise_sd=0.006, size=4)]
    assert found.count(Verdict.FASTER) >= 0.9 * len(found)
    assert Verdict.SLOWER not in found


def test_equal_pairs_are_called_equivalent() -> None:
    """With 0.6 % noise, five blocks call at least nine in ten equal pairs equivalent."""
    rng = np.random.default_rng(5)
    found = [verdict for _ in range(RUNS) for verdict in _family(rng, 1.0, noise_sd=0.006, size=4)]
    assert found.count(Verdict.EQUIVALENT) >= 0.9 * len(found)


def test_a_noisy_machine_calls_nothing_equal() -> None:
    """Where the same code differs from itself by half, an interval of 20 % either way is not equivalent."""
    measured = statistics.paired_ratio([1.0, 1.0, 1.0, 1.0], [0.95, 1.06, 1.1, 0.88])
    judged = verdicts.judge(measured, adjusted_p=1.0, noise=NoiseFloor(low=0.6, high=1.5))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.margin == verdicts.WIDEST_MARGIN


def test_the_noise_floor_covers_what_the_same_code_does() -> None:
    """Of mean ratios of the same code, 95 in 100 stay within the floor that other runs of it have set."""
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(2000):
        draws = rng.normal(0.0, 0.05, size=(4, 5))
        itself = [
            PairedRatio(
                ratio=math.exp(row.mean()), low=0.9, high=1.1, p_value=1.0, blocks=5, log_sd=float(row.std(ddof=1))
            )
            for row in draws[:3]
        ]
        inside.append(abs(draws[3].mean()) < noise_reach(itself, 5))
    assert 0.935 < np.mean(inside) < 0.965


def test_no_block_is_no_noise_floor() -> None:
    """Without a measured block there is no floor, and a broken figure raises."""
    broken = PairedRatio(ratio=1.0, low=0.9, high=1.1, p_value=1.0, blocks=5, log_sd=math.nan)
    for itself in ([], [broken]):
        with pytest.raises(ValueError, match=r"noise|finite"):
            noise_reach(itself, 5)


def test_a_significant_ratio_inside_the_noise_floor_is_open() -> None:
    """A ratio that the same code reaches against itself is not called a difference, however small its p-value."""
    measured = statistics.paired_ratio([1.0, 1.0, 1.0, 1.0], [1.05, 1.051, 1.049, 1.05])
    judged = verdicts.judge(measured, adjusted_p=1e-6, noise=NoiseFloor(low=0.99, high=1.06))
    assert judged.verdict is Verdict.EQUIVALENT
    judged = verdicts.judge(
        statistics.paired_ratio([1.0] * 4, [1.04, 1.055, 1.065, 1.07]),
        adjusted_p=0.01,
        noise=NoiseFloor(low=0.99, high=1.06),
    )
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.blocks_needed


def test_without_a_noise_floor_nothing_is_faster() -> None:
    """A run in which nothing was measured against itself calls no difference, and says why."""
    measured = statistics.paired_ratio([1.0, 1.0, 1.0], [1.5, 1.51, 1.49])
    judged = verdicts.judge(measured, adjusted_p=0.001, noise=None)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "noise floor" in (judged.reason or "")


def test_the_blocks_that_are_asked_for_settle_it() -> None:
    """A simulated run with the blocks that the formula names finds its difference four times in five."""
    log_ratio, log_sd = math.log(1.04), 0.04
    blocks = statistics.blocks_for_difference(log_ratio, log_sd)
    assert blocks is not None
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(400):
        logs = rng.normal(log_ratio, log_sd, blocks)
        found += statistics.paired_ratio(np.ones(blocks), np.exp(logs)).p_value < statistics.SIGNIFICANCE
    assert 0.74 * 400 <= found <= 0.9 * 400
    assert statistics.blocks_for_equivalence(0.05, 0.01, 0.03) is None


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.5, 2000), min_size=2, max_size=7))
def test_the_median_lies_in_its_interval(values: list[float]) -> None:
    """Whatever the blocks are, the interval holds the median of the logarithms."""
    low, high = statistics.median_interval(values)
    middle = math.exp(float(np.median(np.log(values))))
    assert low <= middle * (1 + 1e-9)
    assert high >= middle * (1 - 1e-9)
