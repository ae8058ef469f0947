"""The generator beside wrk and Locust's own user: what is asked of it, and whether it holds here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from experiment.against_wrk import bars
from servers.repository import REPOSITORY

EQUAL = {
    "titrate@1": {"rps": 8000.0, "busy_us": 40.0, "p50_us": 100.0},
    "wrk@1": {"rps": 8000.0, "busy_us": 40.0, "p50_us": 100.0},
    "titrate@16": {"rps": 40_000.0, "busy_us": 12.0, "p50_us": 400.0},
    "wrk@16": {"rps": 40_000.0, "busy_us": 12.0, "p50_us": 400.0},
    "titrate@64": {"rps": 40_000.0, "busy_us": 12.0, "p50_us": 1600.0},
    "wrk@64": {"rps": 40_000.0, "busy_us": 12.0, "p50_us": 1600.0},
    "fasthttpuser@16": {"rps": 10_000.0, "busy_us": 90.0},
}


SPREAD = (0.95, 1.0, 1.05)
"""Of three rounds; the others' go the other way, so that all of it cancels out of a ratio."""


def rounds(name: str, figure: str, value: float) -> dict[str, list[dict[str, float]]]:
    """Three rounds of EQUAL with one figure changed."""
    changed = {place: its | {figure: value} if place == name else its for place, its in EQUAL.items()}
    return {
        place: [
            {key: its[key] * factor for key in its}
            for factor in (SPREAD if place.startswith("titrate") else reversed(SPREAD))
        ]
        for place, its in changed.items()
    }


@pytest.mark.parametrize(
    ("name", "figure", "value", "broken"),
    [
        ("titrate@16", "rps", 40_000.0, None),
        ("titrate@16", "rps", 39_999.0, "requests/s over wrk's at 16 connections"),
        ("titrate@64", "rps", 39_999.0, "requests/s over wrk's at 64 connections"),
        ("titrate@1", "p50_us", 130.0, None),
        ("titrate@1", "p50_us", 131.0, "median over wrk's at one connection"),
        ("fasthttpuser@16", "rps", 10_001.0, "requests/s over FastHttpUser's at 16 users"),
    ],
)
def test_each_bar_stands_where_it_is_said_to(name: str, figure: str, value: float, broken: str | None) -> None:
    """As many requests as wrk, 1.3 times its median, four times FastHttpUser: up to there it holds, and not beyond."""
    found = bars(rounds(name, figure, value))
    failing = {bar.name for bar in found if not bar.holds}
    assert (broken in failing) if broken else not failing
    assert not [bar for bar in found if bar.refuted], "so near the limit nothing is refuted"


def test_a_bar_is_refuted_when_noise_does_not_explain_it() -> None:
    """Half of wrk's throughput, or twice its median, is nothing that more rounds could mend."""
    for name, figure, value in (("titrate@64", "rps", 20_000.0), ("titrate@1", "p50_us", 200.0)):
        refuted = [bar for bar in bars(rounds(name, figure, value)) if bar.refuted]
        assert len(refuted) == 1
        assert not refuted[0].holds


def test_one_round_has_no_interval() -> None:
    """So it gives no bar either."""
    with pytest.raises(ValueError, match="at least 2"):
        bars({name: its[:1] for name, its in rounds("titrate@1", "rps", 1.0).items()})


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
