"""What `calibrate --against` comes to: ratios paired round by round, and what must hold of the load generator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.statistics import Ratio, paired_ratio

_Rounds = Mapping[str, Sequence[Mapping[str, float]]]
"""By the name of who took turns, the figures of each round."""

_AS_MANY_AS_WRK: Final = (16, 64)
_LOCUST_USERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that must hold of the generator: a ratio, paired round by round, and how it must stand to its limit."""

    name: str
    measured: Ratio
    limit: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self._reached_by(self.measured.ratio)

    @property
    def refuted(self) -> bool:
        """Whether all of the interval is on the wrong side: what merely does not hold may hold in more rounds."""
        return not self._reached_by(self.measured.high if self.at_least else self.measured.low)

    def _reached_by(self, ratio: float) -> bool:
        # A mean of logarithms is the limit itself but for its last bits.
        at_limit = math.isclose(ratio, self.limit, rel_tol=1e-12)
        return at_limit or (ratio > self.limit if self.at_least else ratio < self.limit)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        figures = {"ratio": self.measured.ratio, "low": self.measured.low, "high": self.measured.high}
        return {"name": self.name, **figures, "limit": self.limit, "holds": self.holds, "refuted": self.refuted}


def bars(rounds: _Rounds) -> tuple[Requirement, ...]:
    """What must hold: as fast as wrk, a median of at most 1.3 of its, and four times Locust's own user.

    Raises ValueError for fewer than two rounds.
    """

    def ratio(name: str, other: str, figure: str) -> Ratio:
        # Whichever is better, what is named is over the other.
        return paired_ratio([one[figure] for one in rounds[other]], [one[figure] for one in rounds[name]])

    locust = f"fasthttpuser@{_LOCUST_USERS}"
    return (
        *(
            Requirement(
                name=f"requests/s over wrk's at {count} connections",
                measured=ratio(f"titrate@{count}", f"wrk@{count}", "rps"),
                limit=1.0,
                at_least=True,
            )
            for count in _AS_MANY_AS_WRK
        ),
        Requirement(
            name="median over wrk's at one connection",
            measured=ratio("titrate@1", "wrk@1", "p50_us"),
            limit=1.3,
            at_least=False,
        ),
        Requirement(
            name=f"requests/s over FastHttpUser's at {_LOCUST_USERS} users",
            measured=ratio(f"titrate@{_LOCUST_USERS}", locust, "rps"),
            limit=4.0,
            at_least=True,
        ),
    )


def shares(rounds: _Rounds) -> dict[str, Ratio]:
    """By mode, the throughput of what is served over that of the bare core: turns `served MODE` and `bare MODE`."""
    modes = [name.removeprefix("bare ") for name in rounds if name.startswith("bare ")]
    return {
        mode: paired_ratio(*([one["rps"] for one in rounds[f"{kind} {mode}"]] for kind in ("bare", "served")))
        for mode in modes
    }
