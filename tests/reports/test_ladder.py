"""What the report makes of a ladder whose truth is known: segments, break-even, order of rungs, and a readable page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_ladder import PIECES_US, TAX_US, Truth, write_ladder
from synthetic_run import Truth as RunTruth
from synthetic_run import write_run

from experiment.journal import JournalError
from reports import ladder_summary
from reports.render import render
from reports.summary.ladder_rows import LadderSummary

SMALL = RunTruth(samples=150, scenarios=("predict@1",), modes=("function",), native=False)


def _summary(folder: Path, *truths: Truth) -> LadderSummary:
    found = ladder_summary.summarise(write_ladder(folder, *truths))
    assert found is not None
    return found


def test_the_waterfall_finds_every_segment_and_adds_up(tmp_path: Path) -> None:
    """Each segment comes out within 5 % or 3 us of what it was made of, and the remainder stays under 3 %."""
    rows = {row.framework: row for row in _summary(tmp_path, Truth()).waterfalls}
    assert list(rows) == ["wsgi", "bottle", "flask"]
    for framework, row in rows.items():
        true = {"server": 200.0, "framework": TAX_US[framework], "inference": 100.0, **PIECES_US}
        for name, value in true.items():
            assert row.segments[name].value == pytest.approx(value, rel=0.05, abs=3), name
        assert abs(row.remainder_share) < 0.03


def test_time_that_no_segment_explains_is_shown_as_remainder(tmp_path: Path) -> None:
    """80 us that are spent in the codec but in none of its pieces come out as the remainder."""
    rows = _summary(tmp_path, Truth(unaccounted_us=80.0)).waterfalls
    assert all(row.remainder_us == pytest.approx(80.0, abs=12) for row in rows)


@pytest.mark.parametrize("model_us", [50.0, 5000.0])
def test_the_break_even_of_one_model_foretells_the_change_at_another(tmp_path: Path, model_us: float) -> None:
    """The line drawn from a 500 us model gives the measured change of a small and of a large one, within intervals."""
    small = _summary(tmp_path, Truth(model_us=500.0)).break_evens[0]
    (tmp_path / "other").mkdir()
    other = _summary(tmp_path / "other", Truth(model_us=model_us, seed=11)).break_evens[0]
    rest_us = 200.0 + TAX_US["bottle"] + sum(PIECES_US.values())
    foretold = ladder_summary.change_at(small, model_us)
    assert foretold == pytest.approx(90.0 / (rest_us + model_us), rel=0.15)
    low, high = other.change.ci95
    spread = (small.difference_us.ci95[1] - small.difference_us.ci95[0]) / (rest_us + model_us)
    assert low - spread <= foretold <= high + spread


def test_the_thresholds_are_where_the_change_is_that_share(tmp_path: Path) -> None:
    """At each threshold's model time the line is at that share, and its interval holds the true threshold."""
    row = _summary(tmp_path, Truth()).break_evens[0]
    rest_us = 200.0 + TAX_US["bottle"] + sum(PIECES_US.values())
    for threshold in row.thresholds:
        low, high = threshold.model_us.ci95
        assert low <= 90.0 / threshold.share - rest_us <= high
    assert [one.share for one in row.thresholds] == [0.10, 0.05, 0.01]


def test_a_rung_below_the_one_beneath_it_is_told(tmp_path: Path) -> None:
    """An HTTP rung that comes out below its WSGI rung is named; a consistent ladder has nothing to name."""
    assert _summary(tmp_path, Truth()).inconsistent == []
    wrong = _summary(tmp_path, Truth(server_us=-100.0)).inconsistent
    assert len(wrong) == 3
    assert all("http is" in text and "below wsgi" in text for text in wrong)


def test_the_noise_of_the_same_application_twice_is_near_one(tmp_path: Path) -> None:
    """The twin's ratio comes out within 2 % of 1, its interval around it."""
    noise = _summary(tmp_path, Truth(), Truth(endpoint="classify", seed=5)).noise
    assert noise.ratio == pytest.approx(1.0, abs=0.02)
    assert noise.ci95[0] < noise.ratio < noise.ci95[1]


def test_a_folder_without_a_ladder_has_none(tmp_path: Path) -> None:
    """No file, no ladder."""
    assert ladder_summary.summarise(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", '{"benchmarks": [{}]}', '{"benchmarks": 3}'])
def test_a_broken_ladder_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is not pytest-benchmark's raises one error that names it."""
    (tmp_path / "ladder.json").write_text(text)
    with pytest.raises(JournalError, match=r"ladder\.json"):
        ladder_summary.summarise(tmp_path)


def test_a_run_shows_the_ladder_that_lies_in_its_folder(tmp_path: Path) -> None:
    """Page, Markdown and plots of a run hold the ladder, and the run's own figures stay."""
    folder = write_run(tmp_path / "run", SMALL)
    write_ladder(folder, Truth())
    (folder / "instructions.json").write_text(json.dumps({"skipped": "valgrind is not installed"}))
    report = render(folder)
    assert 'id="ladder"' in report.read_text()
    assert "valgrind is not installed" in report.read_text()
    assert "## The ladder" in report.with_name("summary.md").read_text()
    assert {"waterfall.svg", "break_even.svg", "throughput.svg"} <= {p.name for p in (folder / "plots").iterdir()}


def test_a_climb_alone_is_a_report_of_its_own(tmp_path: Path) -> None:
    """A folder with a ladder and no trial answers with the ladder, and shows no empty sections of a run."""
    empty = replace(SMALL, written_blocks=0, frameworks=(), twin=False)
    folder = write_run(tmp_path / "run", empty)
    write_ladder(folder, Truth())
    text = render(folder).read_text()
    assert "Flask instead of Bottle changes the time of a request to /predict by" in text
    assert 'id="throughput"' not in text
    assert "Nothing was measured" not in text
