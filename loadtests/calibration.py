"""Calibration: what the generator itself can do, against a server that does next to nothing.

The ceiling is the throughput at many users; it bounds generator and null server together, so it is the rate
above which a target's figures would be the generator's. The overhead is the median service time at one user:
what a request costs before a target has done any work.
"""

from __future__ import annotations

from loadtests.arrival import ClosedLoop
from loadtests.orders import CalibrationOrder, TrialOrder
from loadtests.scenarios import Scenario
from loadtests.trial import OnSlice, Trial
from loadtests.trial_record import Calibration, TrialRecord


class CalibrationError(Exception):
    """The null server did not answer as it should."""


def calibrate(order: CalibrationOrder, on_slice: OnSlice) -> Calibration:
    """What was found at many users, and at one.

    Raises CalibrationError where requests failed: a ceiling of errors bounds nothing.
    """
    busy = _measure(order, order.users, on_slice)
    alone = _measure(order, 1, on_slice)
    return Calibration(
        ceiling_rps=busy.throughput_rps,
        overhead_us=alone.p50_us or 0.0,
        users=busy.users,
        cpu_share=busy.generator.cpu_share,
    )


def _measure(order: CalibrationOrder, users: int, on_slice: OnSlice) -> TrialRecord:
    scenario = Scenario(
        endpoint="calibration",
        encoding="raw",
        payloads=len(order.target.requests),
        arrival=ClosedLoop(users=users),
    )
    whole = TrialOrder(
        scenario=scenario,
        targets=(order.target,),
        slices=order.slices,
        slice_s=order.slice_s,
        seed=0,
        timeout_s=order.timeout_s,
        label=scenario.id,
    )
    (record,) = Trial(whole, on_slice).run()
    if record.errors or not record.completed:
        raise CalibrationError(f"the null server failed at {users} users: {record.reason}, {record.error_kinds}")
    return record
