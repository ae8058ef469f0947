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
class Exchange:
    """One question and its answer: sent and received by the master's clock, answered by the worker's; in ns."""

    sent_ns: int
    answered_ns: int
    received_ns: int

    @property
    def round_trip_ns(self) -> int:
        """How long the master waited."""
        return self.received_ns - self.sent_ns


class Reading(Struct, frozen=True, kw_only=True):
    """How far a worker's clock is ahead of the master's, and how far from the truth that may be, in ns."""

    offset_ns: int
    uncertainty_ns: int


def compare(exchanges: Iterable[Exchange]) -> Reading:
    """The reading of the exchange with the shortest round trip. Raises ValueError where there is none."""
    best = min(exchanges, key=lambda one: one.round_trip_ns)
    return Reading(
        offset_ns=best.answered_ns - (best.sent_ns + best.received_ns) // 2,
        # Rounded up: the middle was rounded down.
        uncertainty_ns=best.round_trip_ns // 2 + 1,
    )


def summarize(readings: Sequence[Reading]) -> Reading:
    """One reading for all of a trial's: the median offset, and the worst that any of them may have been off.

    Clocks drift, and each visit has a reading of its own from just before it; so what the offset changed by from one
    reading to the next is counted as uncertainty too. Raises ValueError where there is none.
    """
    if not readings:
        raise ValueError("clocks that were never compared have no offset")
    steps = [abs(later.offset_ns - one.offset_ns) for one, later in pairwise(readings)]
    return Reading(
        offset_ns=median_low(one.offset_ns for one in readings),
        uncertainty_ns=max(one.uncertainty_ns for one in readings) + max(steps, default=0),
    )
