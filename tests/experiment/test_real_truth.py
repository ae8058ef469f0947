"""Verdicts on a truth that was made: one server at several addresses, behind shims that cost a known share more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.terminal import StandardError
from experiment.built_models import built_models
from servers.launch import free_port, start
from servers.repository import REPOSITORY
from servers.settings import Settings

pytestmark = [
    pytest.mark.noisy,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each"),
]

SERVER = REPOSITORY / "tests" / "support" / "shim_server.py"
TIMES = int(os.environ.get("TRUTH_TIMES", "5"))
SCENARIO = "classify@1"
"""Nearly all of what a request costs there is the application's."""

TRUTHS = {
    "same": ("6m", "equivalent", 1),
    "10": ("6m", "slower", 1),
    "5": ("6m", "slower", 1),
    "2": ("20m", "slower", 0.8),
}
"""The second address: the time at most, the verdict that is right, and the least share of runs that say so."""

SHIMS = ("10", "5", "2", "stalls")


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The server's base URL, and those behind shims by their names; models are loaded."""
    settings = Settings(models_dir=built_models(StandardError()))
    ports = {shim: free_port(settings.host) for shim in SHIMS}

    def command(own: Settings) -> list[str]:
        return [own.python, str(SERVER), *(f"{port}:{shim}" for shim, port in ports.items())]

    with start("bottle+waitress+function", command, settings, tmp_path / "log", contract=True) as server:
        server.wait_ready(120)
        server.pin({min(os.sched_getaffinity(0))})
        shimmed = {shim: f"http://{settings.host}:{port}" for shim, port in ports.items()}
        yield {"plain": server.base_url, "same": server.base_url, **shimmed}


def told(addresses: dict[str, str], second: str, at_most: str, folder: Path, seed: int) -> dict[str, Any]:
    """What a run that goes on until it is decided says of the second address against the plain one."""
    urls = [f"--url={name}={addresses[name]}" for name in ("plain", second)]
    command = [sys.executable, str(REPOSITORY / "bench.py"), "run", "--skip-check", "--plan", "quick", *urls]
    command += ["--scenarios", SCENARIO, "--until", "decided", "--at-most", at_most, "--seed", str(seed)]
    done = subprocess.run([*command, "--out", str(folder)], capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode in (0, 3), done.stderr
    rows = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["comparisons"]
    row: dict[str, Any] = next(one for one in rows if one["metric"] == "throughput" and one["axis"] == "url")
    print(second, seed, row["verdict"], row["ratio"], row["ci95"], row["figure"], row["blocks"], row["reason"])
    return row


@pytest.mark.parametrize("second", TRUTHS)
def test_a_planted_truth_is_told(addresses: dict[str, str], tmp_path: Path, second: str) -> None:
    """One server at two addresses is `equivalent`; with 10, 5 and 2 % more to do it is `slower`."""
    at_most, verdict, least = TRUTHS[second]
    rows = [told(addresses, second, at_most, tmp_path / str(turn), turn) for turn in range(TIMES)]
    assert Counter(row["verdict"] for row in rows)[verdict] >= least * TIMES


def test_a_targets_own_stalls_count(addresses: dict[str, str], tmp_path: Path) -> None:
    """A server that stands still for 5 % of its time is 4 to 6 % slower by the figure that decides."""
    rows = [told(addresses, "stalls", "6m", tmp_path / str(turn), turn) for turn in range(TIMES)]
    assert all(0.94 <= row["ratio"] <= 0.96 for row in rows)
