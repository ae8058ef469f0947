"""Who puts a trial's slices of load on its targets, and what comes of one.

A trial's load is one process's, or is shared out among workers. Either way the trial says which target is loaded and
for how long, and gets results back: one a generator, all of their times by the trial's own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from msgspec import Struct

from loadtests.clock_offsets import ClockOffset
from loadtests.samples import ROW
from loadtests.trial_record import WorkerNode


class LoadSegment(Struct, frozen=True, kw_only=True):
    """One generator's part of a load: `users` from number `first` on, and every `of`-th due request from `index` on.

    What k6 calls an execution segment.
    """

    users: int
    first: int = 0
    index: int = 0
    of: int = 1

    def of_many(self, count: int) -> int:
        """This generator's part of so many things that all share."""
        return count // self.of + (self.index < count % self.of)


def split_load(users: int, workers: int) -> tuple[LoadSegment, ...]:
    """The users shared out as evenly as they go. No worker is left without one, so there may be fewer segments."""
    of = min(users, workers)
    found: list[LoadSegment] = []
    first = 0
    for index in range(of):
        share = users // of + (index < users % of)
        found.append(LoadSegment(users=share, first=first, index=index, of=of))
        first += share
    return tuple(found)


class SliceOrder(Struct, frozen=True, kw_only=True):
    """One slice to come: the target's place in the trial's order, number and length, and whether it is warm-up."""

    target: int
    number: int
    length_ns: int
    warmup: bool


class SliceResult(Struct, frozen=True, kw_only=True):
    """What one generator made of a slice: its samples, rows of ROW in order of completion, and what it did itself.

    `connects` counts the connections that it has opened to the target in this trial. `late_start_ns` is how much later
    than agreed it began, `own_core` whether it had a core that nothing else was to use. It was ready and waited for a
    core for `queued_ns`, and a quota kept its processes from one for `throttled_ns`. Of the gaps of
    SliceRun the longest counts, and in `stood_ns` all that were longer than a tick.
    """

    rows: bytes = b""
    opened_ns: int
    deadline_ns: int
    cap_hits: int
    unsent: int
    connects: int
    busy_ns: int
    wall_ns: int
    queued_ns: int
    throttled_ns: int = 0
    longest_gap_ns: int = 0
    stood_ns: int = 0
    own_core: bool = False
    shares: list[float]
    lags_ns: list[int]
    late_start_ns: int = 0
    clock: ClockOffset | None = None


class LostWorkerError(Exception):
    """A worker is gone, or its samples are not whole; the message says which. Its trial cannot count."""


class Runner(Protocol):
    """Whoever loads a trial's targets; a context manager, because it has users while the trial lasts."""

    @property
    def segments(self) -> Sequence[LoadSegment]:
        """The generators' segments of the load, in the order of the results."""

    @property
    def workers(self) -> Sequence[WorkerNode]:
        """The workers of these segments; none where this process does it all."""

    def __enter__(self) -> Self:
        """Spawn the users."""

    def __exit__(self, *_: object) -> None:
        """Stop the users."""

    def probe(self, target: int) -> str | None:
        """One exchange with a target: why there was no answer, if there was none. Raises LostWorkerError."""

    def prepare(self, order: SliceOrder) -> None:
        """Get ready for a slice, outside of its time. Raises LostWorkerError."""

    def run(self) -> Sequence[SliceResult]:
        """Run the slice that was prepared. Raises LostWorkerError."""


def merge(results: Sequence[SliceResult]) -> bytes:
    """The samples of all results in order of completion: every row of each, and nothing else."""
    if len(results) == 1:
        return results[0].rows
    rows = np.concatenate([np.frombuffer(result.rows, dtype=ROW) for result in results])
    return rows[np.argsort(rows["done_ns"], kind="stable")].tobytes()


def shifted(rows: bytes, by_ns: int) -> bytes:
    """The same samples by a clock that is `by_ns` ahead."""
    found = np.frombuffer(rows, dtype=ROW).copy()
    for name in ("due_ns", "sent_ns", "first_ns", "done_ns"):
        found[name] += by_ns
    return found.tobytes()


def generator_seed(seed: int, *parts: int) -> int:
    """A seed of its own for one part of a trial, drawn from the trial's."""
    return int(np.random.SeedSequence([seed, *parts]).generate_state(1)[0])
