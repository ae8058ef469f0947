"""The search for a capacity: exact bounds, and targets whose capacity is known."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from simulated_system import MS

from loadtests.search import LOOKS, Bisection, Slo, ramp_is_over

SECOND = 1_000 * MS


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("requests", [1, 10, 700, 3000])
def test_a_promise_is_judged_by_the_exact_binomial(quantile: float, requests: int) -> None:
    """Each count is judged as the chances in whole numbers say that it must be, from the first count to the last."""
    share, wrong = 1 - Fraction(str(quantile)), Fraction(1, 100 * LOOKS)
    at_most, slo = Fraction(0), Slo(quantile=quantile, limit_ms=50)
    for over in range(min(requests, 60) + 1):
        below = at_most
        at_most += math.comb(requests, over) * share**over * (1 - share) ** (requests - over)
        truth = "holds" if at_most <= wrong else "fails" if 1 - below <= wrong else "open"
        assert slo.judge(requests=requests, over=over) == truth


def test_a_promise_is_read_as_it_is_written() -> None:
    """Quantile and limit come out of the text, in any of three units; anything else is refused."""
    assert Slo.parse("p99=50ms") == Slo(quantile=0.99, limit_ms=50)
    assert Slo.parse("p99.9=1s").limit_ms == 1000
    assert str(Slo.parse("p50=200us")) == "p50=0.2ms"
    for text in ("99=50ms", "p99", "p0=1ms", "p99=0ms", "p100=1ms", "p99=50"):
        with pytest.raises(ValueError, match="invalid SLO"):
            Slo.parse(text)


def test_a_promise_is_judged_by_what_was_seen() -> None:
    """Well inside is kept, well outside is broken, and what lies between is neither."""
    slo = Slo(quantile=0.99, limit_ms=50)
    assert slo.judge(requests=2000, over=5) == "holds"
    assert slo.judge(requests=2000, over=60) == "fails"
    assert slo.judge(requests=2000, over=20) == "open"
    assert slo.judge(requests=100, over=0) == "open"


@pytest.mark.parametrize("true_rps", [20.0, 333.0, 990.0])
def test_bisection_ends_just_below_the_truth(true_rps: float) -> None:
    """Whatever the rate that can be held, the search ends within 5 % below it."""
    search = Bisection(saturated_rps=1000)
    while (rate := search.next_rps()) is not None:
        search.learn(rate, held=rate <= true_rps)
    assert search.held_rps is not None
    assert true_rps / 1.06 < search.held_rps <= true_rps


def test_a_promise_nobody_can_keep_ends_the_search() -> None:
    """Where no rate holds there is none, after a handful of looks."""
    search = Bisection(saturated_rps=1000)
    looks = 0
    while (rate := search.next_rps()) is not None:
        search.learn(rate, held=False)
        looks += 1
    assert search.held_rps is None
    assert looks <= 6


def test_the_ramp_ends_where_more_users_bring_no_more() -> None:
    """Less than 5 % more from twice the users is saturation."""
    assert not ramp_is_over([100])
    assert not ramp_is_over([100, 180])
    assert ramp_is_over([100, 180, 185])
