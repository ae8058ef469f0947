"""The nouns of a run folder, as the journal's records are read into them: what was planned, and the run as a whole.

A record keeps what the report needs and checks its types; members that are not known are ignored, so a newer
writer stays readable. What happened stands in `experiment.measured`. Broken records raise RecordError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiment import fields
from experiment.fields import RecordError
from experiment.measured import Capacity, Gate, Launch, Parity, Refusal, Trial

__all__ = [
    "Capacity",
    "Comparison",
    "Gate",
    "Launch",
    "Parity",
    "RecordError",
    "Refusal",
    "Run",
    "Scenario",
    "Target",
    "Trial",
]


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
            id=fields.text(record, "id"),
            framework=record.get("framework"),
            server=record.get("server"),
            mode=record.get("mode"),
            device=record.get("device"),
            twin_of=record.get("twin_of"),
            judged=bool(record.get("judged", True)),
            settings=fields.mapping(record, "settings"),
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
            id=fields.text(record, "id"),
            endpoint=fields.text(record, "endpoint"),
            users=fields.integer(record, "users"),
            payloads=fields.integer(record, "payloads", 1),
            encoding=str(record.get("encoding", "")),
            arrival=str(record.get("arrival", "closed")),
            rates_rps=tuple(float(rate) for rate in fields.sequence(record, "rates_rps")),
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
            baseline=fields.text(record, "baseline"),
            candidate=fields.text(record, "candidate"),
            axis=fields.text(record, "axis"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run folder, read. Each place (block, target, scenario) has one record; if resumed, its last.

    `expect_workers` is how many load generators shared the load; None where one of this machine did it all.
    `kept_every` is the k where a copy of the run keeps one sample in k. `begun` is the record of what was begun last,
    and `resumptions` those of when the run went on.
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
    price_per_core_hour: float | None = None
    kept_every: int = 1
    model: Mapping[str, Any] = field(default_factory=dict)
    begun: Mapping[str, Any] | None = None
    resumptions: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] | None = field(default=None)
    _places: Mapping[tuple[str, str], Sequence[Trial]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the trials by their place: large runs have thousands, and are asked for a few of them as often."""
        places: dict[tuple[str, str], list[Trial]] = {}
        for trial in self.trials:
            places.setdefault((trial.target, trial.scenario), []).append(trial)
        object.__setattr__(self, "_places", places)

    def trials_of(self, target: str, scenario: str) -> Sequence[Trial]:
        """The trials of one target under one scenario, in the journal's order."""
        return self._places.get((target, scenario), ())

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
