"""`compare` as a gate would use it: two runs of the same tree, really measured. Takes minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from servers.repository import REPOSITORY

pytestmark = pytest.mark.main_job

_CODES = {"fine": 0, "regression": 1}


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "bench.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_two_runs_of_the_same_tree_are_compared(tmp_path: Path) -> None:
    """Each cell of two short runs gets a verdict or a reason, and the exit code is the one of the whole verdict.

    A noisy machine may call the same tree slower: which verdict it is says nothing here.
    """
    for name in ("base", "new"):
        done = _bench(
            *("run", "--plan", "smoke", "--targets", "flask", "--endpoints", "predict"),
            *("--out", str(tmp_path / name)),
        )
        assert (tmp_path / name / "summary.json").exists(), done.stderr
    done = _bench("compare", str(tmp_path / "base"), str(tmp_path / "new"), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == _CODES.get(found["verdict"], 3), done.stderr
    assert found["cells"]
    assert all(cell["verdict"] for cell in found["cells"])
