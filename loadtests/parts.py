"""Who makes the visits of a trial, and what is brought home from one.

A trial's load is one process's, or is shared out among workers. Either way the conductor says what is visited and for
how long, and gets parts back: one a generator, all of their times by the conductor's own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from msgspec import Struct

from loadtests.clocks import Reading
from loadtests.record import WorkerNode
from loadtests.samples import ROW


class Portion(Struct, frozen=True, kw_only=True):
    """One generator's part of a load: `users` from number `first` on, and every `of`-th due request from `index` on."""

    users: int
    first: int = 0
    index: int = 0
    of: int = 1

    def of_many(self, count: int) -> int:
        """This generator's part of so many things that all share."""
        return count // self.of + (self.index < count % self.of)


def portions(users: int, workers: int) -> tuple[Portion, ...]:
    """The users shared out as evenly as they go. No worker is left without one, so there may be fewer portions."""
    of = min(users, workers)
    found: list[Portion] = []
    first = 0
    for index in range(of):
        share = users // of + (index < users % of)
        found.append(Portion(users=share, first=first, index=index, of=of))
        first += share
    return tuple(found)


class Errand(Struct, frozen=True, kw_only=True):
    """One visit to come: the target's place in the order, the slice's number and length, and whether it counts."""

    target: int
    number: int
    length_ns: int
    warmup: bool


class Part(Struct, frozen=True, kw_only=True):
    """What one generator brings home from a visit: its samples, rows of ROW in order of completion, and its own doings.

    `connects` counts the connections that it has opened to the target in this trial. `late_start_ns` is how much later
    than agreed it began.
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
    shares: list[float]
    lags_ns: list[int]
    late_start_ns: int = 0
    clock: Reading | None = None


class LostWorkerError(Exception):
    """A worker is gone, or its samples are not whole; the message says which. Its trial cannot count."""


class Stage(Protocol):
    """Whoever makes a trial's visits; a context manager, because it has users while the trial lasts."""

    @property
    def portions(self) -> Sequence[Portion]:
        """The generators' portions of the load, in the order of the parts."""

    @property
    def workers(self) -> Sequence[WorkerNode]:
        """The workers of these portions; none where this process makes the visits itself."""

    def __enter__(self) -> Self:
        """Spawn the users."""

    def __exit__(self, *_: object) -> None:
        """Stop the users."""

    def probe(self, target: int) -> str | None:
        """One exchange with a target: why there was no answer, if there was none. Raises LostWorkerError."""

    def prepare(self, errand: Errand) -> None:
        """Get ready for a visit, outside of its time. Raises LostWorkerError."""

    def go(self) -> Sequence[Part]:
        """Make the visit that was prepared. Raises LostWorkerError."""


def merge(parts: Sequence[Part]) -> bytes:
    """The samples of all parts in order of completion: every row of each, and nothing else."""
    if len(parts) == 1:
        return parts[0].rows
    rows = np.concatenate([np.frombuffer(part.rows, dtype=ROW) for part in parts])
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
