"""The ladder climbed for real, and instructions counted for real. Minutes: `tox -e ladder`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiment.ladder_run import count
from loadtests.ladder import callgrind
from reports.ladder_summary import change_at
from servers.repository import REPOSITORY

pytestmark = pytest.mark.ladder
valgrind = pytest.mark.skipif(callgrind.missing() is not None, reason=f"exact lens: {callgrind.missing()}")


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "bench.py", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=280)


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short climb of two endpoints."""
    folder = tmp_path_factory.mktemp("ladder") / "climb"
    done = _bench("micro", "--quick", "--endpoints", "predict,classify", "--no-exact", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert "Flask instead of Bottle changes" in done.stdout
    return folder


@pytest.fixture(scope="module", name="ladder")
def _ladder(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())["ladder"]
    return found


def test_each_rung_costs_at_least_what_the_one_beneath_it_does(ladder: dict[str, Any]) -> None:
    """Core, codec, WSGI call and HTTP are in that order for every framework on every endpoint."""
    assert ladder["inconsistent"] == []
    us = {(row["endpoint"], row["rung"], row["framework"]): row["us"]["value"] for row in ladder["rungs"]}
    for endpoint in ("predict", "classify"):
        for framework in ("flask", "bottle", "wsgi"):
            core, codec = us[endpoint, "core", ""], us[endpoint, "codec", ""]
            assert core < codec < us[endpoint, "http", framework]
            assert us[endpoint, "wsgi", framework] < us[endpoint, "http", framework]


def test_the_segments_add_up_to_a_tenth(ladder: dict[str, Any]) -> None:
    """What server, framework, validation, decode, inference and encode leave over is under 10 % of the request."""
    assert len(ladder["waterfalls"]) == 6
    assert all(abs(row["remainder_share"]) < 0.10 for row in ladder["waterfalls"])


def test_the_break_even_line_is_what_other_models_show(tmp_path: Path) -> None:
    """Drawn through one mode, it meets what another mode with its other model time measures, within the interval."""
    folder = tmp_path / "modes"
    done = _bench(
        *("micro", "--quick", "--no-exact", "--modes", "function,eager"),
        *("--endpoints", "predict,classify", "--out", str(folder)),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "summary.json").read_text())["ladder"]["break_evens"]
    rows = {(row["mode"], row["endpoint"]): row for row in found}
    for endpoint in ("predict", "classify"):
        for drawn, met in (("function", "eager"), ("eager", "function")):
            there = rows[met, endpoint]
            predicted = change_at(rows[drawn, endpoint], there["model_us"]["value"])
            low, high = there["change"]["ci95"]
            assert low <= predicted <= high, (endpoint, drawn, met, predicted, low, high)


def test_pytest_benchmark_compares_the_file(folder: Path) -> None:
    """`pytest-benchmark compare` reads ladder.json and names a variant of each rung."""
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(folder / "ladder.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    for name in ("core-function", "codec-function", "wsgi-flask-function", "http-bottle-gunicorn"):
        assert name in done.stdout


def test_the_report_is_drawn_again_and_never_resumed(folder: Path) -> None:
    """`report` draws the folder; `run --resume` refuses it with one line and exit code 2."""
    assert _bench("report", str(folder)).returncode == 0
    refused = _bench("run", "--resume", str(folder))
    assert refused.returncode == 2
    assert "climb of the ladder" in refused.stderr


def test_an_unknown_mode_is_one_line(tmp_path: Path) -> None:
    """A mode that is none ends with exit code 2 and the modes that there are."""
    refused = _bench("micro", "--modes", "warp", "--out", str(tmp_path / "none"))
    assert refused.returncode == 2
    assert "'warp' is no mode" in refused.stderr
    assert "Traceback" not in refused.stderr


@valgrind
def test_instructions_repeat_to_a_thousandth() -> None:
    """The same request through Flask counts the same, within 0.1 %, in processes of their own; and above the floor."""
    counted = [count("flask", ("predict",), 20)[0]["instructions"] for _ in range(5)]
    assert max(counted) / min(counted) < 1.001
    assert count("wsgi", ("predict",), 20)[0]["instructions"] < min(counted)


@valgrind
def test_a_planted_dump_is_found_in_sign_and_size() -> None:
    """One JSON dump more in an adapter is counted as more, and as what that dump costs alone, within 10 %."""

    def counted(application: str) -> float:
        found: int = count(application, ("predict",), 20)[0]["instructions"]
        return found

    planted = counted("tests.planted_apps:slower_flask") - counted("flask")
    alone = counted("tests.planted_apps:only_the_dump") - counted("tests.planted_apps:nothing")
    assert planted > 0
    assert planted == pytest.approx(alone, rel=0.10)
