"""What each generator did in a trial: one account for a process of its own, or one for every worker."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from loadtests.answers import ErrorKind
from loadtests.audit import LATE_NS, LEAST_CEILING_RATIO, lag_p99_us, queued_ns
from loadtests.clocks import Reading, summarize
from loadtests.parts import Part, Portion
from loadtests.record import GeneratorShare, WorkerNode, WorkerRecord
from loadtests.samples import STEADY, Samples

MOST_CLOCK_SHARE = 0.01
"""Of a slice: what the ends of its window may be off by, because a worker's clock is known no better."""


class Account:
    """One generator's visits to one target, added up."""

    def __init__(self, portion: Portion) -> None:
        self.portion = portion
        self.clear()

    def clear(self) -> None:
        """Forget everything, as after the warm-up."""
        self.busy_ns = self.wall_ns = self.queued_ns = self.late_start_ns = 0
        self.peak_cpu_share = 0.0
        self.lags_ns = array("q")
        self.clocks: list[Reading] = []

    def add(self, part: Part) -> None:
        """One visit."""
        self.busy_ns += part.busy_ns
        self.wall_ns += part.wall_ns
        self.queued_ns += part.queued_ns
        self.late_start_ns = max(self.late_start_ns, part.late_start_ns)
        self.peak_cpu_share = max([self.peak_cpu_share, *part.shares])
        self.lags_ns.extend(part.lags_ns)
        if part.clock is not None:
            self.clocks.append(part.clock)

    def share(self, samples: Samples) -> GeneratorShare:
        """This generator's part in the trial whose samples these are."""
        mine = self._mine(samples)
        send_lags_ns = (samples.column("sent_ns") - samples.column("due_ns"))[mine]
        steady = samples.column("phase")[mine] == STEADY
        return GeneratorShare(
            cpu_share=self.busy_ns / self.wall_ns if self.wall_ns else 0.0,
            peak_cpu_share=self.peak_cpu_share,
            queued_share=None if queued_ns() is None else self.queued_ns / max(1, self.wall_ns),
            late_share=float((send_lags_ns[steady] > LATE_NS).mean()) if steady.any() else 0.0,
            lag_p99_us=lag_p99_us(self.lags_ns),
            send_lag_p99_us=float(np.percentile(send_lags_ns, 99)) / 1e3 if len(send_lags_ns) else 0.0,
        )

    def record(self, worker: WorkerNode, samples: Samples, window_ns: int) -> WorkerRecord:
        """The worker's entry in the trial's `workers`; its clock is ahead of the master's by `offset_us`."""
        mine = self._mine(samples)
        counted = (samples.column("phase") == STEADY) & (samples.column("error") == ErrorKind.NONE) & mine
        clock = summarize(self.clocks) if self.clocks else None
        return WorkerRecord(
            id=worker.id,
            host=worker.host,
            users=self.portion.users,
            samples=int(mine.sum()),
            throughput_rps=int(counted.sum()) / (window_ns / 1e9) if window_ns else 0.0,
            ceiling_rps=worker.calibration.ceiling_rps if worker.calibration else None,
            offset_us=clock.offset_ns / 1e3 if clock else None,
            offset_uncertainty_us=clock.uncertainty_ns / 1e3 if clock else None,
            late_start_us=self.late_start_ns / 1e3,
            **msgspec.structs.asdict(self.share(samples)),
        )

    def _mine(self, samples: Samples) -> npt.NDArray[np.bool_]:
        user = samples.column("user")
        found: npt.NDArray[np.bool_] = (user >= self.portion.first) & (user < self.portion.first + self.portion.users)
        return found


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
