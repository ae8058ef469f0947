"""The published example: a copy that is drawn from itself, says what it left out, and shows no path of a machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

from experiment.journal import FILE_NAME, read_run
from experiment.thinning import kept_every
from reports import example
from reports.render import render

TRUTH = Truth(samples=900, blocks=3, scenarios=("predict@1", "predict@16"), modes=("function",), native=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a ladder, a log, and paths of a machine in its journal."""
    folder = write_ladder(write_run(tmp_path / "run", TRUTH), LadderTruth())
    path = folder / FILE_NAME
    text = path.read_text().replace('"workers":1', '"workers":1,"python":"/home/somebody/titrate/.venv/bin/python"')
    path.write_text(text)
    (folder / "logs").mkdir()
    (folder / "logs" / "flask.log").write_text("started")
    return folder


def test_the_example_is_the_run_drawn_again(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command leaves journal, samples, ladder, page and a README, and the figures of the run itself."""
    into = tmp_path / "example"
    assert example.main([str(run), "--into", str(into)]) == 0
    assert "report.html" in capsys.readouterr().out
    there = {path.name for path in into.iterdir()}
    drawn = {"report.html", "README.md", "summary.json", "summary.md", "plots"}
    assert there == {"journal.jsonl", "samples", "ladder.json"} | drawn
    render(run)
    mine, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (into, run))
    assert mine["results"] == theirs["results"]
    assert mine["kept_every"] == theirs["kept_every"] == 1
    assert "holds every sample" in (into / "README.md").read_text()


def test_the_lines_of_the_journal_stay_in_place_without_paths(run: Path, tmp_path: Path) -> None:
    """Only the first line differs, by the paths: the last parts of an interpreter are left, and no home."""
    into = tmp_path / "example"
    example.publish(run, into)
    before, after = ((folder / FILE_NAME).read_text().split("\n") for folder in (run, into))
    assert before[1:] == after[1:]
    assert "somebody" in before[0]
    assert '"python":".venv/bin/python"' not in before[0]
    assert "venv/bin/python" in after[0]
    for path in (one for one in into.rglob("*") if one.is_file() and one.suffix != ".npz"):
        assert "somebody" not in path.read_text(), path


def test_samples_that_are_too_large_are_thinned_and_the_report_says_so(run: Path, tmp_path: Path) -> None:
    """Within a tenth of their size, every k-th sample is left; page and README say k, and throughputs are untouched."""
    whole, into = tmp_path / "whole", tmp_path / "thin"
    example.publish(run, whole)
    size = sum(path.stat().st_size for path in (whole / "samples").iterdir())
    example.publish(run, into, most_mib=size / 2 / example.MIB)
    every = kept_every(into)
    assert every > 1
    assert sum(path.stat().st_size for path in (into / "samples").iterdir()) <= size / 2
    mine, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (into, whole))
    for one, other in zip(mine["results"], theirs["results"], strict=True):
        assert one["throughput_rps"] == other["throughput_rps"]
        assert one["steady_samples"] == pytest.approx(other["steady_samples"] / every, abs=3)
        assert one["latency_ms"]["p50"]["median"] == pytest.approx(other["latency_ms"]["p50"]["median"], rel=0.1)
    for name in ("report.html", "README.md", "summary.md"):
        assert f"one sample in {every}" in (into / name).read_text(), name
    assert "one sample in" not in (whole / "report.html").read_text()


def test_an_example_replaces_an_earlier_one_and_nothing_else(run: Path, tmp_path: Path) -> None:
    """A second example replaces the first; a folder of other things, and the run itself, are left alone."""
    into = tmp_path / "example"
    example.publish(run, into)
    (into / "samples" / "old.npz").write_bytes(b"old")
    example.publish(run, into)
    assert not (into / "samples" / "old.npz").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for place in (other, run):
        before = sorted(place.rglob("*"))
        assert example.main([str(run), "--into", str(place)]) == 2
        assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("note", ["{", "{}", '{"kept_every": 1}', '{"kept_every": "2"}', "[]"])
def test_a_broken_note_is_an_error(run: Path, note: str) -> None:
    """What was left out is never guessed at."""
    (run / "thinning.json").write_text(note)
    with pytest.raises(ValueError, match=r"thinning\.json"):
        read_run(run)
