"""How long a run still takes: simulated runs on fast and slow machines, whose true time is known to the second."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from experiment.journal_records import BlockRecord
from experiment.meter import Meter
from experiment.pace import UsualPace, learn, usual_pace
from loadtests.plans import PLANS

TARGETS = 4


@dataclass(slots=True)
class Bar:
    """Keeps what it was told: seconds gone, and seconds in all."""

    told: list[tuple[float, float]] = field(default_factory=list)

    def update(self, done: float, total: float, _what: str, _left_s: float | None = None) -> None:
        """As a terminal's bar has it."""
        self.told.append((done, total))


@dataclass(slots=True)
class Machine:
    """Plays a run on a clock of its own, at the pace of `true`."""

    true: UsualPace
    now: float = 0.0
    first_block_s: float = 0.0

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def run(self, plan_name: str, usual: UsualPace) -> Bar:
        """A run of the plan, told to the bar by a meter that expects `usual`."""
        plan, bar = PLANS[plan_name], Bar()
        meter = Meter(
            bar,
            plan,
            TARGETS,
            blocks_left=plan.blocks,
            scenarios_left=plan.blocks * len(plan.scenarios),
            usual=usual,
            clock=self.clock,
        )
        event = cast("Any", SimpleNamespace(stage="warmup", rps=None, target="a"))
        for block in range(plan.blocks):
            for up in range(TARGETS):
                meter.starting(f"{up} are up", TARGETS)
                self.now += 0.7 * self.true.target_s
            if not block:
                meter.judging("the gate")
                self.now += TARGETS * self.true.gate_s
                meter.judged()
            meter.starting("priming", TARGETS)
            self.now += 0.2 * TARGETS * self.true.target_s
            for scenario in plan.scenarios:
                for _ in range(10):
                    self.now += TARGETS * plan.trial_s(scenario) * self.true.load_ratio / 10
                    meter.visit("block", scenario.id, TARGETS, event)
                meter.scenario_done(scenario.id, TARGETS, planned=TARGETS)
            meter.starting("stopping", TARGETS)
            self.now += 0.1 * TARGETS * self.true.target_s
            meter.block_done(TARGETS, planned=TARGETS)
            self.first_block_s = self.first_block_s or self.now
        return bar


SLOW = UsualPace(target_s=25.0, gate_s=9.0, load_ratio=2.2)
FAST = UsualPace(target_s=3.0, gate_s=1.0, load_ratio=1.1)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("machine", [SLOW, FAST], ids=["slow", "fast"])
def test_what_is_left_is_known_from_a_twentieth_on(plan: str, machine: UsualPace) -> None:
    """Where the last run was here too, within 20 % of what is really left, as long as that is over ten seconds."""
    clock = Machine(machine)
    bar = clock.run(plan, usual=machine)
    for done, total in bar.told:
        left_s = clock.now - done
        if done > 0.05 * clock.now and left_s > 10:
            assert abs(total - done - left_s) < 0.2 * left_s


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("machine", [SLOW, FAST], ids=["slow", "fast"])
def test_a_machine_that_nothing_is_known_of_is_learnt_in_its_first_block(plan: str, machine: UsualPace) -> None:
    """After a block what is left is known within 20 % as well."""
    clock = Machine(machine)
    bar = clock.run(plan, usual=UsualPace())
    for done, total in bar.told:
        left_s = clock.now - done
        if done > clock.first_block_s and left_s > 10:
            assert abs(total - done - left_s) < 0.2 * left_s


def test_what_was_not_planned_is_not_waited_for() -> None:
    """A refused target takes no time any more, and more blocks for what is undecided take theirs."""
    plan, now = PLANS["smoke"], 0.0
    usual = UsualPace(target_s=10.0, gate_s=0.0, load_ratio=1.0)
    scenarios = plan.blocks * len(plan.scenarios)
    meter = Meter(Bar(), plan, 2, blocks_left=plan.blocks, scenarios_left=scenarios, usual=usual, clock=lambda: now)
    load_s = 2 * sum(map(plan.trial_s, plan.scenarios))
    assert meter.left_s() == pytest.approx(plan.blocks * (20 + load_s))
    meter.starting("one is up", 1)
    now += 10
    for scenario in plan.scenarios:
        meter.scenario_done(scenario.id, 1, planned=2)
    meter.block_done(1, planned=2)
    # No load was measured, so its pace is still the usual one; the start took ten seconds for one target.
    assert meter.left_s() == pytest.approx((plan.blocks - 1) * (20 + load_s))
    first = plan.scenarios[0]
    meter.more({first.id: 2}, blocks=3)
    assert meter.left_s() == pytest.approx((plan.blocks - 1) * (20 + load_s) + 3 * (20 + 2 * plan.trial_s(first)))


def test_a_run_until_it_is_decided_takes_what_it_may() -> None:
    """What is left is at least what is left of its time."""
    now = 0.0
    plan = PLANS["smoke"]
    meter = Meter(Bar(), plan, 2, blocks_left=1, scenarios_left=1, at_most_s=1000.0, clock=lambda: now)
    now = 400.0
    assert meter.left_s() == 600.0


def test_a_machine_keeps_what_its_last_run_took(tmp_path: Path) -> None:
    """Also over a file that an earlier version wrote, or nobody can read."""
    plan = PLANS["smoke"]
    assert usual_pace(tmp_path) == UsualPace()
    took = {scenario.id: 2 * plan.trial_s(scenario) for scenario in plan.scenarios}
    learn(plan, [BlockRecord(block=0, at_s=50.0, target_s=12.0, gate_s=3.0, trial_s=took)], tmp_path)
    assert usual_pace(tmp_path) == UsualPace(target_s=12.0, gate_s=3.0, load_ratio=2.0)
    learn(plan, [BlockRecord(block=1, at_s=50.0, target_s=8.0, trial_s=took)], tmp_path)
    assert usual_pace(tmp_path) == UsualPace(target_s=8.0, gate_s=3.0, load_ratio=2.0)
    for wrong in (b"", b"[]", b'{"target_s": "long"}'):
        (tmp_path / "pace.json").write_bytes(wrong)
        assert usual_pace(tmp_path) == UsualPace()
