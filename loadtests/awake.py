"""Keep a core awake: `python -m loadtests.awake CPU PARENT`, for as long as the process PARENT lives.

An idle core sleeps, and an idle virtual one is taken away: waking it costs 100 to 200 us where that was measured, which
a load generator would report as latency of a server that had answered long before. This process spins on the
generator's core under SCHED_IDLE (sched(7)): it runs only while nobody else wants to, and whoever wakes preempts it at
once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SET_PDEATHSIG: Final = 1


@contextmanager
def awake(cpu: int | None) -> Iterator[None]:
    """Keep the generator's own core from sleeping, where it has one; only while it measures."""
    if cpu is None or not hasattr(os, "SCHED_IDLE"):
        yield
        return
    command = [sys.executable, "-m", "loadtests.awake", str(cpu), str(os.getpid())]
    # In a process group of its own: Ctrl-C in a terminal is for its parent, which ends it.
    pid = os.posix_spawn(sys.executable, command, dict(os.environ), setpgroup=0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main(cpu: int, parent: int) -> None:
    """Spin until the parent is gone."""
    # The kernel ends this process with its parent (prctl(2)); a parent that is gone already is seen below.
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(100_000):
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
