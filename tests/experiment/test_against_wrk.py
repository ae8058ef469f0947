"""The generator beside wrk and Locust's own user, on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from msgspec.structs import replace

from experiment.against_core import modes
from experiment.ceiling import joint_ceiling
from loadtests.trial_record import Calibration, WorkerNode
from servers.repository import REPOSITORY


@pytest.mark.noisy
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed (Debian's package of this name)")
def test_the_generator_is_as_fast_as_wrk() -> None:
    """In one run, in turns, on the same server with a core each, every bar holds."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "bench.py"), "calibrate", "--against", "wrk", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    found = json.loads(done.stdout)
    assert not [bar for bar in found["bars"] if not bar["holds"]], found


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


def test_ceilings_add_up() -> None:
    """Together workers can do what each can; one that was not calibrated leaves it unknown."""
    own = Calibration(ceiling_rps=1000.0, overhead_us=50.0, users=64, cpu_share=0.9)
    first = WorkerNode(id=1, host="a", calibration=own)
    second = WorkerNode(id=2, host="b", calibration=replace(own, overhead_us=70.0))
    assert joint_ceiling([first, second]).ceiling_rps == 2000.0
    assert joint_ceiling([first, second]).overhead_us == 70.0
    unknown = joint_ceiling([first, replace(second, calibration=None)])
    assert (unknown.ceiling_rps, unknown.overhead_us, unknown.users, unknown.cpu_share) == (None, None, None, None)
