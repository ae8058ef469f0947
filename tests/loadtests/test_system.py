"""What the timed loop stands on: the core that the generator's process takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from loadtests.remote import ROOT

TAKING = """
import json, os
from loadtests.system import REAL_SYSTEM
REAL_SYSTEM.take_core(min(os.sched_getaffinity(0)))
print(json.dumps({"awake": REAL_SYSTEM.awake, "cores": len(os.sched_getaffinity(0))}))
"""


def _taken(*cores: int) -> dict[str, Any]:
    """What a process is like that has taken one of these cores."""
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, cores)), sys.executable, "-c", TAKING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_it_waits_awake_where_the_target_has_another_core() -> None:
    """Of two cores it takes one, and stays awake."""
    assert _taken(*os.sched_getaffinity(0)) == {"awake": True, "cores": 1}


def test_it_sleeps_on_the_only_core() -> None:
    """The target is there too, and would get what a loop that never sleeps leaves of it: nothing."""
    assert _taken(min(os.sched_getaffinity(0))) == {"awake": False, "cores": 1}
