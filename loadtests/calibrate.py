"""Calibration: what the generator itself can do, against a server that does next to nothing.

The ceiling is the throughput at many users; it bounds generator and null server together, so it is the rate
above which a target's figures would be the generator's. The overhead is the median service time at one user:
what a request costs before a target has done any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtests.arrival import ClosedLoop
from loadtests.orders import TargetOrder, TrialOrder
from loadtests.samples import STEADY
from loadtests.scenarios import Scenario
from loadtests.slices import Conductor, Report


class CalibrationError(Exception):
    """The null server did not answer as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was found: requests/s and CPU share at `users`, microseconds per request at one user."""

    ceiling_rps: float
    overhead_us: float
    users: int
    cpu_share: float

    def to_json(self) -> dict[str, Any]:
        """The members of the journal's `generator` line."""
        return {
            "ceiling_rps": self.ceiling_rps,
            "overhead_us": self.overhead_us,
            "users": self.users,
            "cpu_share": self.cpu_share,
        }


def calibrate(message: Mapping[str, Any], report: Report) -> Calibration:
    """Answer `{"op": "calibrate", "target", "users", "slices", "slice_s", "timeout_s", "seed"}`.

    Raises CalibrationError where requests failed: a ceiling of errors bounds nothing.
    """
    target = TargetOrder.from_json(message["target"])
    busy, _ = _measure(target, message, int(message["users"]), report)
    _, overhead_us = _measure(target, message, 1, report)
    return Calibration(
        ceiling_rps=busy["throughput_rps"],
        overhead_us=overhead_us,
        users=busy["users"],
        cpu_share=busy["generator"]["cpu_share"],
    )


def _measure(
    target: TargetOrder, message: Mapping[str, Any], users: int, report: Report
) -> tuple[dict[str, Any], float]:
    scenario = Scenario(
        endpoint="calibration",
        encoding="raw",
        payloads=len(target.requests),
        arrival=ClosedLoop(users=users),
    )
    order = TrialOrder(
        scenario=scenario,
        targets=(target,),
        slices=int(message["slices"]),
        slice_s=float(message["slice_s"]),
        seed=int(message["seed"]),
        timeout_s=float(message["timeout_s"]),
        label=scenario.id,
    )
    conductor = Conductor(order, report)
    (record,) = conductor.run()
    if record["errors"] or not record["completed"]:
        raise CalibrationError(f"the null server failed at {users} users: {record['reason']}, {record['error_kinds']}")
    samples = conductor.tallies[0].samples
    service_ns = (samples.column("done_ns") - samples.column("sent_ns"))[samples.column("phase") == STEADY]
    return record, float(np.median(service_ns)) / 1e3
