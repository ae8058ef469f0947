"""Arrival laws: when a user's next request is due.

A law is a type that names itself (`kind`), knows how many users it needs and gives every user a pacer. A
pacer is asked before each request and may look at the past only; the user then waits until the due instant if
it lies ahead, and sends at once if it has passed. A law with a schedule of its own ignores when the last
answer came, so a stall is charged to every request that it delayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

Pacer = Callable[[int, int], int]
"""(due_ns of the last request, done_ns of its answer) -> due_ns of the next one; before a slice's first
request both
are the instant at which the slice was opened. All on the generator's monotonic clock."""


class Arrival(Protocol):
    """What every arrival law offers."""

    @property
    def kind(self) -> str:
        """The law's name in records, such as `closed`."""

    @property
    def users(self) -> int:
        """How many users, each with one connection, the law needs."""

    def pacer(self, *, user: int, seed: int) -> Pacer:
        """The pacer of one user (numbered from 0) for one slice; all its chance comes from `seed`."""


def due_with_the_answer(_due_ns: int, done_ns: int) -> int:
    """The next request is due the moment the last answer is complete."""
    return done_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop:
    """A fixed number of users, each sending its next request as soon as it has the last answer."""

    kind: ClassVar[str] = "closed"
    users: int

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError(f"a closed loop needs at least one user, not {self.users}")

    def pacer(self, *, user: int, seed: int) -> Pacer:  # noqa: ARG002 - the law's signature; no chance in this one
        """The same pacer for everyone: no schedule but the answers."""
        return due_with_the_answer


def arrival_from_record(record: Mapping[str, Any]) -> Arrival:
    """The law that a scenario's record names: `{"arrival": "closed", "users": 16}`.

    Raises ValueError for a name that no law has.
    """
    if record["arrival"] == ClosedLoop.kind:
        return ClosedLoop(users=int(record["users"]))
    raise ValueError(f"unknown arrival law {record['arrival']!r}; known: {ClosedLoop.kind}")
