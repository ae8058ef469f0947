"""Scenarios: one workload each, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtests.arrival import Arrival, ClosedLoop, arrival_from_id
from loadtests.endpoints import ENDPOINTS, PREDICT
from loadtests.trial_record import ScenarioRecord


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
        load = ENDPOINTS.get(self.endpoint)
        return None if load is None or self.encoding == load.encodings[0] else self.encoding

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
    if start < 0 or endpoint not in ENDPOINTS:
        raise ValueError(f"invalid scenario {text!r}; expected an endpoint, then @ or ~, from {', '.join(ENDPOINTS)}")
    others = ENDPOINTS[endpoint].encodings[1:]
    if slash and encoding not in others:
        raise ValueError(f"unknown encoding {encoding!r} of {endpoint}; choose from {', '.join(others)}")
    return opened(endpoint, arrival_from_id(law), encoding)


def opened(endpoint: str, arrival: Arrival, encoding: str | None = None) -> Scenario:
    """One endpoint under a law of arrival, in its usual encoding if none is named."""
    load = ENDPOINTS[endpoint]
    return Scenario(endpoint=endpoint, encoding=encoding or load.encodings[0], payloads=load.payloads, arrival=arrival)


def closed(endpoint: str, *users: int, encoding: str | None = None) -> tuple[Scenario, ...]:
    """Closed-loop scenarios of one endpoint in one encoding, one for each number of users."""
    return tuple(opened(endpoint, ClosedLoop(users=count), encoding) for count in users)


def likewise(scenarios: Sequence[Scenario], endpoint: str, encoding: str, payloads: int) -> tuple[Scenario, ...]:
    """Another endpoint under the loads that `scenarios` put on `/predict` in its usual encoding."""
    return tuple(
        replace(one, endpoint=endpoint, encoding=encoding, payloads=payloads)
        for one in scenarios
        if one.endpoint == PREDICT and one.variant is None
    )
