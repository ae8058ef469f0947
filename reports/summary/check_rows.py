"""The rows of a summary that tell how far its figures may be trusted: settings, answers, start-up, the generator."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from reports.summary.load_rows import Lines
from reports.summary.measures import Interval, JsonObject


class TreatmentRow(Struct, frozen=True, kw_only=True):
    """One setting: its value for every target, and whether all that tell it agree."""

    setting: str
    values: dict[str, Any]
    equal: bool


class ConformanceRow(Struct, frozen=True, kw_only=True):
    """How one target answered the contract's cases: the last gate's counts, and each finding of any block once.

    A gate whose counts differ from block to block tells of a target that is not `steady`. A finding is the journal's,
    with the `blocks` that saw it.
    """

    target: str
    judged: bool
    passed: bool
    blocks: int
    counts: dict[str, int]
    topics: dict[str, dict[str, int]]
    steady: bool
    findings: list[JsonObject]
    lines: Lines


class AnswersAlike(Struct, frozen=True, kw_only=True):
    """Whether several targets answered the same cases byte for byte alike in one block."""

    block: int
    targets: list[str]
    cases: int
    differences: list[JsonObject]
    lines: Lines


class TutorialCode(Struct, frozen=True, kw_only=True):
    """What the tutorial code came to: of `cases`, how many end in each severity in at least one framework.

    `by_target` counts the same for each target.
    """

    cases: int
    severities: dict[str, int]
    by_target: dict[str, dict[str, int]]


class RefusedTarget(Struct, frozen=True, kw_only=True):
    """A target that was not measured, why, and in which blocks."""

    target: str
    reason: str
    cases: list[str]
    blocks: list[int]
    lines: Lines


class StartupRow(Struct, frozen=True, kw_only=True):
    """How one target starts: medians over its launches."""

    target: str
    launches: int
    startup_s: float | None
    startup_ci95: Interval | None
    import_s: float | None
    load_s: float | None
    rss_mib: float | None
    lines: Lines


class NothingValid(Struct, frozen=True, kw_only=True):
    """Why a run has no figure at all: of so many trials and refused targets, so many for the commonest reason.

    Reasons that differ only in their numbers are one; `reason` is the first of them as it stands.
    """

    reason: str
    times: int
    of: int
    share: float


class Audit(Struct, frozen=True, kw_only=True):
    """How the load generator did: its worst trial in each respect, and why trials were left out."""

    trials: int
    invalid: int
    invalid_reasons: dict[str, int]
    requests: int
    errors: int
    error_kinds: dict[str, int]
    worst_cpu_share: float | None
    worst_late_share: float | None
    worst_lag_p99_us: float | None
    worst_send_lag_p99_us: float | None
    worst_queued_share: float | None
    workers: int
    worst_clock_us: float | None
    unstable: int
    worst_idle_cpu_share: float | None
    retraces: int
    lines: Lines
