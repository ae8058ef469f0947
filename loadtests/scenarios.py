"""Scenarios (one workload each) and plans (how much of which), as data.

A plan says nothing of targets: which ones are compared, and along which axis, is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from loadtests.arrival import Arrival, ClosedLoop, arrival_from_record

PREDICT, ADVANCED, CLASSIFY = "predict", "advanced_predict", "classify"

ENCODINGS = {PREDICT: "json", ADVANCED: "json", CLASSIFY: "form"}
"""How each endpoint's payload travels. `form` is the article's own way for images: base64 in a urlencoded
field, the
one encoding that every target, the native ones too, takes."""

PAYLOADS = {PREDICT: 16, ADVANCED: 16, CLASSIFY: 8}
"""Different payloads per endpoint, so that an answer kept in a cache is not what gets measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One workload: an endpoint, how many payloads in which encoding, and the arrival law."""

    endpoint: str
    encoding: str
    payloads: int
    arrival: Arrival

    @property
    def users(self) -> int:
        """Users, each with one connection."""
        return self.arrival.users

    @property
    def variant(self) -> str | None:
        """The encoding where it is not the endpoint's usual one."""
        return None if self.encoding == ENCODINGS.get(self.endpoint, self.encoding) else self.encoding

    @property
    def id(self) -> str:
        """`{endpoint}@{users}` in a closed loop, with `/{encoding}` where the encoding is not the usual one."""
        return f"{self.endpoint}@{self.users}" + (f"/{self.variant}" if self.variant else "")

    def to_json(self) -> dict[str, Any]:
        """The record of a run's journal."""
        return {
            "id": self.id,
            "endpoint": self.endpoint,
            "users": self.users,
            "payloads": self.payloads,
            "encoding": self.encoding,
            "arrival": self.arrival.kind,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Scenario:
        """The scenario that `to_json` recorded. Raises KeyError or ValueError on anything else."""
        return cls(
            endpoint=str(record["endpoint"]),
            encoding=str(record["encoding"]),
            payloads=int(record["payloads"]),
            arrival=arrival_from_record(record),
        )


def closed(endpoint: str, *users: int, encoding: str | None = None) -> tuple[Scenario, ...]:
    """Closed-loop scenarios of one endpoint in one encoding, the usual one if none is named, one a number of users."""
    return tuple(
        Scenario(
            endpoint=endpoint,
            encoding=encoding or ENCODINGS[endpoint],
            payloads=PAYLOADS[endpoint],
            arrival=ClosedLoop(users=count),
        )
        for count in users
    )


def encoded(users: int) -> tuple[Scenario, ...]:
    """The encodings beside the usual ones, at one number of users."""
    regressions = [closed(PREDICT, users, encoding=name) for name in ("instances", "protobuf")]
    pictures = [closed(CLASSIFY, users, encoding=name) for name in ("json", "multipart", "raw")]
    return tuple(scenario for each in (*regressions, *pictures) for scenario in each)


def likewise(scenarios: Sequence[Scenario], endpoint: str, encoding: str, payloads: int) -> tuple[Scenario, ...]:
    """Another endpoint under the loads that `scenarios` put on `/predict` in its usual encoding."""
    return tuple(
        replace(one, endpoint=endpoint, encoding=encoding, payloads=payloads)
        for one in scenarios
        if one.endpoint == PREDICT and one.variant is None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: scenarios, blocks of fresh processes, and slices of each target in every block.

    `slice_s` is the shortest slice; where answers take long, the generator lengthens it. `warmup_slices` are
    visited and thrown away before them.
    """

    name: str
    scenarios: tuple[Scenario, ...] = field(repr=False)
    blocks: int
    slices: int
    slice_s: float = 0.1
    warmup_slices: int = 1

    def load_s(self, targets: int) -> float:
        """Seconds under load for so many targets, at the shortest slice; drains and start-ups not counted."""
        visits = self.blocks * len(self.scenarios) * targets * (self.slices + self.warmup_slices)
        return visits * self.slice_s

    def estimate_s(self, targets: int, *, launch_s: float) -> float:
        """Seconds in all, `launch_s` being what it takes to start, check and stop one target once."""
        return self.load_s(targets) + self.blocks * targets * launch_s


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan(
            name="smoke",
            scenarios=closed(PREDICT, 8) + closed(CLASSIFY, 8),
            blocks=3,
            slices=8,
        ),
        Plan(
            name="quick",
            scenarios=closed(PREDICT, 1, 4, 16) + closed(ADVANCED, 16) + closed(CLASSIFY, 1, 16),
            blocks=5,
            slices=7,
        ),
        Plan(
            name="standard",
            scenarios=(
                closed(PREDICT, 1, 4, 16, 64) + closed(ADVANCED, 1, 16) + closed(CLASSIFY, 1, 4, 16, 64) + encoded(16)
            ),
            blocks=7,
            slices=12,
        ),
        Plan(
            name="full",
            scenarios=(
                closed(PREDICT, 1, 2, 4, 8, 16, 32, 64)
                + closed(ADVANCED, 1, 4, 16, 64)
                + closed(CLASSIFY, 1, 2, 4, 8, 16, 32, 64)
                + encoded(16)
                + closed(ADVANCED, 16, encoding="instances")
                + closed(ADVANCED, 16, encoding="protobuf")
            ),
            blocks=15,
            slices=12,
        ),
    )
}

SCENARIOS: dict[str, Scenario] = {scenario.id: scenario for plan in PLANS.values() for scenario in plan.scenarios}
"""Every scenario that some plan runs, by id."""
