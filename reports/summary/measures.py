"""What the rows of a summary are made of: medians with their intervals, and the percentiles of a latency."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

Interval: TypeAlias = tuple[float, float]
"""The ends of a 95 % interval, the lower one first."""
JsonObject: TypeAlias = dict[str, Any]
"""What the summary passes on as the journal has it."""

COLUMNS = ("p50", "p90", "p99", "p999")
"""The percentiles of a latency that a summary has, by their names in it."""


class Median(Struct, frozen=True, kw_only=True):
    """A median over blocks, or a percentile of their samples together; a single block has no interval."""

    median: float
    ci95: Interval | None


class Percentiles(Struct, frozen=True, kw_only=True):
    """The percentiles of a latency in ms; one without the samples that it needs is None."""

    p50: Median | None
    p90: Median | None
    p99: Median | None
    p999: Median | None

    @property
    def told(self) -> dict[str, Median]:
        """Those that have their samples, by name."""
        return {name: found for name in COLUMNS if (found := self.at(name))}

    def at(self, name: str) -> Median | None:
        """The percentile of that name, one of `COLUMNS`."""
        found: Median | None = getattr(self, name)
        return found


class BlockFigures(Struct, frozen=True, kw_only=True):
    """One block of a cell; ms. A percentile is None below the samples that it needs.

    `core_time_rps` is the throughput in the time in which the target could have its cores; None where nobody knows it.
    """

    block: int
    throughput_rps: float | None
    core_time_rps: float | None = None
    p50_ms: float | None
    p99_ms: float | None
    response_p50_ms: float | None
    cpu_ms_per_request: float | None
    samples: int

    def figure(self, name: str) -> float | None:
        """The figure of that name, e.g. `p50_ms`."""
        found: float | None = getattr(self, name)
        return found
