"""What a trial's visits to one target came to, and what the machine did meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

from loadtests.neighbours import Books, others_ns, stolen_ns
from loadtests.samples import SliceFigures
from loadtests.trial_record import Visits

COLUMNS = ("round", "answered", "served_us", "cpu_us", "others_us", "stolen_us", "queued_us")


class VisitLog:
    """Grows by a visit at a time. The target's processes are `pids`; without any nothing is known of its cores."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = tuple(pids)
        self._cores = cores_of(self._pids)
        self._generators = cores_of([os.getpid()])
        self._rows: list[tuple[int, ...]] = []

    def clear(self) -> None:
        """Forget everything, as after the warm-up."""
        self._rows.clear()

    def add(self, number: int, figures: SliceFigures, before: Books, after: Books, *, queued_ns: int | None) -> None:
        """One visit, between two readings of the machine's books.

        `queued_ns` is what the generator waited for its core, None where it is elsewhere. That is what others took of
        that core; the rest they took of the target's.
        """
        cores = self._cores if queued_ns is None else self._cores | self._generators
        both = others_ns(before, after, own=(*self._pids, os.getpid()), cores=cores)
        used_ns = sum(after.used_ns.get(pid, 0) - before.used_ns.get(pid, 0) for pid in self._pids)
        self._rows.append(
            (
                number,
                figures.answered,
                figures.served_ns // 1000,
                used_ns // 1000,
                max(0, both - (queued_ns or 0)) // 1000,
                stolen_ns(before, after, cores=self._cores) // 1000,
                (queued_ns or 0) // 1000,
            )
        )

    def record(self) -> Visits | None:
        """All of them; None where there is none, or no process is known."""
        if not self._rows or not self._pids:
            return None
        columns = zip(*self._rows, strict=True)
        return Visits(cores=max(1, len(self._cores)), **dict(zip(COLUMNS, columns, strict=True)))


def cores_of(pids: Sequence[int]) -> set[int]:
    """The cores that these processes may use; empty where the system does not tell."""
    found: set[int] = set()
    for pid in pids:
        try:
            found |= set(psutil.Process(pid).cpu_affinity())
        except (psutil.Error, AttributeError):
            continue  # Ended, or a system without affinity: what is not known is not counted.
    return found
