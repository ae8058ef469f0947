"""Two machines' clocks held against each other, by exchanges of one message each way (Cristian 1989, RFC 5905).

A worker's clock was read between the sending and the receiving, so the offset lies within half a round trip of the
middle, however the way there and the way back differ. The exchange with the shortest round trip says most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low

from msgspec import Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One question and its answer: sent and received by the master's clock, answered by the worker's; in ns."""

    sent_ns: int
    answered_ns: int
    received_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long the master waited."""
        return self.received_ns - self.sent_ns


class ClockOffset(Struct, frozen=True, kw_only=True):
    """How far a worker's clock is ahead of the master's, and how far from the truth that may be, in ns."""

    offset_ns: int
    uncertainty_ns: int


def compare(pings: Iterable[Ping]) -> ClockOffset:
    """The offset by the exchange with the shortest round trip. Raises ValueError where there is none."""
    best = min(pings, key=lambda one: one.round_trip_ns)
    return ClockOffset(
        offset_ns=best.answered_ns - (best.sent_ns + best.received_ns) // 2,
        # Rounded up: the middle was rounded down.
        uncertainty_ns=best.round_trip_ns // 2 + 1,
    )


def summarize(offsets: Sequence[ClockOffset]) -> ClockOffset:
    """One for all of a trial's: the median offset, and the worst that any of them may have been off.

    Clocks drift, and each slice has an offset of its own from just before it; so what the offset changed by from one
    to the next is counted as uncertainty too. Raises ValueError where there is none.
    """
    if not offsets:
        raise ValueError("clocks that were never compared have no offset")
    steps = [abs(later.offset_ns - one.offset_ns) for one, later in pairwise(offsets)]
    return ClockOffset(
        offset_ns=median_low(one.offset_ns for one in offsets),
        uncertainty_ns=max(one.uncertainty_ns for one in offsets) + max(steps, default=0),
    )
