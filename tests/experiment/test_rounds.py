"""A run that goes on until it is decided: what follows a look, how many blocks, and how a round is resumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from run_views import journal_lines
from synthetic_run import TWIN, Truth, write_run

from commands.terminal import StandardError
from experiment.errors import ExpectedError
from experiment.journal import Journal
from experiment.journal_records import DECIDED, BlockRecord, EndRecord, LookRecord, ResumedRecord
from experiment.remainder import remainder
from experiment.resuming import resume_experiment
from experiment.rounds import OpenPair, Pace, Standing, Stopping, next_look, spent_s
from experiment.run_folder import read_run
from loadtests.plans import PLANS
from loadtests.trial_record import TrialRecord
from reports.render import render
from reports.summary import read_summary
from reports.undecided import standing

SMALL = Truth(blocks=2, samples=8, scenarios=("predict@1", "predict@4"), modes=("function",), native=False)
TARGETS = (TWIN, f"{TWIN}#2", "bottle+gunicorn+function+cpu", "wsgi+gunicorn+function+cpu")
OPEN = OpenPair(baseline=TARGETS[2], candidate=TARGETS[3], scenario="predict@4")
PACE = Pace(target_s=5.0, trial_s={"predict@1": 1.0, "predict@4": 2.0})


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A small complete run."""
    return write_run(tmp_path / "run", SMALL)


def _look(standing: Standing, *, blocks: int = 5, left_s: float | None = None) -> LookRecord:
    twins = frozenset(TARGETS[:2])
    return next_look((), blocks=blocks, standing=standing, targets=TARGETS, twins=twins, pace=PACE, left_s=left_s)


def test_a_round_is_of_what_is_undecided_and_of_the_twins() -> None:
    """Both sides of a pair in its own scenario only, and half as many blocks again as there are."""
    look = _look(Standing(undecided=(OPEN,), pairs=6))
    assert look.scenarios == {"predict@4": TARGETS}
    assert (look.block, look.blocks, look.undecided, look.pairs, look.reason) == (5, 3, 1, 6, None)
    own = OpenPair(baseline=TWIN, candidate=TARGETS[3], scenario="predict@1")
    assert _look(Standing(undecided=(own,), pairs=6)).scenarios == {"predict@1": (*TARGETS[:2], TARGETS[3])}


@pytest.mark.parametrize(("left_s", "blocks"), [(1000.0, 3), (69.0, 2), (40.0, 1), (37.0, 0), (-5.0, 0)])
def test_a_round_is_as_long_as_the_time_allows(left_s: float, blocks: int) -> None:
    """A block of four targets is 28 s here, and the report has ten; where none fits, that is why it ends."""
    look = _look(Standing(undecided=(OPEN,), pairs=6), left_s=left_s)
    assert look.blocks == blocks
    assert (look.reason is None) is (blocks > 0)
    assert bool(look.scenarios) is (blocks > 0)


def test_nothing_follows_where_nothing_is_undecided() -> None:
    """And the look says so."""
    look = _look(Standing(undecided=(), pairs=6))
    assert (look.blocks, look.undecided, look.reason) == (0, 0, "nothing is undecided")


def test_the_pace_is_the_slowest_seen() -> None:
    """A run keeps its time; what was never seen is estimated from its slices."""
    plan = PLANS["smoke"]
    first, second = (scenario.id for scenario in plan.scenarios[:2])
    seen = [
        BlockRecord(block=0, at_s=30.0, target_s=9.0, trial_s={first: 3.0}),
        BlockRecord(block=1, at_s=60.0, target_s=8.0, trial_s={first: 4.0}),
    ]
    pace = Pace.of(plan, seen)
    assert (pace.target_s, pace.trial_s[first]) == (9.0, 4.0)
    assert pace.trial_s[second] > plan.trial_s(plan.scenarios[1])


def test_the_time_of_all_sessions_counts_until_another_is_given() -> None:
    """A killed session has its whole blocks, an ended one its end."""
    block = BlockRecord(block=0, at_s=30.0, target_s=9.0)
    assert spent_s([block, ResumedRecord(at_utc=""), EndRecord(wall_s=12.0)]) == 42.0
    assert spent_s([block, ResumedRecord(at_utc="", until=DECIDED, at_most_s=60.0), EndRecord(wall_s=12.0)]) == 12.0


def test_a_round_that_was_killed_goes_on_with_its_own_targets(folder: Path) -> None:
    """Its places are those of the look; a trial that lacks one target is void; no other scenario is asked."""
    names = (*TARGETS[:2], TARGETS[3])
    look = LookRecord(number=1, block=2, blocks=2, scenarios={"predict@4": names}, undecided=1, pairs=6)
    again = [one for one in read_run(folder).trials if (one.block, one.scenario) == (1, "predict@4")]
    with Journal.reopen(folder) as journal:
        journal.append(look)
        journal.append(*(_moved(one, 2) for one in again if one.target in names))
        journal.append(*(_moved(one, 3) for one in again if one.target == names[0]))
    expected = dict.fromkeys(SMALL.scenarios, frozenset(TARGETS))
    rest = remainder(read_run(folder), expected)
    assert (2, "predict@4") in rest.done
    assert rest.left == rest.void == ((3, "predict@4"),)

    experiment = resume_experiment(folder, StandardError(), skip_check=False, figures=None)
    experiment.journal.close()
    assert [(block, scenario.id) for block, scenario in experiment.waiting()] == [(3, "predict@4")]
    assert experiment.looks == [look]


def _moved(trial: TrialRecord, block: int) -> TrialRecord:
    return replace(trial, block=block, samples=None)


def test_more_blocks_of_a_finished_run_are_a_look(folder: Path, tmp_path: Path) -> None:
    """`--resume DIR --blocks N`: the rest of N in all, of everything, and verdicts that pay for having looked."""
    experiment = resume_experiment(folder, StandardError(), skip_check=False, figures=None, stopping=Stopping(blocks=4))
    experiment.journal.close()
    assert [(block, one.id) for block, one in experiment.waiting()] == [
        (block, scenario) for block in (2, 3) for scenario in SMALL.scenarios
    ]
    resumed, look = journal_lines(folder)[-2:]
    assert (resumed["kind"], resumed["until"], look["kind"], look["blocks"]) == ("resumed", "blocks", "look", 2)
    assert set(look["scenarios"]["predict@1"]) == set(TARGETS)
    copy = shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(ExpectedError, match="has 4 blocks already"):
        resume_experiment(copy, StandardError(), skip_check=False, figures=None, stopping=Stopping(blocks=4))


def test_a_finished_run_is_judged_as_if_it_had_been_planned_so(folder: Path) -> None:
    """With `--until decided` its first look has 0.03, and what it said at 0.05 is not kept."""
    render(folder)
    before = {row.level for row in read_summary(folder).comparisons if row.level is not None}
    experiment = resume_experiment(
        folder, StandardError(), skip_check=False, figures=None, stopping=Stopping(until=DECIDED)
    )
    experiment.journal.close()
    assert experiment.design.until == DECIDED
    assert experiment.design.at_most_s == 360.0
    assert not experiment.is_over()
    render(folder)
    levels = {row.level for row in read_summary(folder).comparisons if row.level is not None}
    assert before == {0.05}
    assert [*levels] == pytest.approx([0.03])
    now = standing(folder)
    assert now.pairs == 2 * (len(read_run(folder).comparisons) - 1)
    assert "Looked at 1 time" in (folder / "report.html").read_text()
