"""The highest Poisson rate at which one target keeps a promise, and the throughput at which it is saturated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from experiment import trial_orders
from loadtests.audit import reason_against_gaps
from loadtests.orders import TargetOrder, TrialOrder
from loadtests.remote import Generator
from loadtests.scenarios import Scenario
from loadtests.search import LOOKS, REQUESTS_A_LOOK, Bisection, Slo, ramp_is_over
from loadtests.trial_record import CapacityProbe, CapacityRecord, RampStep, SloOutcome, TrialRecord

_MOST_USERS: Final = 128
_LEAST_LOOK_S: Final = 1.0
_MOST_LOOK_S: Final = 30.0
_MOST_TRIES: Final = 3


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

    def find(self) -> CapacityRecord:
        """The journal's record, without its block. Raises GeneratorError."""
        ramp: list[RampStep] = []
        probes: list[CapacityProbe] = []
        search, reason, valid = None, None, True
        try:
            search = Bisection(saturated_rps=self._saturate(ramp))
            while (rate_rps := search.next_rps()) is not None:
                self.say(f"{self.target.id} {self.scenario.endpoint}, {self.slo} at {rate_rps:.0f}/s?")
                # A rate of few digits can be typed again, as a scenario of its own.
                rate_rps = float(f"{rate_rps:.4g}")
                probes.append(self._look(rate_rps, seed=self.seed + 1000 * len(probes)))
                search.learn(rate_rps, held=probes[-1].outcome == "holds")
            if search.held_rps is None:
                reason = f"not even at {search.failed_rps:.4g} requests/s"
        except _UnsureError as error:
            valid, reason = False, str(error)
        best = max(ramp, key=lambda step: step.rps) if search else None
        return CapacityRecord(
            target=self.target.id,
            endpoint=self.scenario.endpoint,
            slo=self.slo.record(),
            rate_rps=search.held_rps if search and valid else None,
            failed_rps=search.failed_rps if search and valid else None,
            saturated_rps=best.rps if best else None,
            saturated_users=best.users if best else None,
            unstable=any(step.steady is False for step in ramp),
            ramp=tuple(ramp),
            probes=tuple(probes),
            valid=valid,
            reason=reason,
        )

    def _saturate(self, ramp: list[RampStep]) -> float:
        """Double the users until that brings no more, a step of the ramp each; the highest throughput on the way."""
        users = 1
        while users <= _MOST_USERS and not ramp_is_over([step.rps for step in ramp]):
            self.say(f"{self.target.id} {self.scenario.endpoint}, {users} users")
            record = self._trial(
                trial_orders.ramp_step(
                    self.scenario, users, self.target, seed=self.seed + users, ceiling_rps=self.ceiling_rps
                )
            )
            if not record.valid:
                raise _UnsureError(f"with {users} users: {record.reason}")
            ramp.append(RampStep(users=users, rps=record.throughput_rps, steady=record.steady))
            users *= 2
        return max(step.rps for step in ramp)

    def _look(self, rate_rps: float, *, seed: int) -> CapacityProbe:
        """Whether the promise is kept at that rate: as many looks as it takes to tell, and no if it cannot be told."""
        requests = over = 0
        outcome: SloOutcome = "open"
        for look in range(LOOKS):
            slice_s = min(_MOST_LOOK_S, max(_LEAST_LOOK_S, REQUESTS_A_LOOK / rate_rps))
            record = self._trial(
                trial_orders.look(
                    self.scenario,
                    rate_rps,
                    self.target,
                    slice_s=slice_s,
                    longest_slice_s=_MOST_LOOK_S,
                    limit_ms=self.slo.limit_ms,
                    seed=seed + look,
                    ceiling_rps=self.ceiling_rps,
                )
            )
            if record.worker_lost or record.over_limit is None or record.backlog is None:
                # Whatever is missing then says nothing about the target.
                raise _UnsureError(f"at {rate_rps:g} requests/s: {record.reason}")
            requests += record.over_limit.requests
            over += record.over_limit.over
            outcome = self.slo.judge(requests=requests, over=over)
            if record.backlog.cap_hits or not requests:
                outcome = "fails"
            elif not record.valid and outcome != "fails":
                raise _UnsureError(f"at {rate_rps:g} requests/s: {record.reason}")
            if outcome != "open":
                break
        return CapacityProbe(rate_rps=rate_rps, requests=requests, over=over, outcome=outcome)

    def _trial(self, order: TrialOrder) -> TrialRecord:
        """The order's record, measured anew where the machine kept the generator from running.

        One passing disturbance would otherwise end a search of minutes, and it says nothing of the target.
        """
        for _ in range(_MOST_TRIES):
            (record,) = self.generator.trial(order)
            if record.valid or record.worker_lost or not reason_against_gaps(record.generator, own_core=True):
                break
        return record
