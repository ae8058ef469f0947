"""What a machine takes for the parts of a run, learnt from its last run: for estimates before any figure is there.

Servers start in 3 s on one machine and in 20 s on another, so an estimate from constants is off by as much.
"""

from __future__ import annotations

import statistics as plain
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from experiment.journal_records import BlockRecord
from loadtests.plans import Plan

_FILE = "pace.json"


class UsualPace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds for one target in a block to start, be primed and stop, and once to be judged; of load for one planned.

    The values here are of a machine that nothing is known of: TensorFlow's import, on two cores for two servers.
    """

    target_s: float = 10.0
    gate_s: float = 4.0
    load_ratio: float = 1.5

    def run_s(self, plan: Plan, targets: int) -> float:
        """A whole run of the plan for so many targets."""
        starts_s = (plan.blocks * self.target_s + self.gate_s) * targets
        return starts_s + plan.load_s(targets) * self.load_ratio


UNKNOWN_PACE: Final = UsualPace()


def usual_pace(folder: Path, otherwise: UsualPace = UNKNOWN_PACE) -> UsualPace:
    """That of the last run which is kept in `folder`; where there is none, what is usual otherwise."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=UsualPace)
    except (OSError, msgspec.DecodeError):
        # Nothing is known here yet, or an earlier version wrote something else: both mean to begin anew.
        return otherwise


def learn(plan: Plan, blocks: Sequence[BlockRecord], folder: Path) -> None:
    """Keep in `folder` what the blocks of a run took; without any nothing is learnt."""
    planned_s = {scenario.id: plan.trial_s(scenario) for scenario in plan.scenarios}
    ratios = [took_s / planned_s[name] for one in blocks for name, took_s in one.trial_s.items() if planned_s.get(name)]
    if not ratios:
        return
    gates = [one.gate_s for one in blocks if one.gate_s is not None]
    found = UsualPace(
        target_s=round(plain.mean(one.target_s for one in blocks), 2),
        gate_s=round(plain.mean(gates), 2) if gates else usual_pace(folder).gate_s,
        load_ratio=round(plain.mean(ratios), 3),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_bytes(msgspec.json.encode(found))
    except OSError:
        # An estimate is not worth a run: where the cache cannot be written, the next run begins without.
        return
