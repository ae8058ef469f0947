"""What a run prints of its verdicts: captured whole, at two widths, and in terminals that can do little."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from msgspec import structs
from run_views import filled
from synthetic_run import Truth, write_run

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
import test_verdict_grid as grid
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
