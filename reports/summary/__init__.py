"""The summary of a run: the one object that every page, table and plot is drawn from, and that summary.json holds.

`schema_version` 1; the members of the published schema stay, and others are added beside them. Nothing in it
is a figure that the statistics did not stand behind: what could not be told is null, with a reason.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from msgspec import Struct

from experiment.foreign_ground import read_file
from experiment.journal_records import LookRecord, NotRunRecord
from reports.summary.check_rows import (
    AnswersAlike,
    Audit,
    ConformanceRow,
    NothingValid,
    RefusedTarget,
    StartupRow,
    TreatmentRow,
)
from reports.summary.ladder_rows import LadderSummary
from reports.summary.load_rows import (
    BreakEven,
    CapacityRow,
    ComparisonRow,
    CostRow,
    EncodingRow,
    FastestRow,
    FrameworkCost,
    NoiseSummary,
    ResultRow,
    ToDecide,
    WhatMatters,
)
from reports.summary.measures import JsonObject

SCHEMA_VERSION = 1
FILE_NAME = "summary.json"


class TargetSummary(Struct, frozen=True, kw_only=True):
    """One thing under test. A foreign server has its name as id and no parts; `label` is its short name."""

    id: str
    framework: str | None
    server: str | None
    mode: str | None
    device: str | None
    interpreter: str | None
    twin_of: str | None
    judged: bool
    settings: JsonObject
    label: str


class ScenarioSummary(Struct, frozen=True, kw_only=True):
    """One workload, with the law by which requests arrive and the encoding where it is not the usual one."""

    id: str
    endpoint: str
    users: int
    arrival: str
    law: str
    rates_rps: list[float]
    encoding: str
    variant: str | None


class Stops(Struct, frozen=True, kw_only=True):
    """How often the run was stopped and went on, and how many measurements under way began anew."""

    times: int
    begun_anew: int


class Bullet(Struct, frozen=True, kw_only=True):
    """The answer to one question of the run, named by `label`."""

    label: str
    text: str


class Summary(Struct, frozen=True, kw_only=True):
    """A whole run, complete or partial."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    plan: str
    seed: int
    started_utc: str
    blocks: int
    until: str = "blocks"
    at_most_s: float | None = None
    looks: list[LookRecord] = []
    slice_s: float | None
    command: list[str]
    complete: bool
    partial_reason: str | None
    resumed: Stops
    wall_s: float | None
    measuring_s: float | None
    model: JsonObject | None
    environment: JsonObject
    generator: JsonObject
    kept_every: int
    price_per_core_hour: float | None
    costs: list[CostRow]
    targets: list[TargetSummary]
    scenarios: list[ScenarioSummary]
    not_run: list[NotRunRecord]
    refused: list[RefusedTarget]
    answers_vary: list[str] = []
    noise_floor: NoiseSummary
    results: list[ResultRow]
    comparisons: list[ComparisonRow]
    to_decide: ToDecide | None = None
    nothing_valid: NothingValid | None = None
    parity_table: list[TreatmentRow]
    framework_costs: list[FrameworkCost]
    capacity: list[CapacityRow]
    encodings: list[EncodingRow]
    break_evens: list[BreakEven]
    conformance: list[ConformanceRow]
    answers_alike: list[AnswersAlike]
    startup: list[StartupRow]
    audit: Audit
    ladder: LadderSummary | None
    what_matters: list[WhatMatters]
    second_sentence: str
    fastest: list[FastestRow] = []
    headline: str
    bullets: list[Bullet] = []

    @property
    def target_by_id(self) -> dict[str, TargetSummary]:
        """Every target by its id."""
        return {target.id: target for target in self.targets}

    @property
    def all_blocks(self) -> int:
        """How many blocks the run was to have by its end: the planned ones, and those that followed its looks."""
        return self.looks[-1].end if self.looks else self.blocks

    @property
    def first_targets(self) -> list[TargetSummary]:
        """The targets without the second names of those that are measured against themselves."""
        return [target for target in self.targets if not target.twin_of]

    @property
    def treatment(self) -> list[TreatmentRow]:
        """The settings of all targets side by side."""
        return self.parity_table


def to_json(document: Struct) -> str:
    """A summary or a comparison as JSON text: no NaN, no infinity."""
    return json.dumps(msgspec.to_builtins(document), indent=1, allow_nan=False, ensure_ascii=False)


def read_summary(folder: Path) -> Summary:
    """The summary of a folder whose report was drawn. Raises OSError, or msgspec.ValidationError for something else."""
    return msgspec.json.decode(read_file(folder / FILE_NAME), type=Summary)
