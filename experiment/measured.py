"""What happened in a run, a noun a kind of journal record: launches, gates, trials, searches, refusals.

`line` is the number of the record's line in the journal, from 1; 0 where it was not read from one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiment import fields

# Above this share of failed requests a throughput says nothing: refusing fast is not serving fast.
MOST_ERRORS = 0.01
LINE = "journal_line"
"""The member under which the reader of a journal tells a record's line."""


def _line(record: Mapping[str, Any]) -> int:
    return fields.integer(record, LINE, 0)


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
    pss_mib: float | None
    threads: int | None
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
    line: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trial:
        """The trial of one `trial` record."""
        retraces = record.get("retraces")
        samples = record.get("samples")
        return cls(
            block=fields.integer(record, "block"),
            target=fields.text(record, "target"),
            endpoint=fields.text(record, "endpoint"),
            scenario=fields.text(record, "scenario"),
            users=fields.integer(record, "users"),
            valid=record.get("valid") is True,
            reason=record.get("reason"),
            requests=fields.integer(record, "requests", 0),
            errors=fields.integer(record, "errors", 0),
            error_kinds=fields.mapping(record, "error_kinds"),
            slices=fields.integer(record, "slices", 0),
            throughput_rps=fields.number(record, "throughput_rps"),
            cpu_ms_per_request=fields.number(record, "cpu_ms_per_request"),
            rss_mib=fields.number(record, "rss_mib"),
            pss_mib=fields.number(record, "pss_mib"),
            threads=None if record.get("threads") is None else fields.integer(record, "threads"),
            context_switches=fields.number(record, "context_switches"),
            retraces=retraces if isinstance(retraces, int) else None,
            connects=fields.integer(record, "connects", 0),
            idle_cpu_share=fields.number(record, "idle_cpu_share"),
            offered_rps=fields.number(record, "offered_rps"),
            backlog=fields.mapping(record, "backlog"),
            steady=record.get("steady") if isinstance(record.get("steady"), bool) else None,
            generator=fields.mapping(record, "generator"),
            workers=tuple(fields.sequence(record, "workers")),
            samples=samples if isinstance(samples, str) else None,
            line=_line(record),
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
    line: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Launch:
        """The launch of one `launch` record."""
        return cls(
            block=fields.integer(record, "block"),
            target=fields.text(record, "target"),
            startup_s=fields.number(record, "startup_s"),
            import_s=fields.number(record, "import_s"),
            load_s=fields.number(record, "load_s"),
            rss_mib=fields.number(record, "rss_mib"),
            metadata=fields.mapping(record, "metadata"),
            line=_line(record),
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
    line: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Gate:
        """The gate of one `gate` record."""
        return cls(
            block=fields.integer(record, "block"),
            target=fields.text(record, "target"),
            passed=record.get("passed") is True,
            seconds=fields.number(record, "seconds"),
            counts=fields.mapping(record, "counts"),
            topics=fields.mapping(record, "topics"),
            findings=tuple(fields.sequence(record, "findings")),
            line=_line(record),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Whether several targets answered the same cases byte for byte alike."""

    block: int
    targets: tuple[str, ...]
    cases: int
    differences: tuple[Mapping[str, Any], ...]
    line: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Parity:
        """The parity of one `parity` record."""
        return cls(
            block=fields.integer(record, "block"),
            targets=tuple(fields.sequence(record, "targets")),
            cases=fields.integer(record, "cases", 0),
            differences=tuple(fields.sequence(record, "differences")),
            line=_line(record),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A target that was not measured in one block, and why."""

    block: int
    target: str
    reason: str
    cases: tuple[str, ...]
    line: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Refusal:
        """The refusal of one `refused` record."""
        return cls(
            block=fields.integer(record, "block"),
            target=fields.text(record, "target"),
            reason=fields.text(record, "reason"),
            cases=tuple(fields.sequence(record, "cases")),
            line=_line(record),
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
    line: int = 0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Capacity:
        """The search of one `capacity` record."""
        users = record.get("saturated_users")
        return cls(
            block=fields.integer(record, "block"),
            target=fields.text(record, "target"),
            endpoint=fields.text(record, "endpoint"),
            slo=fields.mapping(record, "slo"),
            rate_rps=fields.number(record, "rate_rps"),
            failed_rps=fields.number(record, "failed_rps"),
            saturated_rps=fields.number(record, "saturated_rps"),
            saturated_users=users if isinstance(users, int) else None,
            unstable=record.get("unstable") is True,
            ladder=tuple(fields.sequence(record, "ladder")),
            probes=tuple(fields.sequence(record, "probes")),
            valid=record.get("valid") is True,
            reason=record.get("reason"),
            line=_line(record),
        )
