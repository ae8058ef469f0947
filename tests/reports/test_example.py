"""The published example: an archive that is drawn from, says what it left out, and shows no path of a machine."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

from experiment.archive import opened
from experiment.journal import FILE_NAME
from experiment.run_folder import read_run
from reports import example, wording
from reports.headline_rows import usual
from reports.render import render
from reports.summarising import summarise
from servers.repository import REPOSITORY

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


def facts() -> list[str]:
    """What the README says that the example found, in the words of a report."""
    with opened(REPOSITORY / example.INTO / example.ARCHIVE) as folder:
        summary = summarise(read_run(folder))
    busiest = {
        (row.candidate, row.baseline, row.endpoint): row
        for row in usual(summary.comparisons)
        if row.metric == "throughput" and row.users == 16
    }
    found = []
    for candidate, baseline, endpoint in (
        ("bottle+granian+function", "bottle+gunicorn+function", "predict"),
        ("flask+gunicorn+lite", "flask+gunicorn+eager", "classify"),
        ("bottle+gunicorn+function", "flask+gunicorn+function", "predict"),
        ("bottle+gunicorn+function", "flask+gunicorn+function", "classify"),
    ):
        row = busiest[f"{candidate}+cpu", f"{baseline}+cpu", endpoint]
        assert row.verdict == "faster"
        found.append(wording.effect(*row.effect))
    return found


def test_the_readme_says_what_the_example_found() -> None:
    """The README's facts are figures of docs/example and of docs/native.md, with their intervals."""
    text = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    assert [fact for fact in facts() if fact not in text] == []
    native = (REPOSITORY / "docs" / "native.md").read_text(encoding="utf-8")
    asked = re.search(r"asked (\d+) cases", native)
    worst = dict(re.findall(r"^\| ([a-z0-9 ]+) \| (\d+) \|$", native, re.MULTILINE))
    assert asked
    assert f"of {asked[1]} requests" in text
    assert f"{worst['wrong 2xx']} get a wrong 2xx and {worst['server error']} an error 500" in text


def summary_of(published: Path, into: Path) -> dict[str, Any]:
    """The summary of the published archive, drawn into a folder of its own."""
    with opened(published / example.ARCHIVE) as folder:
        found: dict[str, Any] = json.loads((render(folder, None, into).parent / "summary.json").read_text())
    return found


def test_the_example_is_the_run_drawn_again(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command leaves archive, page, picture and README, and the figures are those of the run itself."""
    into = tmp_path / "example"
    assert example.main([str(run), "--into", str(into)]) == 0
    assert "report.html" in capsys.readouterr().out
    assert {path.name for path in into.iterdir()} == {"README.md", "report.html", "picture.svg", "run.zip"}
    page = render(run)
    mine, theirs = summary_of(into, tmp_path / "drawn"), json.loads((run / "summary.json").read_text())
    assert mine["results"] == theirs["results"]
    assert mine["kept_every"] == theirs["kept_every"] == 1
    assert (tmp_path / "drawn" / "report.html").read_text() == (into / "report.html").read_text()
    assert len((into / "report.html").read_text()) == pytest.approx(len(page.read_text()), rel=0.01)
    assert (into / "picture.svg").read_text() == (run / "plots" / "waterfall.svg").read_text()
    text = (into / "README.md").read_text()
    assert "every sample" in text
    assert "](picture.svg)" in text


def test_without_a_ladder_the_ratios_are_the_picture(tmp_path: Path) -> None:
    """A run that has no waterfall is pictured by its verdicts."""
    run = write_run(tmp_path / "run", TRUTH)
    example.publish(run, tmp_path / "example")
    render(run)
    assert (tmp_path / "example" / "picture.svg").read_text() == (run / "plots" / "ratios.svg").read_text()


def test_the_lines_of_the_journal_stay_in_place_without_paths(run: Path, tmp_path: Path) -> None:
    """Only the first line differs, by the paths: the last parts of an interpreter are left, and no home."""
    into = tmp_path / "example"
    example.publish(run, into)
    with zipfile.ZipFile(into / example.ARCHIVE) as archive:
        after = archive.read(FILE_NAME).decode().split("\n")
    before = (run / FILE_NAME).read_text().split("\n")
    assert before[1:] == after[1:]
    assert "somebody" in before[0]
    assert '"python":".venv/bin/python"' not in before[0]
    assert "venv/bin/python" in after[0]
    assert "somebody" not in after[0]
    for name in ("README.md", "report.html", "picture.svg"):
        assert "somebody" not in (into / name).read_text(), name


def test_samples_that_are_too_large_are_thinned_and_the_report_says_so(run: Path, tmp_path: Path) -> None:
    """In half the room every k-th sample is left; page and README say k, and throughputs are untouched."""
    whole, into = tmp_path / "whole", tmp_path / "thin"
    example.publish(run, whole)
    size = (whole / example.ARCHIVE).stat().st_size
    example.publish(run, into, most_mib=size / 2 / example.MIB)
    assert (into / example.ARCHIVE).stat().st_size <= size / 2
    with opened(into / example.ARCHIVE) as folder:
        every = read_run(folder).kept_every
    assert every > 1
    mine, theirs = summary_of(into, tmp_path / "mine"), summary_of(whole, tmp_path / "theirs")
    for one, other in zip(mine["results"], theirs["results"], strict=True):
        assert one["throughput_rps"] == other["throughput_rps"]
        assert one["steady_samples"] == pytest.approx(other["steady_samples"] / every, abs=3)
        assert one["latency_ms"]["p50"]["median"] == pytest.approx(other["latency_ms"]["p50"]["median"], rel=0.1)
    for path in (into / "report.html", into / "README.md", tmp_path / "mine" / "summary.md"):
        assert f"one sample in {every}" in path.read_text(), path
    assert "one sample in" not in (whole / "report.html").read_text()


def test_an_example_replaces_an_earlier_one_and_nothing_else(run: Path, tmp_path: Path) -> None:
    """A second example replaces the first, its own archive too; a folder of other things, or a run, is left alone."""
    into = tmp_path / "example"
    example.publish(run, into)
    (into / "old.svg").write_bytes(b"old")
    first = {path.name: path.read_bytes() for path in into.iterdir() if path.name != "old.svg"}
    example.publish(into / example.ARCHIVE, into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == first
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for place in (other, run):
        before = sorted(place.rglob("*"))
        assert example.main([str(run), "--into", str(place)]) == 2
        assert sorted(place.rglob("*")) == before
    assert example.main([str(other / "thesis.txt"), "--into", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("note", ["{", "{}", '{"kept_every": 1}', '{"kept_every": "2"}', "[]"])
def test_a_broken_note_is_an_error(run: Path, note: str) -> None:
    """What was left out is never guessed at."""
    (run / "thinning.json").write_text(note)
    with pytest.raises(ValueError, match=r"thinning\.json"):
        read_run(run)
