"""What a run prints: the grid captured whole, terminals that can do little, and what is said of an open verdict."""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import structs
from run_views import filled, outcome
from synthetic_run import Truth, write_run

from commands.run import add_arguments
from commands.terminal import StandardOutput
from commands.verdict_grid import leading, print_grid
from experiment.run_folder import read_run
from reports.summarising import summarise
from reports.summary import Summary
from reports.summary.load_rows import ComparisonRow
from servers.repository import REPOSITORY

FLASK, BOTTLE, EAGER, XLA = (
    f"{framework}+gunicorn+{mode}+cpu"
    for framework, mode in (("flask", "function"), ("bottle", "function"), ("flask", "eager"), ("flask", "xla"))
)
AT_120 = """\
                 /predict             /advanced_predict  /classify
Bottle instead of Flask (gunicorn, function, cpu)
  1 user         ▲ +23 % [18, 28]
  16 users                            ▲ +27 % [22, 31]   = +0.4 % [−1.2, 2.1]
  400/s poisson  ? −5.1 % [−10, 0.3]
XLA instead of eager execution (flask, gunicorn, cpu)
  16 users       ▲ 2.9× [2.8, 3.0]                       ✕
flask function against itself
  16 users       −0.6 % [−4.3, 3.2]
"""
AT_60 = """\
                 /predict     /advanced_predict  /classify
Bottle instead of Flask (gunicorn, function, cpu)
  1 user         ▲ +23 %
                 [18, 28]
  16 users                    ▲ +27 %            = +0.4 %
                              [22, 31]           [−1.2, 2.1]
  400/s poisson  ? −5.1 %
                 [−10, 0.3]
"""


def row(endpoint: str, ratio: float | None, low: float, high: float, verdict: str, **known: object) -> ComparisonRow:
    """A comparison by hand: Bottle against Flask with 16 users where nothing else is said."""
    usual: dict[str, object] = {"axis": "framework", "baseline": FLASK, "candidate": BOTTLE, "users": 16}
    usual |= {"load": "16", "arrival": "closed", "variant": None, "metric": "throughput"}
    interval = (low, high) if ratio else None
    rest = {"endpoint": endpoint, "ratio": ratio, "ci95": interval, "verdict": verdict}
    return filled(ComparisonRow, **{**usual, **rest, **known})


ROWS = (
    row("predict", 0.994, 0.957, 1.032, "inconclusive", axis="noise", candidate=FLASK),
    row("predict", 1.23, 1.18, 1.28, "faster", users=1, load="1"),
    row("advanced_predict", 1.27, 1.22, 1.31, "faster"),
    row("classify", 1.004, 0.988, 1.021, "equivalent"),
    row("predict", 0.949, 0.9, 1.003, "inconclusive", arrival="poisson", load="400/s poisson"),
    row("predict", 2.9, 2.75, 3.05, "faster", axis="mode", baseline=EAGER, candidate=XLA),
    row("classify", None, 0, 0, "invalid", axis="mode", baseline=EAGER, candidate=XLA),
)


@pytest.fixture(name="summary", scope="module")
def a_summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """A summary of three targets and three endpoints, whose comparisons are those above."""
    scenarios = ("predict@16", "advanced_predict@16", "classify@16")
    truth = Truth(samples=50, blocks=2, scenarios=scenarios, modes=("function", "eager", "xla"), native=False)
    whole = summarise(read_run(write_run(tmp_path_factory.mktemp("grid") / "run", truth)))
    return structs.replace(whole, comparisons=list(ROWS))


def printed(summary: Summary, width: int, encoding: str = "utf-8") -> str:
    """The grid in a pipe of that many columns."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_grid(StandardOutput(file=file, width=width), summary, ROWS)
    file.seek(0)
    return file.read()


def test_the_grid_at_80_and_120_columns(summary: Summary) -> None:
    """Heads, units, verdicts and A/A last, whole: at both widths a load is a line, and none is wider than 80."""
    for width in (80, 120):
        grid = printed(summary, width)
        assert grid.startswith(AT_120)
        assert grid.splitlines()[-2:] == [
            "▲ faster  ▼ slower  = equal  ? undecided  ✕ no verdict",
            "Change in requests/s, on a schedule in the median response time, and the interval that it lies in.",
        ]
    assert max(map(len, AT_120.splitlines())) <= 80


def test_a_narrow_terminal_has_intervals_below(summary: Summary) -> None:
    """Where a line has no room, the interval stands under its change; nothing is wider than the terminal but a head."""
    assert printed(summary, 60).startswith(AT_60)


def test_a_terminal_of_few_letters_is_told_in_words(summary: Summary) -> None:
    """Without the signs, verdicts are words, and what is printed is ASCII."""
    grid = printed(summary, 80, "ascii")
    assert "faster +23 %" in grid
    assert "undecided -5.1 %" in grid
    assert "faster 2.9x" in grid


def test_the_leading_rows_are_at_the_most_load(summary: Summary) -> None:
    """Of a pair's closed loops the one at the most users counts, of its open ones that at the highest rate."""
    few = row("predict", 1.1, 1, 1.2, "faster", users=4, load="4")
    slow = row("predict", 1.1, 1, 1.2, "faster", arrival="poisson", load="100/s poisson", users=64)
    raw = row("advanced_predict", 1.1, 1, 1.2, "faster", variant="raw", users=32)
    assert leading([*ROWS, few, slow, raw]) == [*ROWS[:1], few, *ROWS[2:]]


PROGRAM = """
import sys
sys.path[:0] = ["tests/support", "tests/commands"]
from commands.exits import run_program
import test_run_outcome as grid
def work():
    for _ in range(1 if len(sys.argv) == 2 else 20000):
        grid.StandardOutput().cells([("much ", 8, "green"), ("more", 8, "bold")])
    return 0
sys.exit(run_program("bench.py", work))
"""


def in_a_terminal(**variables: str) -> str:
    """What a coloured line comes to in a terminal with these variables."""
    ours, its = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "COLUMNS")}
    command = [sys.executable, "-c", PROGRAM, "one"]
    subprocess.run(command, cwd=REPOSITORY, env={**environment, **variables}, stdout=its, check=True)
    os.close(its)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    return said


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_want_them(variables: dict[str, str], coloured: bool) -> None:  # noqa: FBT001
    """A terminal gets colours; with `NO_COLOR` and where it is dumb, not one escape."""
    said = in_a_terminal(**variables)
    assert ("\x1b[" in said) == coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", said).split() == ["much", "more"]


def test_a_closed_pipe_is_no_fault() -> None:
    """`| head -3` ends the program well and in silence, though Rich would exit with 1, a finding."""
    shell = f"{sys.executable} -c '{PROGRAM}' | head -3; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("much") == 3


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
    assert (program, verb) == (["python3", "bench.py"], "run")
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
