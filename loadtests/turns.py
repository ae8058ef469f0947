"""Open loops under the stock Locust: users who take the next request of a schedule, whoever is free."""

from __future__ import annotations

from collections.abc import Iterator

import gevent

from loadtests.arrival import Arrival
from loadtests.runner import generator_seed
from loadtests.system import REAL_SYSTEM

_PART_S = 60.0
"""Of a schedule without an end: a law of steps or a ramp goes through its rates in so long."""
_EARLY_NS = 1_500_000
"""gevent's timers end up to a millisecond late; the rest is waited out among the others."""


class Turns:
    """This process's part of a schedule: every turn whose number, divided by the processes, leaves `process`."""

    def __init__(
        self, law: Arrival, *, length_s: float | None, seed: int, process: int = 0, processes: int = 1
    ) -> None:
        self._due = self._drawn(law, length_s, seed, process, processes)

    @staticmethod
    def _drawn(law: Arrival, length_s: float | None, seed: int, process: int, processes: int) -> Iterator[int]:
        part_ns = int((length_s or _PART_S) * 1e9)
        began_ns, number, part = REAL_SYSTEM.clock(), 0, 0
        while not (length_s and part):
            for due_ns in law.schedule(length_ns=part_ns, seed=generator_seed(seed, part)) or ():
                if number % processes == process:
                    yield began_ns + part * part_ns + due_ns
                number += 1
            part += 1

    def wait(self) -> int | None:
        """Return when the next turn is due, at once where it was already: when that was, in ns; None after the last."""
        due_ns = next(self._due, None)
        while due_ns is not None and (left_ns := due_ns - REAL_SYSTEM.clock()) > 0:
            gevent.sleep(max(0, left_ns - _EARLY_NS) / 1e9)
        return due_ns
