"""Whether processes end."""

from __future__ import annotations

import time

import psutil


def gone(pid: int, within_s: float) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False
