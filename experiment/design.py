"""What a run measures, all of it fixed before its first block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.case import Reference
from experiment.contender import Contender
from experiment.cores import Cores, share_out
from experiment.journal_records import BLOCKS, LookRecord
from experiment.rounds import places
from experiment.run_request import Prepared, RunRequest
from experiment.user_model_setup import UserModelSetup
from loadtests.orders import Workforce
from loadtests.plans import Plan
from loadtests.scenarios import Scenario
from loadtests.search import Slo
from servers.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Who is measured under what load, how often, and from where.

    `workforce` are the load generators elsewhere, if the load is not this machine's own. `slo` asks for each target's
    capacity too. `settings` are those of the null server that calibrates. `until` says whether more blocks follow the
    plan's for what is undecided, as far as `at_most_s` in all allows, None for as many as it takes.
    """

    folder: Path
    plan: Plan
    seed: int
    contenders: tuple[Contender, ...]
    settings: Settings
    skip_check: bool
    figures: Reference | None
    user_model: UserModelSetup | None = None
    slo: Slo | None = None
    workforce: Workforce | None = None
    until: str = BLOCKS
    at_most_s: float | None = None

    @classmethod
    def of(cls, request: RunRequest, prepared: Prepared, folder: Path, seed: int) -> Design:
        """What was asked for, as it can be measured here."""
        return cls(
            folder=folder,
            plan=prepared.plan,
            seed=seed,
            contenders=prepared.contenders,
            settings=prepared.settings,
            skip_check=request.skip_check,
            figures=request.figures,
            user_model=prepared.user_model,
            slo=request.slo,
            workforce=request.workforce,
            until=request.stopping.until or BLOCKS,
            at_most_s=request.stopping.at_most_s,
        )

    @property
    def cores(self) -> Cores:
        """Those of the servers, as many as the contender with the most workers needs, and of the generator."""
        return cores_of(self.contenders)

    def trials(self, looks: Sequence[LookRecord] = ()) -> list[tuple[int, Scenario]]:
        """Every trial of all its targets together, planned or after a look: block and scenario."""
        known = {scenario.id: scenario for scenario in self.plan.scenarios}
        return [(block, known[name]) for block, name in places(self.plan.blocks, list(known), looks)]

    @property
    def twins(self) -> frozenset[str]:
        """Those that are one code under two names."""
        return frozenset(name for one in self.contenders if one.twin_of for name in (one.id, one.twin_of))

    def searches(self) -> list[tuple[int, str, str]]:
        """Every search for a capacity: block, target, endpoint. Twins have none of their own."""
        if self.slo is None:
            return []
        endpoints = dict.fromkeys(scenario.endpoint for scenario in self.plan.scenarios)
        return [
            (block, one.id, endpoint)
            for block in range(self.plan.blocks)
            for endpoint in endpoints
            for one in self.contenders
            if one.twin_of is None
        ]


def cores_of(contenders: tuple[Contender, ...]) -> Cores:
    """The same cores for all of them."""
    return share_out(max((one.settings.workers for one in contenders), default=1))
