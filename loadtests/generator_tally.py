"""What one generator did in a trial: this process, or one of the workers."""

from __future__ import annotations

from array import array

import msgspec
import numpy as np
import numpy.typing as npt

from loadtests.audit import LATE_NS, lag_p99_us, queued_ns
from loadtests.clock_offsets import ClockOffset, summarize
from loadtests.responses import ErrorKind
from loadtests.runner import LoadSegment, SliceResult
from loadtests.samples import STEADY, Samples
from loadtests.trial_record import GeneratorShare, WorkerNode, WorkerRecord


class GeneratorTally:
    """One generator's slices on one target, added up."""

    def __init__(self, segment: LoadSegment) -> None:
        self.segment = segment
        self.clear()

    def clear(self) -> None:
        """Forget everything, as after the warm-up."""
        self.busy_ns = self.wall_ns = self.queued_ns = self.late_start_ns = 0
        self.throttled_ns = self.longest_gap_ns = self.stood_ns = 0
        self.own_core = False
        self.peak_cpu_share = 0.0
        self.lags_ns = array("q")
        self.clocks: list[ClockOffset] = []

    def add(self, result: SliceResult) -> None:
        """One slice."""
        self.busy_ns += result.busy_ns
        self.wall_ns += result.wall_ns
        self.queued_ns += result.queued_ns
        self.throttled_ns += result.throttled_ns
        self.longest_gap_ns = max(self.longest_gap_ns, result.longest_gap_ns)
        self.stood_ns += result.stood_ns
        self.own_core = result.own_core
        self.late_start_ns = max(self.late_start_ns, result.late_start_ns)
        self.peak_cpu_share = max([self.peak_cpu_share, *result.shares])
        self.lags_ns.extend(result.lags_ns)
        if result.clock is not None:
            self.clocks.append(result.clock)

    def share(self, samples: Samples) -> GeneratorShare:
        """This generator's part in the trial whose samples these are."""
        mine = self._mine(samples)
        send_lags_ns = (samples.column("sent_ns") - samples.column("due_ns"))[mine]
        steady = samples.column("phase")[mine] == STEADY
        return GeneratorShare(
            cpu_share=self.busy_ns / self.wall_ns if self.wall_ns else 0.0,
            peak_cpu_share=self.peak_cpu_share,
            queued_share=None if queued_ns() is None else self.queued_ns / max(1, self.wall_ns),
            throttled_share=self.throttled_ns / max(1, self.wall_ns),
            stood_share=self.stood_ns / max(1, self.wall_ns),
            longest_gap_us=self.longest_gap_ns / 1e3,
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
            users=self.segment.users,
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
        found: npt.NDArray[np.bool_] = (user >= self.segment.first) & (user < self.segment.first + self.segment.users)
        return found
