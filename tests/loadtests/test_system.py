"""What the timed loop stands on: the core that the generator's process takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from loadtests.clock_offsets import Ping, compare, summarize
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


def test_clocks_are_known_to_half_a_round_trip() -> None:
    """However the two ways of a message differ, the true offset lies within what is stated; the shortest counts."""
    for truth_ns in (0, 5_000, -86_400_000_000_000):
        pings = [
            Ping(sent_ns=at, answered_ns=at + there + truth_ns, received_ns=at + there + back)
            for at, there, back in ((0, 90_001, 0), (1_000_000, 0, 40_000), (2_000_000, 500_000, 500_000))
        ]
        offset = compare(pings)
        assert abs(offset.offset_ns - truth_ns) <= offset.uncertainty_ns
        assert offset.uncertainty_ns == 20_001
        # It is no more than that, either: the slow way there is all of what it is off by.
        assert abs(offset.offset_ns - truth_ns) == 20_000


def test_drift_is_counted_as_uncertainty() -> None:
    """A clock that gains between two visits is stated no better than by what it gained."""
    offsets = [
        compare([Ping(sent_ns=at, answered_ns=at + 10 + gained, received_ns=at + 20)])
        for at, gained in ((0, 0), (100, 0), (200, 7_000))
    ]
    assert summarize(offsets).uncertainty_ns == 11 + 7_000
    assert summarize(offsets[:2]).uncertainty_ns == 11
