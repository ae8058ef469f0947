"""What the generator says to the harness: JSON, an object a line, a tag `event` first."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from loadtests.trial_record import Calibration, TrialRecord, WorkerNode


class ReadyEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="ready"):
    """The first word: the process, its cores, its libraries' versions, and what gevent waits with."""

    pid: int
    cpus: list[int]
    versions: dict[str, str]
    backend: str


class SliceEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="slice"):
    """One slice is over: in which round of how many, to whom, and what it came to.

    `rps` is None where no window was steady, `lost` says why the target gets no more.
    """

    stage: Literal["warmup", "measure"]
    round: int
    rounds: int
    target: str
    rps: float | None
    errors: int
    lost: str | None


class TrialEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="trial"):
    """A trial is over: one record a target, in the order's order."""

    results: list[TrialRecord]


class CalibrationEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="calibration"):
    """What the generator can do."""

    found: Calibration


class WorkersEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="workers"):
    """The workers that are there."""

    workers: list[WorkerNode]


class RefusedPeerEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="refused_peer"):
    """Somebody at the master's port was not taken for a worker: from where, why, and how many messages that makes."""

    address: str
    reason: str
    count: int


class ErrorEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="error"):
    """The generator or its caller is at fault; or the system is, of whose refusal `errno` and `path` tell."""

    message: str
    traceback: str
    errno: int | None = None
    path: str | None = None


class MissingWorkersEvent(Struct, frozen=True, kw_only=True, tag_field="event", tag="missing_workers"):
    """Workers are missing or cannot come; also in place of `ready`."""

    message: str
    hint: str


Event = (
    ReadyEvent
    | SliceEvent
    | TrialEvent
    | CalibrationEvent
    | WorkersEvent
    | RefusedPeerEvent
    | ErrorEvent
    | MissingWorkersEvent
)
