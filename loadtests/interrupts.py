"""Ctrl-C and SIGTERM in a process of greenlets: they reach the main one, where it waits, and no other.

By itself a signal's exception is raised in whichever greenlet runs, mostly one of Locust's, which prints a traceback or
goes on without a word.
"""

from __future__ import annotations

import signal
from typing import Any, Final

import gevent

STOPS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Somebody wants this process to end. No Exception, so that nothing takes it for a fault."""


def interrupt_here() -> None:
    """Raise Interrupted in this greenlet at the first of the signals; later ones change nothing, to the process's end.

    Whoever started this process may have blocked them, so that none came before this.
    """
    here = gevent.getcurrent()
    told = False

    def tell(_signal: int, _frame: Any) -> None:
        nonlocal told
        if not told:
            told = True
            # Not here: this may be the middle of a slice. At its next breath the hub runs.
            gevent.kill(here, Interrupted)

    for stop in STOPS:
        signal.signal(stop, tell)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
