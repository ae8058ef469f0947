"""Calibration: what the generator itself can do, against a server that does next to nothing.

The ceiling is the throughput at many users; it bounds generator and null server together, so it is the rate
above which a target's figures would be the generator's. The overhead is the median service time at one user:
what a request costs before a target has done any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.arrival import ClosedLoop
from loadtests.orders import TargetOrder, TrialOrder
from loadtests.scenarios import Scenario
from loadtests.slices import Conductor, Report


class CalibrationError(Exception):
    """The null server did not answer as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was found: requests/s and the busy share at `users`, microseconds per request at one user."""

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
    busy = _measure(target, message, int(message["users"]), report)
    alone = _measure(target, message, 1, report)
    return Calibration(
        ceiling_rps=busy["throughput_rps"],
        overhead_us=alone["p50_us"],
        users=busy["users"],
        cpu_share=busy["generator"]["cpu_share"],
    )


def _measure(target: TargetOrder, message: Mapping[str, Any], users: int, report: Report) -> dict[str, Any]:
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
    (record,) = Conductor(order, report).run()
    if record["errors"] or not record["completed"]:
        raise CalibrationError(f"the null server failed at {users} users: {record['reason']}, {record['error_kinds']}")
    return record
