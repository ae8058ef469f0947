"""Runs a server as a child in a process group of its own, and never leaves it behind.

The parent holds the other end of this process's standard input. When that closes, because the parent asked or because
it died in any way at all, the group is asked to stop, and killed when it does not.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Final

GRACE_S: Final = 8.0
"""How long a server may take to stop by itself."""

_POLL_S: Final = 0.02
_ARE_YOU_THERE: Final = 0


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input closes; its exit status, 128 + n for signal n."""
    # Ctrl-C reaches the whole foreground group; the parent decides about the order of things, not the terminal.
    # A handler that does nothing: SIG_IGN would be inherited by the server, which could then not be asked to stop.
    signal.signal(signal.SIGINT, _stay)
    signal.signal(signal.SIGTERM, _stay)
    # A descriptor that the parent passed on by name is the child's too; no other is inherited (PEP 446).
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, close_fds=False)
    ended = os.pidfd_open(child.pid) if hasattr(os, "pidfd_open") else None
    waited_for = [sys.stdin] if ended is None else [sys.stdin, ended]
    while child.poll() is None:
        # Without pidfd (not Linux) the end of the child is polled for.
        readable, _, _ = select.select(waited_for, [], [], None if ended is not None else 1.0)
        if sys.stdin in readable and not os.read(sys.stdin.fileno(), 1):
            break
    _end_group(child)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _stay(_signal: int, _frame: FrameType | None) -> None:
    """Go on: the end comes through standard input."""


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM to every process of the group, SIGKILL to what is left after the grace."""
    deadline = time.monotonic() + GRACE_S
    asked = _signal_group(child.pid, signal.SIGTERM)
    while asked and _signal_group(child.pid, _ARE_YOU_THERE if time.monotonic() < deadline else signal.SIGKILL):
        child.poll()
        time.sleep(_POLL_S)


def _signal_group(group: int, sign: int) -> bool:
    """Whether the group still has a process."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
