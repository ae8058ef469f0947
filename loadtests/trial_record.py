"""What a run's journal says of a trial, of a search for a capacity, and of what the load generator can do.

Written by these types and read back through them. A member that an older journal lacks has its default, and one that
no type names any more is passed over.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Amount: TypeAlias = Annotated[float, Meta(ge=0)]

MOST_ERROR_SHARE = 0.01
"""Above this share of failed requests a throughput says nothing: refusing fast is not serving fast."""

SamplesPath: TypeAlias = Annotated[str, Meta(pattern=r"\Asamples/[A-Za-z0-9_][A-Za-z0-9._@+~-]{0,240}\.npz\Z")]
"""A file of samples, from the run's folder on, and never out of it."""

SloOutcome = Literal["holds", "fails", "open"]
"""Whether a promise is shown to be kept, or to be broken, or neither yet."""


class ScenarioRecord(Struct, frozen=True, kw_only=True):
    """One workload: an endpoint, how many payloads in which encoding, and the law by which requests arrive.

    `users` is how many connections that needs; `rates_rps` are an open loop's, empty in a closed one.
    """

    id: str
    endpoint: str
    payloads: int = 1
    encoding: str = ""
    arrival: str = "closed"
    users: int
    rates_rps: tuple[float, ...] = ()

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


class GeneratorShare(Struct, frozen=True, kw_only=True):
    """The generator's part in one trial; of many generators, each one's or the worst.

    CPU share of its slices and of the worst 50 ms in them, which where it never sleeps is of the time in which it had
    something to do; the share of their time for which it waited for a core (None where the system does not tell), that
    for which a quota kept it from one, and that for which its loop did not come round; the longest such gap in us;
    share of late sends; the 99th percentiles of lag and send lag in us.
    """

    cpu_share: float
    peak_cpu_share: float | None = None
    queued_share: float | None = None
    throttled_share: float | None = None
    stood_share: float | None = None
    longest_gap_us: float | None = None
    late_share: float
    lag_p99_us: float
    send_lag_p99_us: float | None = None


class WorkerRecord(GeneratorShare, frozen=True, kw_only=True):
    """One worker's part in one trial; its clock is ahead of the master's by `offset_us`.

    `samples` counts all of its requests, `late_start_us` is the worst of how much later than agreed it began a slice.
    Offsets are None where no slice was completed.
    """

    id: int
    host: str
    users: int
    samples: int
    throughput_rps: float
    ceiling_rps: float | None
    offset_us: float | None
    offset_uncertainty_us: float | None
    late_start_us: float

    def __str__(self) -> str:
        return f"worker {self.id} ({self.host})"


class Backlog(Struct, frozen=True, kw_only=True):
    """What an open loop could not send in time: requests due with the most in flight already, and never sent ones."""

    most_in_flight: int
    cap_hits: int
    unsent: int


class OverLimit(Struct, frozen=True, kw_only=True):
    """Of the steady requests, how many had no right answer within the limit, by response time."""

    limit_ms: float
    requests: int
    over: int


class Visits(Struct, frozen=True, kw_only=True):
    """What each visit of a trial to one target came to: a value a visit, in their order, times in us.

    `answered` counts right answers from the first to the last, drain and first round included, in `served_us`. In that
    time the target's processes used `cpu_us`, others used `others_us` of its `cores` and the hypervisor took
    `stolen_us`; the generator waited `queued_us` for its own core.
    """

    cores: int = 1
    round: tuple[int, ...] = ()
    answered: tuple[int, ...] = ()
    served_us: tuple[int, ...] = ()
    cpu_us: tuple[int, ...] = ()
    others_us: tuple[int, ...] = ()
    stolen_us: tuple[int, ...] = ()
    queued_us: tuple[int, ...] = ()


class TrialRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="trial"):
    """One target under one scenario in one block: all its slices together.

    `slice_s` is the length that its slices came to, `steady` whether its warm-up settled (None where nobody asked),
    `completed` the right answers inside steady windows, `p50_us` their median service time. `over_limit` is there where
    a limit was asked for, `backlog` and `offered_rps` in an open loop, `workers` where workers shared the load;
    `generator` is then the worst of them. Resources and `visits` are None for a target whose processes are not known;
    shares are of wall time on one core, `idle_cpu_share` is what the waiting targets used. `samples` is the file, from
    the run's folder on; None where none is kept.
    """

    block: Count = 0
    target: str
    endpoint: str
    scenario: str
    users: Count
    valid: bool = False
    reason: str | None = None
    requests: Count = 0
    errors: Count = 0
    error_kinds: dict[str, Count] = {}
    slices: Count = 0
    slice_s: Amount | None = None
    warmup_slices: int = 0
    steady: bool | None = None
    seed: int | None = None
    completed: Count = 0
    throughput_rps: Amount = 0.0
    p50_us: Amount | None = None
    offered_rps: Amount | None = None
    backlog: Backlog | None = None
    over_limit: OverLimit | None = None
    cpu_ms_per_request: Amount | None = None
    rss_mib: Amount | None = None
    pss_mib: Amount | None = None
    threads: Count | None = None
    context_switches: int | None = None
    retraces: int | None = None
    generator: GeneratorShare
    workers: tuple[WorkerRecord, ...] | None = None
    worker_lost: bool = False
    idle_cpu_share: float | None = None
    connects: int = 0
    visits: Visits | None = None
    samples: SamplesPath | None = None

    def unusable(self) -> str | None:
        """Why no figure is taken from this trial, or None where it counts."""
        if not self.valid:
            return self.reason or "the trial was marked invalid without a reason"
        if self.throughput_rps <= 0:
            return "no throughput was recorded"
        if self.errors > MOST_ERROR_SHARE * self.requests:
            return f"{self.errors} of {self.requests} requests failed"
        return None


class SloRecord(Struct, frozen=True, kw_only=True):
    """A promise: the share `quantile` of all requests is answered within `limit_ms`; `name` is as it was typed."""

    name: str
    quantile: float
    limit_ms: float


class RampStep(Struct, frozen=True, kw_only=True):
    """The throughput at so many users, on the way to where more of them bring no more."""

    users: int
    rps: float
    steady: bool | None


class CapacityProbe(Struct, frozen=True, kw_only=True):
    """What one rate has shown: of so many requests, so many took longer than the promise allows."""

    rate_rps: float
    requests: int
    over: int
    outcome: SloOutcome


class CapacityRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="capacity"):
    """One search for the highest rate at which a target keeps a promise on one endpoint, in one block.

    `rate_rps` is the highest rate that held, `failed_rps` the lowest that did not; both None where the search is not
    valid. `unstable` means that a warm-up on the ramp never settled.
    """

    block: int = 0
    target: str
    endpoint: str
    slo: SloRecord
    rate_rps: float | None = None
    failed_rps: float | None = None
    saturated_rps: float | None = None
    saturated_users: int | None = None
    unstable: bool = False
    ramp: tuple[RampStep, ...] = msgspec.field(name="ladder", default=())
    probes: tuple[CapacityProbe, ...] = ()
    valid: bool = False
    reason: str | None = None


class Calibration(Struct, frozen=True, kw_only=True):
    """What one generator can do: requests/s and its busy share at `users`, microseconds per request at one user."""

    ceiling_rps: float
    overhead_us: float
    users: int
    cpu_share: float


class WorkerNode(Struct, frozen=True, kw_only=True):
    """One worker: its number, the name of its machine, and what it can do there, if it was calibrated."""

    id: int
    host: str
    calibration: Calibration | None

    def __str__(self) -> str:
        return f"worker {self.id} ({self.host})"


class CeilingRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="generator"):
    """What the generator of a run can do, or all of its workers together; None where one of them was not calibrated."""

    ceiling_rps: float | None
    overhead_us: float | None
    users: int | None
    cpu_share: float | None
    workers: tuple[WorkerNode, ...] | None = None
