"""A folder of runs: steps where the truth has them, none where it has not, and what is left out is named."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import compare, edit_header, refused_line
from synthetic_run import Truth, write_run

from reports import steps

BOTTLE = "bottle+gunicorn+function+cpu"
TRUTH = Truth(samples=40, blocks=3, scenarios=("predict@16",), modes=("function",), native=False, drift_sd=0.006)
RATES: Sequence[float] = (0.86, 0.86, 0.86, 0.86, 0.7, 0.7, 0.7, 0.7)


def write_history(folder: Path, rates: Sequence[float] = RATES) -> Path:
    """A folder of runs, one a day, in which Bottle has these rates; its names are not in the order of time."""
    for day, rate in enumerate(rates):
        run = write_run(folder / f"run-{(day * 5) % 11}", replace(TRUTH, seed=day, ratios={BOTTLE: rate}))
        edit_header(run, lambda head, day=day: head.update(started_utc=f"2026-01-{day + 1:02}T12:00:00Z"))
    return folder


def test_a_step_is_marked_where_it_is(tmp_path: Path) -> None:
    """Bottle became 19 % slower in the fifth of eight runs: that run is named, and no other target has a step."""
    done = compare("--history", write_history(tmp_path))
    assert done.returncode == 0
    assert "19 % from run 4 on" in next(line for line in done.stdout.splitlines() if line.startswith(BOTTLE))
    assert done.stdout.count("no step") == 2


def test_the_plot_is_one_readable_svg(tmp_path: Path) -> None:
    """The SVG parses, has a title and a text alternative that names the step, and holds no address to fetch from."""
    target = tmp_path / "trend.svg"
    done = compare("--history", write_history(tmp_path / "runs"), "--svg", target, "--json")
    (step,) = (step for row in json.loads(done.stdout)["series"] for step in row["steps"])
    assert step["run"] == 4
    assert step["ratio"] == pytest.approx(0.7 / 0.86, rel=0.03)
    root = ET.fromstring(target.read_text())  # noqa: S314 - our own file
    described = root.findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert f"{BOTTLE} in predict@16" in described
    assert not [value for node in root.iter() for value in node.attrib.values() if value.startswith("http")]


def test_runs_of_another_machine_are_left_out_by_name(tmp_path: Path) -> None:
    """A run of another machine than the newest is named with the reason, unless it is asked for."""
    write_history(tmp_path)
    edit_header(tmp_path / "run-0", lambda head: head["environment"]["cpu"].update(model="Other CPU"))
    done = compare("--history", tmp_path)
    assert "left out: 20260101-120000-quick: cpu.model Other CPU here" in done.stdout
    assert "left out" not in compare("--history", tmp_path, "--across-machines", "--markdown").stdout


def test_too_few_runs_are_drawn_and_not_judged(tmp_path: Path) -> None:
    """Five runs show a trend, but say how many runs a step would need, and end with exit code 3."""
    done = compare("--history", write_history(tmp_path, RATES[:5]))
    assert done.returncode == 3
    assert "1 more run needed to tell a step" in done.stdout
    assert (tmp_path / "history.svg").exists()


def test_a_folder_without_runs_is_usage(tmp_path: Path) -> None:
    """A history of nothing, or of one run, is a wrong command line."""
    assert "holds 0 runs" in refused_line(compare("--history", tmp_path))
    assert refused_line(compare("--svg", tmp_path / "x.svg"))


@pytest.mark.parametrize("runs", [6, 8, 20])
@pytest.mark.parametrize("state_sd", [0.0, 0.02, 0.05])
def test_at_most_one_series_in_twenty_has_a_false_step(runs: int, state_sd: float) -> None:
    """Of 1000 simulated series without a step, at most 5 % have one marked, however the machine's state varies."""
    rng = np.random.default_rng(runs)
    own = 0.011
    false = 0
    for _ in range(1000):
        logs = rng.normal(0, math.hypot(own, state_sd), runs)
        errors = own * np.sqrt(rng.chisquare(6, runs) / 6)
        false += bool(steps.find_steps(np.exp(logs), errors, level=0.05, least=0.03))
    assert false <= 0.05 * 1000


def test_a_step_of_ten_percent_is_found_at_its_place() -> None:
    """With the blocks' noise alone, nine in ten steps of 10 % among eight runs are found, at the very run."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        logs = rng.normal(0, 0.011, 8) - math.log(1.1) * (np.arange(8) >= 4)
        found = steps.find_steps(np.exp(logs), np.full(8, 0.011), level=0.05, least=0.03)
        hits += [step.first for step in found] == [4]
    assert hits >= 0.9 * 300


@pytest.mark.parametrize(
    ("figures", "errors"),
    [
        ([1.0, math.nan, 1.0, 1.0, 1.0, 1.0], [0.01] * 6),
        ([1.0, 0.0, 1.0, 1.0, 1.0, 1.0], [0.01] * 6),
        ([1.0] * 6, [0.01] * 5),
        ([1.0] * 6, [0.01] * 5 + [0.0]),
        ([1.0] * 6, [0.01] * 5 + [math.nan]),
        ([], []),
    ],
)
def test_broken_series_raise(figures: list[float], errors: list[float]) -> None:
    """NaN, zero, unequal lengths, runs without variation and nothing at all are errors, not a series without steps."""
    with pytest.raises(ValueError, match=r"."):
        steps.find_steps(figures, errors, level=0.05, least=0.03)
