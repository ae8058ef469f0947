"""What a batcher did: how large its batches were, and how long their rows had waited."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

_KEPT: Final = 4096
"""Queue times that the percentiles are taken from, the latest; memory stays bounded however long it serves."""

_P99_NEEDS: Final = 662
"""Fewest samples for a 99th percentile; with fewer it is null rather than a maximum by another name."""


@dataclass(slots=True, kw_only=True)
class BatchFigures:
    """Counts since the start of one model's batcher. Not thread-safe: the batcher's lock guards it."""

    batches: Counter[int] = field(default_factory=Counter)
    """Calls of the predictor by how many rows of requests they held, padding left out, retries included."""

    waited: int = 0
    """Requests that left the queue for execution."""

    overloaded: int = 0
    expired: int = 0
    failed_batches: int = 0
    deaths: int = 0
    longest_s: float = 0.0
    _queue_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def left_queue(self, waits_s: Iterable[float]) -> None:
        """Requests go into execution after so many seconds in the queue each."""
        for wait_s in waits_s:
            self.waited += 1
            self.longest_s = max(self.longest_s, wait_s)
            self._queue_s.append(wait_s)

    def to_json(self) -> dict[str, Any]:
        """The members of `GET /metadata`; milliseconds."""
        ordered = sorted(self._queue_s)
        return {
            "batches": {str(rows): self.batches[rows] for rows in sorted(self.batches)},
            "queue_ms": {
                "count": self.waited,
                "p50": _percentile_ms(ordered, 50, needs=1),
                "p99": _percentile_ms(ordered, 99, needs=_P99_NEEDS),
                "longest": round(1e3 * self.longest_s, 3),
            },
            "overloaded": self.overloaded,
            "deadline_exceeded": self.expired,
            "failed_batches": self.failed_batches,
            "executor_deaths": self.deaths,
        }


def _percentile_ms(ordered: list[float], percent: int, *, needs: int) -> float | None:
    """By nearest rank: a value that occurred, never one between two."""
    if len(ordered) < needs:
        return None
    rank = -(-percent * len(ordered) // 100)
    return round(1e3 * ordered[rank - 1], 3)
