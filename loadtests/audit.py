"""The generator watches itself: how busy it is, late sends, its loop's lag, and what follows from them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from loadtests.trial_record import MOST_ERROR_SHARE, Backlog, GeneratorShare, WorkerRecord

LATE_NS = 1_000_000
MOST_CPU_SHARE = 0.80
MOST_LATE_SHARE = 0.01
LEAST_CEILING_RATIO = 3.0
MOST_QUEUED_SHARE = 0.10
"""Twice the most of 720 trials on a machine that did nothing else."""
MOST_THROTTLED_SHARE = 0.01
MOST_GAP_US = 100_000.0
MOST_STOOD_SHARE = 0.05
MOST_CLOCK_SHARE = 0.01
"""Of a slice: what the ends of its window may be off by, because a worker's clock is known no better."""

_CGROUP, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_SCHEDSTAT = Path("/proc/self/schedstat")
"""Nanoseconds on a core, nanoseconds in a queue for one, turns (Documentation/scheduler/sched-stats.rst)."""


def queued_ns() -> int | None:
    """How long this process has been ready to run and had no core; None where the system does not tell."""
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1])
    except OSError:
        return None


@cache
def _quota_files() -> tuple[Path, ...]:
    """The statistics of every control group that this process is in, up to the root (cgroups(7))."""
    try:
        lines = _CGROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = _CGROUPS / controllers if controllers else _CGROUPS
        inner = root / path.lstrip("/")
        found += [inner, *(above for above in inner.parents if above.is_relative_to(root))]
    return tuple(dict.fromkeys(one / "cpu.stat" for one in found if (one / "cpu.stat").is_file()))


def throttled_ns(files: Sequence[Path] | None = None) -> int:
    """How long quotas have kept this process's control groups from cores that they had use for; 0 without quotas."""
    total = 0
    for file in _quota_files() if files is None else files:
        facts = dict(line.split(" ", 1) for line in file.read_text(encoding="ascii").splitlines() if " " in line)
        # Version 2 counts microseconds, version 1 nanoseconds.
        total += 1000 * int(facts.get("throttled_usec", 0)) + int(facts.get("throttled_time", 0))
    return total


def lag_p99_us(lags_ns: array[int]) -> float:
    """99th percentile of a watch's lags in microseconds; 0 before the first tick."""
    return float(np.percentile(np.array(lags_ns), 99)) / 1e3 if lags_ns else 0.0


def worst(shares: Sequence[GeneratorShare]) -> GeneratorShare:
    """The worst of several generators in each respect: one that is at its limit spoils a trial for all."""

    def most(name: str) -> float | None:
        return max((told for share in shares if (told := getattr(share, name)) is not None), default=None)

    return msgspec.convert({name: most(name) for name in GeneratorShare.__struct_fields__}, GeneratorShare)


def reason_against(
    *,
    share: GeneratorShare,
    requests: int,
    error_kinds: Mapping[str, int],
    completed: int,
    throughput_rps: float,
    ceiling_rps: float | None,
    lost: str | None,
    backlog: Backlog | None = None,
    own_core: bool = False,
    status: int | None = None,
) -> str | None:
    """Why a trial is not valid, the target's faults before the generator's; None where it is.

    A generator without an `own_core` shares one with its target, and waits for that as a matter of course. `status` is
    what most of its answers said that were not what they should be.
    """
    errors = sum(error_kinds.values())
    if lost is not None:
        return lost
    if error_kinds.get("body"):
        return f"{error_kinds['body']} of {requests} answers had a wrong body"
    if errors > MOST_ERROR_SHARE * requests:
        return f"{errors} of {requests} requests failed ({_kinds(error_kinds, status)})"
    if backlog is not None and backlog.cap_hits:
        never = f", {backlog.unsent} were never sent" if backlog.unsent else ""
        return f"{backlog.cap_hits} requests were due with {backlog.most_in_flight} in flight already{never}"
    if not completed:
        return "no right answer fell into a steady window; longer slices are needed"
    if (stopped := reason_against_gaps(share, own_core=own_core)) is not None:
        return stopped
    queued = f"; the generator waited for a core {share.queued_share:.0%} of the time" if share.queued_share else ""
    if share.cpu_share > MOST_CPU_SHARE:
        return f"the generator was busy {share.cpu_share:.0%} of the time (limit {MOST_CPU_SHARE:.0%}){queued}"
    if share.late_share > MOST_LATE_SHARE:
        return f"{share.late_share:.1%} of the requests were sent over 1 ms late (limit {MOST_LATE_SHARE:.0%}){queued}"
    if ceiling_rps is not None and throughput_rps * LEAST_CEILING_RATIO > ceiling_rps:
        return f"{throughput_rps:.0f} requests/s is over a third of the generator's ceiling of {ceiling_rps:.0f}"
    return None


def _kinds(errors: Mapping[str, int], status: int | None) -> str:
    told = {kind: f"{kind} {count}" for kind, count in sorted(errors.items())}
    if status is not None and "status" in told:
        told["status"] += f", mostly {status}"
    return ", ".join(told.values())


def reason_against_gaps(share: GeneratorShare, *, own_core: bool) -> str | None:
    """What the generator lost because it did not run, which says nothing of the target."""
    gap_us, stood, throttled, queued = (
        found or 0.0 for found in (share.longest_gap_us, share.stood_share, share.throttled_share, share.queued_share)
    )
    if gap_us > MOST_GAP_US:
        return f"the generator stood still for {gap_us / 1e3:.0f} ms at once (limit {MOST_GAP_US / 1e3:.0f} ms)"
    if stood > MOST_STOOD_SHARE:
        return f"the generator stood still for {stood:.0%} of the time (limit {MOST_STOOD_SHARE:.0%})"
    if throttled > MOST_THROTTLED_SHARE:
        return f"a quota kept processes from running {throttled:.0%} of the time (limit {MOST_THROTTLED_SHARE:.0%})"
    if own_core and queued > MOST_QUEUED_SHARE:
        return f"the generator waited for its core {queued:.0%} of the time (limit {MOST_QUEUED_SHARE:.0%})"
    return None


def reason_against_workers(workers: Sequence[WorkerRecord], *, slice_s: float) -> str | None:
    """Why a trial whose `workers` are these cannot count, as far as it is theirs; None where it can."""
    for worker in workers:
        uncertainty_us, ceiling_rps = worker.offset_uncertainty_us, worker.ceiling_rps
        if uncertainty_us is not None and uncertainty_us > MOST_CLOCK_SHARE * slice_s * 1e6:
            return (
                f"the clock of {worker} is known to {uncertainty_us / 1e3:.1f} ms only,"
                f" over {MOST_CLOCK_SHARE:.0%} of a slice of {slice_s * 1e3:.0f} ms"
            )
        if ceiling_rps is not None and worker.throughput_rps * LEAST_CEILING_RATIO > ceiling_rps:
            return (
                f"{worker.throughput_rps:.0f} requests/s of {worker} are over a third of its ceiling"
                f" of {ceiling_rps:.0f}"
            )
    return None
