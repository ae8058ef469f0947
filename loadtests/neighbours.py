"""Who else used the cores of a target and of the generator while a slice ran (Linux).

A program that takes a fifth of a server's core makes it a fifth slower, which looks like a slow server.
Every process has a CPU clock that anybody may read (clock_getcpuclockid(3)), in nanoseconds; all of them are read at
both edges of a slice, outside of its time, some microseconds each. What a process used that began and ended in between
is not seen, and what the hypervisor took is known in ticks of 10 ms only (proc_stat(5)).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.resources import PROCESS_CLOCK

NS_PER_TICK = 10_000_000
"""USER_HZ is 100 on Linux, whatever the kernel's own clock does."""
LEAST_NS = 20_000
"""Where a process ran is not asked for less than this: there are hundreds, and the rest together is nothing."""
_PROC = Path("/proc")
_STOLEN, _PROCESSOR = 8, 36
"""Fields of a core's line in /proc/stat, and of /proc/PID/stat after its name, counted from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What every process has used so far, in ns by its number, and what was stolen from each core."""

    used_ns: Mapping[int, int]
    stolen_ns: Mapping[int, int]


def read_books() -> Books | None:
    """The books of this machine now; None where it keeps none."""
    try:
        numbers = [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208 - a Path an entry costs more than all else here
        stolen = _stolen_ns()
    except OSError:
        return None
    used = {}
    for number in numbers:
        try:
            used[number] = time.clock_gettime_ns((~number << 3) | PROCESS_CLOCK)
        except OSError:
            continue  # It has ended since it was listed.
    return Books(used_ns=used, stolen_ns=stolen)


def others_ns(before: Books, after: Books, *, own: Iterable[int], cores: Iterable[int]) -> int:
    """CPU time that processes other than `own` used in between and whose core, at the end, is one of `cores`."""
    kept, found, total = set(own), set(cores), 0
    for number, used_ns in after.used_ns.items():
        spent_ns = used_ns - before.used_ns.get(number, 0)
        if spent_ns >= LEAST_NS and number not in kept and _core_of(number) in found:
            total += spent_ns
    return total


def stolen_ns(before: Books, after: Books, *, cores: Iterable[int]) -> int:
    """What the hypervisor took of these cores in between, to a tick."""
    return sum(after.stolen_ns.get(core, 0) - before.stolen_ns.get(core, 0) for core in set(cores))


def _stolen_ns() -> dict[int, int]:
    lines = (_PROC / "stat").read_text(encoding="ascii").splitlines()
    cores = [line.split() for line in lines if line.startswith("cpu") and line[3].isdigit()]
    return {int(fields[0][3:]): int(fields[_STOLEN]) * NS_PER_TICK for fields in cores if len(fields) > _STOLEN}


def _core_of(number: int) -> int | None:
    """The core that a process last ran on; None where it has ended."""
    try:
        text = (_PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets and blanks included.
    return int(text.rpartition(")")[2].split()[_PROCESSOR])
