"""What an undecided comparison says of itself, and the command that would decide it."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import pytest
from run_views import outcome
from synthetic_run import Truth, write_run

from commands.run import add_arguments
from experiment.run_folder import read_run
from reports.summarising import summarise
from reports.summary import Summary

NOISY = Truth(samples=50, scenarios=("predict@16", "classify@16"), native=False, noise_sd=0.06, blocks=3)
CALM = Truth(samples=50, scenarios=("predict@16",), native=False)


def found(folder: Path, truth: Truth) -> Summary:
    """The summary of a run of that truth."""
    return summarise(read_run(write_run(folder / "run", truth)))


@pytest.fixture(scope="module", name="noisy")
def _noisy(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return found(tmp_path_factory.mktemp("noisy"), NOISY)


def test_every_undecided_row_says_why_and_no_other_does(noisy: Summary) -> None:
    """The family's p-value, the width of the interval and the noise floor, wherever the verdict is open."""
    still = [row for row in noisy.comparisons if row.verdict == "inconclusive" and row.axis != "noise"]
    assert still
    for row in still:
        assert row.why is not None
        assert f"p {row.p_adjusted:.2g}" in row.why
        assert "% wide" in row.why
        assert "noise floor" in row.why
        assert (row.minutes_needed is None) == (row.blocks_needed is None)
    assert all(row.why is None for row in noisy.comparisons if row not in still)


def test_the_command_is_one_and_takes_as_long_as_its_rows_do(noisy: Summary) -> None:
    """It goes on with the run, for at least as many minutes as the longest of what is undecided; it can be typed."""
    told = noisy.to_decide
    assert told is not None
    assert told.minutes is not None
    assert told.minutes >= max(row.minutes_needed or 0 for row in noisy.comparisons)
    *program, verb = shlex.split(told.command)[:3]
    assert (program, verb) == (["python", "bench.py"], "run")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args(shlex.split(told.command)[3:])
    assert arguments.until == "decided"
    assert int(arguments.at_most.removesuffix("m")) > told.minutes
    printed = outcome(noisy, "reports/runs/mine")
    (line,) = [line for line in printed.splitlines() if "--resume reports/runs/mine --until decided" in line]
    assert line.startswith(f"{told.undecided} of {told.pairs} comparisons undecided")


def test_a_run_that_has_decided_all_says_nothing_of_it(tmp_path: Path) -> None:
    """No reason and no command where no verdict is open."""
    summary = found(tmp_path, CALM)
    assert {row.verdict for row in summary.comparisons if row.axis != "noise"} <= {"faster", "slower", "equivalent"}
    assert summary.to_decide is None
    assert "undecided:" not in outcome(summary, "RUN")
