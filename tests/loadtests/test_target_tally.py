"""What one target's slices add up to."""

from __future__ import annotations

from loadtests.orders import PreparedRequest, TargetOrder
from loadtests.runner import LoadSegment
from loadtests.target_tally import TargetTally


def test_a_warm_up_ends_when_three_windows_agree() -> None:
    """Three in a row within 10 % of each other are steady: not two, not an outlier among them, not three of nothing."""
    request = PreparedRequest(method="GET", path="/", expect_body=None)
    tally = TargetTally(TargetOrder(id="a", base_url="http://127.0.0.1:1", requests=(request,)), [LoadSegment(users=1)])
    for windows, steady in (
        ([100, 100], False),
        ([50, 100, 105, 109], True),
        ([100, 100, 111], False),
        ([100, 100, 100, 50], False),
        ([0, 0, 0], False),
    ):
        tally._windows = [float(window) for window in windows]
        assert tally.steady_yet() is steady
