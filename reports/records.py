"""The nouns of a run folder, as the journal's records are read into them.

A record keeps what the report needs and checks its types; members that are not known are ignored, so a newer
writer stays readable. Broken records raise RecordError with the member's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Above this share of failed requests a throughput says nothing: refusing fast is not serving fast.
MOST_ERRORS = 0.01


class RecordError(ValueError):
    """A journal record lacks a member or holds one of the wrong type."""


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be a string, not {value!r}")
    return value


def _integer(record: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = record.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be an integer, not {value!r}")
    return value


def _number(record: Mapping[str, Any], name: str) -> float | None:
    """A finite float, or None where the member is null or missing."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be a number or null, not {value!r}")
    return float(value)


def _mapping(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be an object, not {value!r}")
    return value


def _sequence(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{record.get('kind', 'record')}.{name} must be an array, not {value!r}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing under test. A foreign server has its name as id and no parts."""

    id: str
    framework: str | None
    server: str | None
    mode: str | None
    device: str | None
    twin_of: str | None
    judged: bool
    settings: Mapping[str, Any]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Target:
        """The target of one entry of the run record's `targets`."""
        return cls(
            id=_text(record, "id"),
            framework=record.get("framework"),
            server=record.get("server"),
            mode=record.get("mode"),
            device=record.get("device"),
            twin_of=record.get("twin_of"),
            judged=bool(record.get("judged", True)),
            settings=_mapping(record, "settings"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One workload: an endpoint under so many users, or, in an open loop, with at most so many requests in flight."""

    id: str
    endpoint: str
    users: int
    payloads: int
    encoding: str
    arrival: str
    rates_rps: tuple[float, ...]

    @property
    def is_open(self) -> bool:
        """Whether a schedule decides when requests are sent, and not the answers."""
        return self.arrival != "closed"

    @property
    def law(self) -> str:
        """The law of arrival as the id has it: `@16`, `~poisson200rps`."""
        return self.id.removeprefix(self.endpoint).partition("/")[0]

    @property
    def variant(self) -> str | None:
        """The encoding where it is not the endpoint's usual one: what stands in the id after a slash."""
        return self.id.partition("/")[2] or None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Scenario:
        """The scenario of one entry of the run record's `scenarios`."""
        return cls(
            id=_text(record, "id"),
            endpoint=_text(record, "endpoint"),
            users=_integer(record, "users"),
            payloads=_integer(record, "payloads", 1),
            encoding=str(record.get("encoding", "")),
            arrival=str(record.get("arrival", "closed")),
            rates_rps=tuple(float(rate) for rate in _sequence(record, "rates_rps")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two targets that differ in one part, `axis`, and in nothing else."""

    baseline: str
    candidate: str
    axis: str

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Comparison:
        """The comparison of one entry of the run record's `comparisons`."""
        return cls(
            baseline=_text(record, "baseline"),
            candidate=_text(record, "candidate"),
            axis=_text(record, "axis"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One target under one scenario in one block: all its slices together.

    A figure that the writer did not have, or that is not positive where it must be, is None.
    """

    block: int
    target: str
    endpoint: str
    scenario: str
    users: int
    valid: bool
    reason: str | None
    requests: int
    errors: int
    error_kinds: Mapping[str, int]
    slices: int
    throughput_rps: float | None
    cpu_ms_per_request: float | None
    rss_mib: float | None
    context_switches: float | None
    retraces: int | None
    connects: int
    idle_cpu_share: float | None
    offered_rps: float | None
    backlog: Mapping[str, Any]
    steady: bool | None
    generator: Mapping[str, Any]
    workers: tuple[Mapping[str, Any], ...]
    samples: str | None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trial:
        """The trial of one `trial` record."""
        retraces = record.get("retraces")
        samples = record.get("samples")
        return cls(
            block=_integer(record, "block"),
            target=_text(record, "target"),
            endpoint=_text(record, "endpoint"),
            scenario=_text(record, "scenario"),
            users=_integer(record, "users"),
            valid=record.get("valid") is True,
            reason=record.get("reason"),
            requests=_integer(record, "requests", 0),
            errors=_integer(record, "errors", 0),
            error_kinds=_mapping(record, "error_kinds"),
            slices=_integer(record, "slices", 0),
            throughput_rps=_number(record, "throughput_rps"),
            cpu_ms_per_request=_number(record, "cpu_ms_per_request"),
            rss_mib=_number(record, "rss_mib"),
            context_switches=_number(record, "context_switches"),
            retraces=retraces if isinstance(retraces, int) else None,
            connects=_integer(record, "connects", 0),
            idle_cpu_share=_number(record, "idle_cpu_share"),
            offered_rps=_number(record, "offered_rps"),
            backlog=_mapping(record, "backlog"),
            steady=record.get("steady") if isinstance(record.get("steady"), bool) else None,
            generator=_mapping(record, "generator"),
            workers=tuple(_sequence(record, "workers")),
            samples=samples if isinstance(samples, str) else None,
        )

    def unusable(self) -> str | None:
        """Why no figure is taken from this trial, or None where it counts."""
        if not self.valid:
            return self.reason or "the trial was marked invalid without a reason"
        if self.throughput_rps is None or self.throughput_rps <= 0:
            return "no throughput was recorded"
        if self.errors > MOST_ERRORS * self.requests:
            return f"{self.errors} of {self.requests} requests failed"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of one target: how long it took and what it says of itself."""

    block: int
    target: str
    startup_s: float | None
    import_s: float | None
    load_s: float | None
    rss_mib: float | None
    metadata: Mapping[str, Any]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Launch:
        """The launch of one `launch` record."""
        return cls(
            block=_integer(record, "block"),
            target=_text(record, "target"),
            startup_s=_number(record, "startup_s"),
            import_s=_number(record, "import_s"),
            load_s=_number(record, "load_s"),
            rss_mib=_number(record, "rss_mib"),
            metadata=_mapping(record, "metadata"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the conformance cases found of one target in one block; findings are those that are not right."""

    block: int
    target: str
    passed: bool
    seconds: float | None
    counts: Mapping[str, int]
    topics: Mapping[str, Mapping[str, int]]
    findings: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Gate:
        """The gate of one `gate` record."""
        return cls(
            block=_integer(record, "block"),
            target=_text(record, "target"),
            passed=record.get("passed") is True,
            seconds=_number(record, "seconds"),
            counts=_mapping(record, "counts"),
            topics=_mapping(record, "topics"),
            findings=tuple(_sequence(record, "findings")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Whether several targets answered the same cases byte for byte alike."""

    block: int
    targets: tuple[str, ...]
    cases: int
    differences: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Parity:
        """The parity of one `parity` record."""
        return cls(
            block=_integer(record, "block"),
            targets=tuple(_sequence(record, "targets")),
            cases=_integer(record, "cases", 0),
            differences=tuple(_sequence(record, "differences")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A target that was not measured in one block, and why."""

    block: int
    target: str
    reason: str
    cases: tuple[str, ...]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Refusal:
        """The refusal of one `refused` record."""
        return cls(
            block=_integer(record, "block"),
            target=_text(record, "target"),
            reason=_text(record, "reason"),
            cases=tuple(_sequence(record, "cases")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """One search for the highest rate that keeps a promise: of one target on one endpoint in one block."""

    block: int
    target: str
    endpoint: str
    slo: Mapping[str, Any]
    rate_rps: float | None
    failed_rps: float | None
    saturated_rps: float | None
    saturated_users: int | None
    unstable: bool
    ladder: tuple[Mapping[str, Any], ...]
    probes: tuple[Mapping[str, Any], ...]
    valid: bool
    reason: str | None

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Capacity:
        """The search of one `capacity` record."""
        users = record.get("saturated_users")
        return cls(
            block=_integer(record, "block"),
            target=_text(record, "target"),
            endpoint=_text(record, "endpoint"),
            slo=_mapping(record, "slo"),
            rate_rps=_number(record, "rate_rps"),
            failed_rps=_number(record, "failed_rps"),
            saturated_rps=_number(record, "saturated_rps"),
            saturated_users=users if isinstance(users, int) else None,
            unstable=record.get("unstable") is True,
            ladder=tuple(_sequence(record, "ladder")),
            probes=tuple(_sequence(record, "probes")),
            valid=record.get("valid") is True,
            reason=record.get("reason"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run folder, read. Each place (block, target, scenario) has one record; if resumed, its last.

    `expect_workers` is how many load generators shared the load; None where one of this machine did it all.
    `begun` is the record of what was begun last, and `resumptions` those of when the run went on.
    """

    folder: Path
    run_id: str
    plan: str
    seed: int
    started_utc: str
    blocks: int
    slice_s: float | None
    targets: tuple[Target, ...]
    scenarios: tuple[Scenario, ...]
    comparisons: tuple[Comparison, ...]
    not_run: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, Any]
    command: tuple[str, ...]
    generator: Mapping[str, Any]
    launches: tuple[Launch, ...]
    gates: tuple[Gate, ...]
    parities: tuple[Parity, ...]
    refusals: tuple[Refusal, ...]
    trials: tuple[Trial, ...]
    capacities: tuple[Capacity, ...]
    slo: str | None
    expect_workers: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    begun: Mapping[str, Any] | None = None
    resumptions: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] | None = field(default=None)

    @property
    def complete(self) -> bool:
        """Whether the run came to its planned end."""
        return self.end is not None and self.end.get("complete") is True

    @property
    def partial_reason(self) -> str | None:
        """Why the run is partial; None for a complete one."""
        if self.complete:
            return None
        if self.end is None:
            return "the run was killed or is still going on: its journal has no end"
        return str(self.end.get("reason") or "the run stopped before its planned end")

    def target(self, identifier: str) -> Target | None:
        """The target of that id, or None."""
        return next((target for target in self.targets if target.id == identifier), None)

    def scenario(self, identifier: str) -> Scenario | None:
        """The scenario of that id, or None."""
        return next((scenario for scenario in self.scenarios if scenario.id == identifier), None)
