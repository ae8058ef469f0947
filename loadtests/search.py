"""The highest rate at which a target keeps a promise, by bisection, with an exact bound on the chance of being wrong.

"p99 at most 50 ms" promises that at most one request in a hundred takes longer. Of n requests, how many took longer is
binomial if the promise is just kept, so its tail says exactly how sure the answer is, from any n; MLPerf's early
stopping rests on the same bound (mlcommons/inference_policies, inference_rules.adoc, "Early Stopping Criterion"). A
rate is looked at up to `LOOKS` times, and the chance of a wrong answer is shared out between the looks.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from scipy import special

from loadtests.trial_record import SloOutcome, SloRecord

CONFIDENCE = 0.99
LOOKS = 4
REQUESTS_A_LOOK = 800
"""Enough for one look to tell a 99th percentile that is well inside its limit."""
RESOLUTION = 1.05
"""The search ends where a rate that failed is no more than this above one that held."""
LEAST_SHARE = 1 / 64
"""Below this share of the saturated throughput the promise is not worth a search."""

_SLO = re.compile(r"p([0-9]{1,2}(?:\.[0-9]+)?)=([0-9]+(?:\.[0-9]+)?)(us|ms|s)")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """A promise: the share `quantile` of all requests is answered within `limit_ms`, from when each was due."""

    quantile: float
    limit_ms: float

    def __str__(self) -> str:
        return f"p{100 * self.quantile:g}={self.limit_ms:g}ms"

    @classmethod
    def parse(cls, text: str) -> Slo:
        """`p99=50ms`, `p99.9=1s`. Raises ValueError for anything else."""
        found = _SLO.fullmatch(text)
        if not found or not float(found[1]) or not float(found[2]):
            raise ValueError(f"invalid SLO {text!r}; expected something like p99=50ms")
        return cls(quantile=float(found[1]) / 100, limit_ms=float(found[2]) * _MS[found[3]])

    def record(self) -> SloRecord:
        """The promise in a journal's records."""
        return SloRecord(name=str(self), quantile=self.quantile, limit_ms=self.limit_ms)

    def judge(self, *, requests: int, over: int) -> SloOutcome:
        """Whether `over` of `requests` beyond the limit show that the promise holds, or fails, or neither yet."""
        wrong = (1 - CONFIDENCE) / LOOKS
        if special.bdtr(over, requests, 1 - self.quantile) <= wrong:
            return "holds"
        if special.bdtrc(over - 1, requests, 1 - self.quantile) <= wrong:
            return "fails"
        return "open"


@dataclass(slots=True, kw_only=True)
class Bisection:
    """Between the highest rate that held and the lowest that did not; `saturated_rps` bounds it from above.

    No rate above the saturated throughput can be held, whatever the promise.
    """

    saturated_rps: float
    held_rps: float | None = None
    failed_rps: float = field(init=False)

    def __post_init__(self) -> None:
        self.failed_rps = self.saturated_rps

    def next_rps(self) -> float | None:
        """The rate to look at next; None where the search is over."""
        least = LEAST_SHARE * self.saturated_rps
        if self.held_rps is None:
            # Half of what is left: a queue's tail comes long before its throughput ends.
            return self.failed_rps / 2 if self.failed_rps / 2 >= least else None
        if self.failed_rps <= RESOLUTION * self.held_rps:
            return None
        return math.sqrt(self.held_rps * self.failed_rps)

    def learn(self, rate_rps: float, *, held: bool) -> None:
        """What a look at a rate has shown."""
        if held:
            self.held_rps = rate_rps
        else:
            self.failed_rps = rate_rps


def ramp_is_over(rates_rps: list[float]) -> bool:
    """Whether twice the users brought less than a twentieth more: the target is saturated."""
    return len(rates_rps) > 1 and rates_rps[-1] < RESOLUTION * max(rates_rps[:-1])
