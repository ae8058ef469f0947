"""The generator beside wrk and Locust's own user: what is asked of it; and the share of a bare core."""

from __future__ import annotations

import pytest

from reports.bars import bars, shares

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


def test_a_share_is_of_the_same_mode_in_the_same_round() -> None:
    """What is served over what the bare core does, by mode: a machine that slows down slows both."""
    pace = (1.0, 0.5, 0.25)
    given = {
        "served function": [{"rps": 90.0 * one} for one in pace],
        "bare function": [{"rps": 100.0 * one} for one in pace],
        "served lite": [{"rps": 350.0 * one} for one in pace],
        "bare lite": [{"rps": 500.0 * one} for one in (1.0, 0.5, 0.26)],
    }
    found = shares(given)
    assert list(found) == ["function", "lite"]
    assert found["lite"].low < found["lite"].ratio < found["lite"].high
    assert found["lite"].ratio == pytest.approx(0.69, abs=0.01)
