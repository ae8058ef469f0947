"""What one target's slices add up to, and the trial's record made of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loadtests.audit import reason_against, reason_against_workers, worst
from loadtests.generator_tally import GeneratorTally
from loadtests.orders import ROUNDS_IN_SLICE, TURNS_IN_SLICE, TargetOrder, TrialOrder
from loadtests.resources import ProcessGoneError, ProcessSet, Sizes
from loadtests.responses import ErrorKind
from loadtests.runner import LoadSegment, SliceResult
from loadtests.samples import STEADY, Samples, SliceFigures
from loadtests.server_log import LogWatch
from loadtests.trial_record import Backlog, OverLimit, TrialRecord, WorkerNode
from loadtests.visit_log import VisitLog

_LONGEST_NAME = 200
"""Of a samples file: file systems take 255 bytes, of which a suffix or two need some."""

WINDOWS, WINDOWS_AGREE = 3, 1.10
"""So many slices in a row must agree so far, largest over smallest, before a target counts as warm (Triton's
perf_analyzer asks the same of its windows)."""


class TargetTally:
    """One target in one trial: what is known of it, and the sums over its measured slices by all generators."""

    def __init__(self, order: TargetOrder, segments: Sequence[LoadSegment]) -> None:
        self.order = order
        self.samples = Samples()
        self.generators = [GeneratorTally(segment) for segment in segments]
        self.connects = 0
        self.lost: str | None = None
        self.worker_lost = False
        self.slice_s = 0.0
        self.processes: ProcessSet | None = None
        if order.pids:
            try:
                self.processes = ProcessSet(order.pids)
            except ProcessGoneError as error:
                self._process_gone(str(error))
        self.visits = VisitLog(self.processes.pids if self.processes else ())
        self._log = LogWatch(order.log)
        self.warmup_slices = 0
        self.steady: bool | None = None
        self._windows: list[float] = []
        self._clear()

    def _clear(self) -> None:
        self.cap_hits = self.unsent = 0
        self.slices = self.completed = self.window_ns = self.requests = self.wall_ns = 0
        self.cpu_ns = self.context_switches = self.others_cpu_ns = 0

    def _process_gone(self, words: str) -> None:
        """The target is lost, if we started it; a foreign server may replace its processes, but is no longer known."""
        if self.order.launched:
            self.lost = words
        else:
            self._forget_processes()

    def _forget_processes(self) -> None:
        self.processes = None
        self.visits = VisitLog(())

    def steady_yet(self) -> bool:
        """Whether the last three slices agree within 10 %: in what was answered, or, on a schedule, in how soon."""
        last = self._windows[-WINDOWS:]
        return len(last) == WINDOWS and 0 < max(last) <= WINDOWS_AGREE * min(last)

    def end_warmup(self, *, judged: bool) -> None:
        """Forget all figures so far, but not the connections and what they showed; `judged`: and whether it settled."""
        if judged:
            self.steady = self.steady_yet()
        self.warmup_slices = self.slices
        self.samples.clear()
        self.visits.clear()
        self._log.mark()
        for generator in self.generators:
            generator.clear()
        self._clear()

    def cpu_now_ns(self) -> int | None:
        """The target's CPU time so far; None where it has no known process.

        A process that has ended loses the target.
        """
        if self.processes is None or self.lost is not None:
            return None
        try:
            return self.processes.cpu_ns()
        except ProcessGoneError as error:
            self._process_gone(str(error))
            return None

    def shares_processes(self, other: TargetTally) -> bool:
        """Whether both are one server, at two addresses perhaps: what it uses says nothing of who waits."""
        both = (self.processes, other.processes)
        return not set.isdisjoint(*(set(one.pids) if one else set() for one in both))

    def switches_now(self) -> int | None:
        """The target's context switches so far, or None as above."""
        if self.processes is None or self.lost is not None:
            return None
        try:
            return self.processes.context_switches()
        except ProcessGoneError as error:
            self._process_gone(str(error))
            return None

    def needed_s(self, figures: SliceFigures) -> float:
        """How long a slice has to be for this target, judged by one of its slices."""
        return max(TURNS_IN_SLICE * figures.turn_ns, ROUNDS_IN_SLICE * figures.round_ns) / 1e9

    def add(self, figures: SliceFigures, results: Sequence[SliceResult], *, scheduled: bool, wall_ns: int) -> None:
        """One slice on this target: what it came to, and each generator's part of it."""
        window_s = figures.window_ns / 1e9
        rate_rps = figures.completed / window_s if figures.window_ns else 0.0
        self._windows.append(figures.median_ns / 1e9 if scheduled else rate_rps)
        for generator, result in zip(self.generators, results, strict=True):
            generator.add(result)
        self.cap_hits += sum(result.cap_hits for result in results)
        self.unsent += sum(result.unsent for result in results)
        self.connects = sum(result.connects for result in results)
        self.slices += 1
        self.requests += figures.requests
        self.completed += figures.completed
        self.window_ns += figures.window_ns
        self.wall_ns += wall_ns
        if figures.requests and figures.unanswered == figures.requests and self.lost is None:
            self.lost = f"none of the {figures.requests} requests of a slice was answered"

    def add_resources(self, *, cpu_ns: int, switches: int, others_cpu_ns: int) -> None:
        """What this target and the waiting ones used while this one was visited."""
        self.cpu_ns += cpu_ns
        self.context_switches += switches
        self.others_cpu_ns += others_cpu_ns

    def record(
        self,
        order: TrialOrder,
        *,
        measured_resources: bool,
        workers: Sequence[WorkerNode] = (),
        samples: str | None = None,
    ) -> TrialRecord:
        """The trial's record. `workers` are those that shared the load, `samples` is where the samples were saved."""
        kinds = self._error_kinds()
        throughput_rps = self.completed / (self.window_ns / 1e9) if self.window_ns else 0.0
        arrival = order.scenario.arrival
        backlog = None
        if arrival.rate_rps is not None:
            backlog = Backlog(most_in_flight=arrival.users, cap_hits=self.cap_hits, unsent=self.unsent)
        share = worst([generator.share(self.samples) for generator in self.generators])
        shared = tuple(
            generator.record(worker, self.samples, self.window_ns)
            for generator, worker in zip(self.generators, workers, strict=bool(workers))
        )
        if self.processes and not self.order.launched and self.processes.has_others():
            self._forget_processes()
        sizes = self._sizes()
        logged = self._log.reason() if self.lost is None else None
        reason = (
            logged
            or reason_against(
                share=share,
                requests=self.requests,
                error_kinds=kinds,
                completed=self.completed,
                throughput_rps=throughput_rps,
                ceiling_rps=order.ceiling_rps,
                lost=self.lost,
                backlog=backlog,
                own_core=all(generator.own_core for generator in self.generators),
                status=self._wrong_status(),
            )
            or reason_against_workers(shared, slice_s=self.slice_s)
        )
        own = self.processes is not None
        return TrialRecord(
            target=self.order.id,
            endpoint=order.scenario.endpoint,
            scenario=order.scenario.id,
            users=order.scenario.users,
            valid=reason is None,
            reason=reason,
            requests=self.requests,
            errors=sum(kinds.values()),
            error_kinds=kinds,
            slices=self.slices,
            slice_s=self.slice_s,
            warmup_slices=self.warmup_slices,
            steady=self.steady,
            seed=order.seed,
            completed=self.completed,
            throughput_rps=throughput_rps,
            p50_us=self._median_us(),
            offered_rps=arrival.rate_rps,
            backlog=backlog,
            over_limit=self._over_limit(order.limit_ms),
            cpu_ms_per_request=self.cpu_ns / 1e6 / self.requests if own and self.requests else None,
            rss_mib=sizes.rss_mib,
            pss_mib=sizes.pss_mib,
            threads=sizes.threads,
            context_switches=self.context_switches if own else None,
            generator=share,
            workers=shared or None,
            worker_lost=self.worker_lost,
            idle_cpu_share=self.others_cpu_ns / self.wall_ns if measured_resources and self.wall_ns else None,
            connects=self.connects,
            visits=self.visits.record(),
            samples=samples,
        )

    def save(self, order: TrialOrder, *, index: int) -> str | None:
        """Write the samples file, if the order asks for one; its path, from the run's folder on."""
        if order.out is None:
            return None
        folder = Path(order.out)
        folder.mkdir(parents=True, exist_ok=True)
        # The index keeps names apart that differ only in characters no file name should hold.
        name = re.sub(r"[^A-Za-z0-9._@+-]", "_", f"{order.label}-{index}-{self.order.id}")
        path = folder / f"{name[:_LONGEST_NAME]}.npz"
        self.samples.save(path)
        return f"{folder.name}/{path.name}"

    def _median_us(self) -> float | None:
        """The median service time of the steady right answers, in us."""
        counted = (self.samples.column("phase") == STEADY) & (self.samples.column("error") == ErrorKind.NONE)
        service_ns = (self.samples.column("done_ns") - self.samples.column("sent_ns"))[counted]
        return float(np.median(service_ns)) / 1e3 if len(service_ns) else None

    def _over_limit(self, limit_ms: float | None) -> OverLimit | None:
        """Of the steady requests, how many had no right answer within the limit, by response time."""
        if limit_ms is None:
            return None
        steady = self.samples.column("phase") == STEADY
        took_ns = (self.samples.column("done_ns") - self.samples.column("due_ns"))[steady]
        wrong = self.samples.column("error")[steady] != ErrorKind.NONE
        # What was due and never sent has no sample; it took longer than any limit.
        over = int(((took_ns > limit_ms * 1e6) | wrong).sum()) + self.unsent
        return OverLimit(limit_ms=limit_ms, requests=len(took_ns) + self.unsent, over=over)

    def _error_kinds(self) -> dict[str, int]:
        errors = Counter(self.samples.column("error").tolist())
        return {kind.name.lower(): errors[kind] for kind in ErrorKind if kind and errors[kind]}

    def _wrong_status(self) -> int | None:
        wrong = self.samples.column("status")[self.samples.column("error") == ErrorKind.STATUS]
        return Counter(wrong.tolist()).most_common(1)[0][0] if len(wrong) else None

    def _sizes(self) -> Sizes:
        """What the target holds at the end of the trial."""
        if self.processes is not None and self.lost is None:
            try:
                return self.processes.sizes()
            except OSError as error:
                self._process_gone(f"a process of the target has ended ({error})")
        return Sizes(rss_mib=None, pss_mib=None, threads=None)
