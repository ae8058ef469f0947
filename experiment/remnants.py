"""Processes of a run that was killed: they end by themselves, and nothing is measured beside them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import psutil

from experiment.errors import ExpectedError
from experiment.progress import Terminal
from servers.guard import GRACE_S

VARIABLE: Final = "TITRATE_RUN"
"""Names the run folder in the environment of every process that a run starts."""

_PATIENCE_S: Final = 3 * GRACE_S
_POLL_S: Final = 0.1


def mark(folder: Path) -> None:
    """Have whatever this process starts from now on belong to the run in `folder`."""
    os.environ[VARIABLE] = str(folder)


def remnants(folder: Path) -> list[psutil.Process]:
    """The processes that the run in `folder` has started and that live, whatever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(VARIABLE) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            # Another user's, or one that has ended meanwhile.
            continue
    return found


def wait_until_gone(folder: Path, terminal: Terminal) -> None:
    """Return when nothing is left of the run that was stopped. Raises ExpectedError where something stays."""
    deadline = time.monotonic() + _PATIENCE_S
    said = False
    while left := remnants(folder):
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left)
            raise ExpectedError(
                f"processes of the stopped run are still there after {_PATIENCE_S:.0f} s: {pids}",
                hint="they would take time from what is measured; end them, then resume",
            )
        if not said:
            terminal.say("waiting for the servers of the stopped run to end")
            said = True
        time.sleep(_POLL_S)
