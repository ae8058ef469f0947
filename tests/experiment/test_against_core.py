"""A served classifier beside a bare loop of the same core, on this machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from experiment.against_core import modes
from servers.repository import REPOSITORY


@pytest.mark.noisy
def test_what_is_served_is_set_beside_the_bare_core() -> None:
    """Most of a classification is decoding and predicting: HTTP, framework and JSON leave four fifths of the speed."""
    command = ("calibrate", "--against", "core", "--rounds", "6", "--json")
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "bench.py"), *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["shares"]
    assert set(found) == set(modes())
    assert all(0.8 < one["ratio"] < 1.2 for one in found.values())
