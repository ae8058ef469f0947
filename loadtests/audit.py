"""The generator watches itself: its CPU share, late sends, event loop's lag, and what follows from them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any, Protocol, Self

import gevent
import numpy as np

TICK_S = 0.005
TIMER_GRAIN_NS = 1_000_000
"""epoll_wait takes whole milliseconds, so an idle loop's timer is up to one late without any lag."""

LATE_NS = 1_000_000
MOST_CPU_SHARE = 0.80
MOST_LATE_SHARE = 0.01
LEAST_CEILING_RATIO = 3.0
MOST_ERROR_SHARE = 0.01


class Watched(Protocol):
    """A user with an exchange under way since `sent_ns`, or none where that is 0."""

    sent_ns: int

    def throw_overdue(self) -> None:
        """Break the exchange off."""


class Watch:
    """Ticks in the event loop while a slice runs: samples its lag and throws overdue exchanges out.

    A lag is how late, beyond the timer's grain, a tick came, plus how long the loop then took to come round
    again: as long may an answer have waited to be read.
    """

    def __init__(self, users: Sequence[Watched], *, timeout_s: float, lags_ns: array[int]) -> None:
        self.lags_ns = lags_ns
        self._users = users
        self._timeout_ns = int(timeout_s * 1e9)
        self._loop: Any = gevent.get_hub().loop
        self._timer: Any = None
        self._last_ns = 0

    def __enter__(self) -> Self:
        self._timer = self._loop.timer(TICK_S, TICK_S)
        self._last_ns = monotonic_ns()
        self._timer.start(self._tick)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.close()

    def _tick(self) -> None:
        now = monotonic_ns()
        late_ns = now - self._last_ns - int(TICK_S * 1e9) - TIMER_GRAIN_NS
        self._last_ns = now
        self._loop.run_callback(self._came_round, now, max(0, late_ns))
        for user in self._users:
            if user.sent_ns and now - user.sent_ns > self._timeout_ns:
                user.throw_overdue()

    def _came_round(self, ticked_ns: int, late_ns: int) -> None:
        self.lags_ns.append(late_ns + monotonic_ns() - ticked_ns)


def lag_p99_us(lags_ns: array[int]) -> float:
    """99th percentile of a watch's lags in microseconds; 0 before the first tick."""
    return float(np.percentile(np.array(lags_ns), 99)) / 1e3 if lags_ns else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorShare:
    """The generator's part in one trial: CPU share of its visits, share of late sends, lag in us."""

    cpu_share: float
    late_share: float
    lag_p99_us: float

    def to_json(self) -> dict[str, float]:
        """The `generator` member of a trial's record."""
        return {"cpu_share": self.cpu_share, "late_share": self.late_share, "lag_p99_us": self.lag_p99_us}


def reason_against(
    *,
    share: GeneratorShare,
    requests: int,
    error_kinds: Mapping[str, int],
    completed: int,
    throughput_rps: float,
    ceiling_rps: float | None,
    lost: str | None,
) -> str | None:
    """Why a trial is not valid, the target's faults before the generator's; None where it is."""
    errors = sum(error_kinds.values())
    if lost is not None:
        return lost
    if error_kinds.get("body"):
        return f"{error_kinds['body']} of {requests} answers had a wrong body"
    if errors > MOST_ERROR_SHARE * requests:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(error_kinds.items()))
        return f"{errors} of {requests} requests failed ({kinds})"
    if not completed:
        return "no right answer fell into a steady window; longer slices are needed"
    if share.cpu_share > MOST_CPU_SHARE:
        return f"the generator used {share.cpu_share:.0%} of its core (limit {MOST_CPU_SHARE:.0%})"
    if share.late_share > MOST_LATE_SHARE:
        return f"{share.late_share:.1%} of the requests were sent over 1 ms late (limit {MOST_LATE_SHARE:.0%})"
    if ceiling_rps is not None and throughput_rps * LEAST_CEILING_RATIO > ceiling_rps:
        return f"{throughput_rps:.0f} requests/s is over a third of the generator's ceiling of {ceiling_rps:.0f}"
    return None
