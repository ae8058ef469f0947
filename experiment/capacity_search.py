"""The highest Poisson rate at which one target keeps a promise, and the throughput at which it is saturated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from loadtests.arrival import ClosedLoop, PoissonRate
from loadtests.orders import TargetOrder, TrialOrder
from loadtests.remote import Generator
from loadtests.scenarios import Scenario
from loadtests.search import LOOKS, REQUESTS_A_LOOK, Bisection, Outcome, Slo, ladder_is_over, slo_record

_MOST_USERS: Final = 128
_RUNG_SLICES: Final = 3
_LEAST_LOOK_S: Final = 1.0
_MOST_LOOK_S: Final = 30.0
_WARMUP_SLICES: Final = 8
"""At most: a rung is measured when three slices of its warm-up agree."""


class _UnsureError(Exception):
    """The generator, and not the target, was at its limit, or a part of it was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """One search: of one target, which is up, under the load of `scenario` at other rates. `say` hears of progress."""

    generator: Generator
    target: TargetOrder
    scenario: Scenario
    slo: Slo
    seed: int
    ceiling_rps: float | None
    say: Callable[[str], None]

    def find(self) -> dict[str, Any]:
        """The journal's record, without `kind` and `block`. Raises GeneratorError."""
        found: dict[str, Any] = {
            "target": self.target.id,
            "endpoint": self.scenario.endpoint,
            "slo": slo_record(self.slo),
            "rate_rps": None,
            "failed_rps": None,
            "saturated_rps": None,
            "saturated_users": None,
            "unstable": False,
            "ladder": [],
            "probes": [],
            "valid": True,
            "reason": None,
        }
        try:
            search = Bisection(saturated_rps=self._saturate(found))
            while (rate_rps := search.next_rps()) is not None:
                self.say(f"{self.target.id} {self.scenario.endpoint}, {self.slo} at {rate_rps:.0f}/s?")
                # A rate of few digits can be typed again, as a scenario of its own.
                rate_rps = float(f"{rate_rps:.4g}")
                search.learn(rate_rps, held=self._look(rate_rps, found) == "holds")
        except _UnsureError as error:
            return found | {"valid": False, "reason": str(error)}
        if search.held_rps is None:
            found["reason"] = f"not even at {search.failed_rps:.4g} requests/s"
        return found | {"rate_rps": search.held_rps, "failed_rps": search.failed_rps}

    def _saturate(self, found: dict[str, Any]) -> float:
        """Double the users until that brings no more; the highest throughput on the way."""
        rates: list[float] = []
        users = 1
        while users <= _MOST_USERS and not ladder_is_over(rates):
            self.say(f"{self.target.id} {self.scenario.endpoint}, {users} users")
            (record,) = self.generator.trial(
                TrialOrder(
                    scenario=replace(self.scenario, arrival=ClosedLoop(users=users)),
                    targets=(self.target,),
                    slices=_RUNG_SLICES,
                    warmup_slices=3,
                    longest_warmup_slices=_WARMUP_SLICES,
                    seed=self.seed + users,
                    ceiling_rps=self.ceiling_rps,
                    label="ladder",
                )
            )
            if not record["valid"]:
                raise _UnsureError(f"with {users} users: {record['reason']}")
            found["unstable"] |= record["steady"] is False
            rates.append(record["throughput_rps"])
            found["ladder"].append({"users": users, "rps": record["throughput_rps"], "steady": record["steady"]})
            users *= 2
        best = max(range(len(rates)), key=rates.__getitem__)
        found["saturated_rps"], found["saturated_users"] = rates[best], 2**best
        return rates[best]

    def _look(self, rate_rps: float, found: dict[str, Any]) -> Outcome:
        """Whether the promise is kept at that rate: as many looks as it takes to tell, and no if it cannot be told."""
        requests = over = 0
        outcome: Outcome = "open"
        for look in range(LOOKS):
            slice_s = min(_MOST_LOOK_S, max(_LEAST_LOOK_S, REQUESTS_A_LOOK / rate_rps))
            (record,) = self.generator.trial(
                TrialOrder(
                    scenario=replace(self.scenario, arrival=PoissonRate((rate_rps,))),
                    targets=(self.target,),
                    slices=1,
                    slice_s=slice_s,
                    longest_slice_s=_MOST_LOOK_S,
                    warmup_slices=0,
                    seed=self.seed + 1000 * len(found["probes"]) + look,
                    ceiling_rps=self.ceiling_rps,
                    limit_ms=self.slo.limit_ms,
                    label="look",
                )
            )
            if record["worker_lost"]:
                # Whatever is missing then says nothing about the target.
                raise _UnsureError(f"at {rate_rps:g} requests/s: {record['reason']}")
            requests += record["over_limit"]["requests"]
            over += record["over_limit"]["over"]
            outcome = self.slo.judge(requests=requests, over=over)
            if record["backlog"]["cap_hits"] or not requests:
                outcome = "fails"
            elif not record["valid"] and outcome != "fails":
                raise _UnsureError(f"at {rate_rps:g} requests/s: {record['reason']}")
            if outcome != "open":
                break
        found["probes"].append({"rate_rps": rate_rps, "requests": requests, "over": over, "outcome": outcome})
        return outcome
