"""Scenarios (one workload each) and plans (how much of which), as data.

A plan says nothing of targets: which ones are compared, and along which axis, is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from loadtests.arrival import Arrival, ClosedLoop, PoissonRate, arrival_from_id
from loadtests.record import ScenarioRecord

PREDICT, ADVANCED, CLASSIFY = "predict", "advanced_predict", "classify"

ENCODINGS = {PREDICT: "json", ADVANCED: "json", CLASSIFY: "form"}
"""How each endpoint's payload travels. `form` is the article's own way for images: base64 in a urlencoded
field, the
one encoding that every target, the native ones too, takes."""

VARIANTS = {
    PREDICT: ("instances", "protobuf"),
    ADVANCED: ("instances", "protobuf"),
    CLASSIFY: ("json", "multipart", "raw"),
}
"""The other encodings."""

PAYLOADS = {PREDICT: 16, ADVANCED: 16, CLASSIFY: 8}
"""Different payloads per endpoint, so that an answer kept in a cache is not what gets measured."""


LEAST_LONG_SLICES = 2
"""A target whose slices are long is still visited more than once in a block."""


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
        """`{endpoint}{law}`, such as `predict@16` or `predict~poisson200rps`, and `/{encoding}` if unusual."""
        return f"{self.endpoint}{self.arrival}" + (f"/{self.variant}" if self.variant else "")

    def record(self) -> ScenarioRecord:
        """What a run's journal says of it."""
        return ScenarioRecord(
            id=self.id,
            endpoint=self.endpoint,
            payloads=self.payloads,
            encoding=self.encoding,
            arrival=self.arrival.kind,
            users=self.users,
            rates_rps=self.arrival.rates_rps,
        )


def scenario_from_id(text: str) -> Scenario:
    """The scenario of an id: `predict@16`, `classify~poisson20rps/raw`. Raises ValueError for any other text."""
    start = min((at for sign in "@~" if (at := text.find(sign)) >= 0), default=-1)
    endpoint, (law, slash, encoding) = text[:start], text[start:].partition("/")
    if start < 0 or endpoint not in ENCODINGS:
        raise ValueError(f"{text!r} does not begin with an endpoint and @ or ~; there are {', '.join(ENCODINGS)}")
    if slash and encoding not in VARIANTS[endpoint]:
        raise ValueError(f"{encoding!r} is no other encoding of {endpoint}; there are {', '.join(VARIANTS[endpoint])}")
    return Scenario(
        endpoint=endpoint,
        encoding=encoding or ENCODINGS[endpoint],
        payloads=PAYLOADS[endpoint],
        arrival=arrival_from_id(law),
    )


def opened(endpoint: str, arrival: Arrival) -> Scenario:
    """One endpoint in its usual encoding under a law of arrival."""
    return Scenario(endpoint=endpoint, encoding=ENCODINGS[endpoint], payloads=PAYLOADS[endpoint], arrival=arrival)


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
    regressions = [closed(PREDICT, users, encoding=name) for name in VARIANTS[PREDICT]]
    pictures = [closed(CLASSIFY, users, encoding=name) for name in VARIANTS[CLASSIFY]]
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

    `slice_s` is the shortest slice; where answers take long, the generator lengthens it, and an open loop needs longer
    ones, of which there are then fewer. `warmup_slices` are visited and thrown away before them; where
    `longest_warmup_slices` is more, the warm-up goes on until three slices of a target agree, or there were so many.
    """

    name: str
    scenarios: tuple[Scenario, ...] = field(repr=False)
    blocks: int
    slices: int
    slice_s: float = 0.1
    warmup_slices: int = 1
    longest_warmup_slices: int = 0

    def slice_s_of(self, scenario: Scenario) -> float:
        """The shortest slice of one scenario."""
        return max(self.slice_s, scenario.arrival.least_slice_s)

    def slices_of(self, scenario: Scenario) -> int:
        """How many slices a block has of one scenario: as long in all as a closed loop's, and two at least."""
        if self.slice_s_of(scenario) == self.slice_s:
            return self.slices
        return max(LEAST_LONG_SLICES, math.ceil(self.slices * self.slice_s / self.slice_s_of(scenario)))

    def trial_s(self, scenario: Scenario) -> float:
        """Seconds that one target is under load in one trial, at the shortest slice."""
        return (self.slices_of(scenario) + self.warmup_slices) * self.slice_s_of(scenario)

    def load_s(self, targets: int) -> float:
        """Seconds under load for so many targets, at the shortest slice; drains and start-ups not counted."""
        return self.blocks * targets * sum(map(self.trial_s, self.scenarios))

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
            slices=24,
            longest_warmup_slices=4,
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
                + (opened(PREDICT, PoissonRate((200,))), opened(CLASSIFY, PoissonRate((20,))))
            ),
            blocks=15,
            slices=12,
            longest_warmup_slices=8,
        ),
    )
}

SCENARIOS: dict[str, Scenario] = {scenario.id: scenario for plan in PLANS.values() for scenario in plan.scenarios}
"""Every scenario that some plan runs, by id."""
