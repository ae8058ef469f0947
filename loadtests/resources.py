"""What the target's processes use: CPU time, memory, threads, context switches (Linux).

CPU time is read from each process's CPU clock (clock_getcpuclockid(3)): it counts nanoseconds and keeps the
time of threads that have ended, where /proc/PID/stat counts ticks of 10 ms, a tenth of a slice. Processes
that are started during a trial are not seen, one that ends is reported.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import psutil

from addresses.address import Address
from addresses.connecting import places

_ANY = ("0.0.0.0", "::")  # noqa: S104 -- what is looked for; nothing is bound to it
PROCESS_CLOCK = 2
"""CPUCLOCK_SCHED, the process-wide clock in the low bits of a clock id (linux/posix-timers.h)."""


class ProcessGoneError(Exception):
    """A process of the target has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a target's processes hold together; None where they are not known.

    `rss_mib` is peak resident memory (VmHWM), in which pages that they share count in each; in `pss_mib` these count
    once among them. `threads` are alive now.
    """

    rss_mib: float | None
    pss_mib: float | None
    threads: int | None


class ProcessSet:
    """The processes under some roots, found once."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = tuple(roots)
        self.pids: tuple[int, ...] = self._alive()
        self._ended_s = self._of_ended()

    def cpu_ns(self) -> int:
        """CPU time used since each process began, in ns. Raises ProcessGoneError."""
        total = 0
        for pid in self.pids:
            try:
                total += time.clock_gettime_ns((~pid << 3) | PROCESS_CLOCK)
            except OSError as error:
                raise ProcessGoneError(f"process {pid} of the target has ended") from error
        return total

    def has_others(self) -> bool:
        """Whether the roots started processes since, or any ended: then their CPU time is not all in `cpu_ns`."""
        try:
            return self._alive() != self.pids or self._of_ended() != self._ended_s
        except ProcessGoneError:
            return True

    def _alive(self) -> tuple[int, ...]:
        return tuple(sorted({pid for root in self._roots for pid in _tree(root)}))

    def _of_ended(self) -> float:
        """CPU time of children that have ended, s."""
        total = 0.0
        for pid in self.pids:
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.Error as error:
                raise ProcessGoneError(f"process {pid} of the target has ended") from error
            total += times.children_user + times.children_system
        return total

    def sizes(self) -> Sizes:
        """Memory and threads now. Raises OSError where a process has ended.

        Reading the proportional size walks the page tables, so it is no figure to ask for while a slice runs
        (proc_pid_smaps(5)).
        """
        return Sizes(
            rss_mib=self._sum("status", "VmHWM") / 1024,
            pss_mib=self._sum("smaps_rollup", "Pss") / 1024,
            threads=self._sum("status", "Threads"),
        )

    def _sum(self, file: str, field: str) -> int:
        return sum(_field_sum(Path(f"/proc/{pid}/{file}"), field) for pid in self.pids)

    def context_switches(self) -> int:
        """Voluntary and involuntary switches of all threads now alive."""
        total = 0
        for pid in self.pids:
            try:
                threads = list(Path(f"/proc/{pid}/task").iterdir())
            except FileNotFoundError as error:
                raise ProcessGoneError(f"process {pid} of the target has ended") from error
            for thread in threads:
                total += _thread_switches(thread / "status")
        return total


def listening_here(base_url: str) -> tuple[int, ...]:
    """The processes of this machine that listen at a loopback address: those of a server that somebody else started.

    Gunicorn's master and its workers hold one listening socket, so it may be several. Empty where the address is none
    of this machine's loopback, and where the processes are of another user. Who started this process is left out:
    below it are this process and the load generator.
    """
    there = Address.of(base_url)
    try:
        found = places(there.host, there.port)
    except OSError:
        return ()  # What cannot be reached is told by whoever asks it.
    addresses = {str(place[0]) for _, place in found}
    if not all(ip_address(one.partition("%")[0]).is_loopback for one in addresses):
        return ()
    heard = {(one, there.port) for one in (*addresses, *_ANY)}
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return tuple(pid for pid in psutil.pids() if pid not in own and heard & _listens_at(pid))


def _listens_at(pid: int) -> set[tuple[str, int]]:
    try:
        opened = psutil.Process(pid).net_connections(kind="tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return set()
    return {(one.laddr.ip, one.laddr.port) for one in opened if one.status == psutil.CONN_LISTEN}


def _tree(root: int) -> list[int]:
    try:
        process = psutil.Process(root)
        return [root, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess as error:
        raise ProcessGoneError(f"process {root} of the target has ended") from error


def _thread_switches(status: Path) -> int:
    try:
        return _field_sum(status, "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # A thread may end between being listed and being read; it has no count any more.


def _field_sum(status: Path, *names: str) -> int:
    """Sum of some fields of a /proc status file, in the file's unit."""
    total = 0
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in names:
            total += int(value.split()[0])
    return total
