"""Looking often costs no false alarms: levels of repeated tests, simulated with few blocks and Student's noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from reports import looks, statistics

SIX = (5, 8, 12, 18, 27, 41)
"""What a run of plan quick comes to, where something stays undecided for six looks."""
FAMILIES = 4000
PAIRS = 10
SHARED = 0.3
"""The part of a pair's variance that all pairs of a family have in common: the baseline is one."""
TAIL_DF = 4
"""Student's noise with so few degrees of freedom has tails as heavy as a neighbour makes them."""


@pytest.fixture(name="p_values", scope="module")
def _p_values() -> np.ndarray:
    """Student's p-values where nothing differs: (looks, families, pairs)."""
    rng = np.random.default_rng(16)
    common = rng.standard_t(TAIL_DF, size=(FAMILIES, 1, SIX[-1]))
    own = rng.standard_t(TAIL_DF, size=(FAMILIES, PAIRS, SIX[-1]))
    blocks = math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * own
    found = []
    for count in SIX:
        seen = blocks[:, :, :count]
        t = seen.mean(axis=2) / (seen.std(axis=2, ddof=1) / math.sqrt(count))
        found.append(2 * special.stdtr(count - 1, -np.abs(t)))
    return np.array(found)


def _false_alarms(p_values: np.ndarray, paid: Callable[[float, int], float]) -> float:
    """Families in which at any look some pair is significant, when each p-value has `paid` for its look."""
    alarmed = np.zeros(FAMILIES, dtype=bool)
    for look, here in enumerate(p_values, start=1):
        for number in np.flatnonzero(here.min(axis=1) < statistics.SIGNIFICANCE):
            adjusted = statistics.holm([paid(float(p_value), look) for p_value in here[number]])
            alarmed[number] |= bool((adjusted < statistics.SIGNIFICANCE).any())
    return float(alarmed.mean())


def test_families_have_a_false_alarm_at_most_one_time_in_twenty(p_values: np.ndarray) -> None:
    """With ten pairs and six looks, each counted as an end; and naive p-values at every look are far over."""
    share = _false_alarms(p_values, lambda p_value, look: looks.p_after(p_value, SIX[:look]))
    naive = _false_alarms(p_values, lambda p_value, _: p_value)
    print(f"false alarms in a family: {share:.4f}, with naive looks {naive:.4f}")
    assert share <= 0.05
    assert naive > 0.09


def test_the_error_that_is_spent_is_the_one_that_was_meant() -> None:
    """Of a million walks of normal steps as many have crossed by each look as the spending function says."""
    rng = np.random.default_rng(3)
    total, crossed, before = np.zeros(1_000_000), np.zeros(1_000_000, dtype=bool), 0
    for look, count in enumerate(SIX, start=1):
        total += rng.normal(0, math.sqrt(count - before), total.size)
        before = count
        crossed |= 2 * special.ndtr(-np.abs(total) / math.sqrt(count)) < looks.level_at(SIX[:look])
        meant = 0.05 - 0.02 * 0.5 ** (look - 1)
        assert crossed.mean() == pytest.approx(meant, abs=4 * math.sqrt(meant / total.size))


@pytest.mark.parametrize("own", [SIX[:count] for count in range(1, 7)] + [(2, 3, 5), (15, 16)])
def test_a_paid_p_value_is_below_the_error_where_the_plain_one_is_below_the_level(own: tuple[int, ...]) -> None:
    """At 0.05 and at a tenth of it, which Holm asks of the first of ten; and it grows with the plain one."""
    for error in (0.05, 0.005):
        level = looks.level_at(own, error)
        assert looks.p_after(0.999 * level, own) < error < looks.p_after(1.001 * level, own)
    plain = np.geomspace(1e-18, 1, 200)
    paid = [looks.p_after(float(one), own) for one in plain]
    assert paid == sorted(paid)
    assert all(after >= before for before, after in zip(plain, paid, strict=True))


def test_one_look_of_a_run_with_fixed_blocks_is_free() -> None:
    """Without a look to pay for the p-value stays as it is, to the last bit."""
    assert looks.p_after(0.0123, ()) == 0.0123


def test_known_boundaries_are_found() -> None:
    """With 0.03 spent at the first look the second's level is that of the bivariate normal distribution."""
    first, second = looks.level_at((10,)), looks.level_at((10, 20))
    assert first == pytest.approx(0.03, rel=1e-9)
    c1, c2 = (-special.ndtri(level / 2) for level in (first, second))
    z = np.linspace(-c1, c1, 200_001)
    # Given the first statistic z, the second is normal about z / sqrt(2) with variance 1 / 2.
    beyond = special.ndtr((z / math.sqrt(2) - c2) * math.sqrt(2)) + special.ndtr(
        (-z / math.sqrt(2) - c2) * math.sqrt(2)
    )
    assert np.trapezoid(np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * beyond, z) == pytest.approx(0.01, rel=1e-6)


def test_a_look_without_new_blocks_of_a_pair_is_none_at_it() -> None:
    """Each pair has its own looks; one block alone is no test."""
    assert looks.looks_of(range(12), (5, 8, 12)) == (5, 8, 12)
    assert looks.looks_of(range(5), (5, 8, 12)) == (5,)
    assert looks.looks_of([0, 1, 2, 3, 4, 8, 9], (5, 8, 12)) == (5, 7)
    assert looks.looks_of(range(6), (5, 8)) == (5, 6)
    assert looks.looks_of([3, 5, 6], (5, 8)) == (3,)


@pytest.mark.parametrize("own", [(0, 5), (5, 5), (8, 5)])
def test_what_are_no_looks_raises(own: tuple[int, ...]) -> None:
    """Information grows from look to look."""
    with pytest.raises(ValueError, match="one look after the other"):
        looks.level_at(own)


@pytest.mark.parametrize("p_value", [-0.1, 1.1, math.nan])
def test_what_is_no_p_value_raises(p_value: float) -> None:
    """A broken figure never turns into a verdict."""
    with pytest.raises(ValueError, match="no p-value"):
        looks.p_after(p_value, (5,))


def test_stopping_at_a_width_and_then_testing_is_over_its_level() -> None:
    """The rule of a plain interval that is narrow enough, simulated beside ours for docs/design-notes.md.

    A pair without a difference is measured until Student's 95 % interval is narrower than a width, and is then tested
    at 0.05. An interval is narrow first where the spread happens to be small, so it leaves out 1 too often.
    """
    rng = np.random.default_rng(8)
    blocks = rng.normal(0, 0.02, size=(20_000, SIX[-1]))
    alarmed = _after_width(blocks, half_width=0.01)
    print(f"false alarms of the width rule, one pair: {alarmed:.4f}")
    assert alarmed > 0.06


def _after_width(blocks: np.ndarray, half_width: float) -> float:
    alarmed, going = np.zeros(len(blocks), dtype=bool), np.ones(len(blocks), dtype=bool)
    for count in range(3, blocks.shape[1] + 1):
        seen = blocks[:, :count]
        half = special.stdtrit(count - 1, 0.975) * seen.std(axis=1, ddof=1) / math.sqrt(count)
        stops = going & ((half < half_width) | (count == blocks.shape[1]))
        alarmed |= stops & (np.abs(seen.mean(axis=1)) > half)
        going &= ~stops
    return float(alarmed.mean())
