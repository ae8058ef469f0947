"""Orders are data that survive a trip through JSON, and make sense."""

from __future__ import annotations

import msgspec
import pytest

from loadtests.orders import PreparedRequest, TargetOrder, TrialOrder
from loadtests.scenarios import closed


def test_orders_survive_json() -> None:
    """What is sent to the generator is what was ordered, raw bytes included."""
    order = TrialOrder(
        scenario=closed("classify", 4)[0],
        targets=(
            TargetOrder(
                id="flask+gunicorn+function+cpu#2",
                base_url="http://127.0.0.1:1/x",
                pids=(1, 2),
                requests=(
                    PreparedRequest(
                        method="POST",
                        path="/classify",
                        headers={"Content-Type": "image/png"},
                        body=bytes(range(256)),
                        expect_body=b"\xff\x00",
                    ),
                    PreparedRequest(method="GET", path="/", expect_status=404, expect_body=None),
                ),
            ),
        ),
        slices=3,
        seed=9,
        ceiling_rps=5.5,
        out="samples",
        label="b0",
    )
    assert msgspec.json.decode(msgspec.json.encode(order), type=TrialOrder) == order


def test_orders_that_make_no_sense_are_refused() -> None:
    """Two targets of one id, no targets, no requests, no slices: ValueError before anything runs."""
    request = PreparedRequest(method="GET", path="/", expect_body=None)
    target = TargetOrder(id="a", base_url="http://h", requests=(request,))
    scenario = closed("predict", 1)[0]
    for targets, slices in (((target, target), 1), ((), 1), ((target,), 0)):
        with pytest.raises(ValueError, match="a trial needs"):
            TrialOrder(scenario=scenario, targets=targets, slices=slices, seed=0, label="x")
    with pytest.raises(ValueError, match="at least one request"):
        TargetOrder(id="a", base_url="http://h", requests=())
