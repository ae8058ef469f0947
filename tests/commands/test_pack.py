"""`bench.py pack` as a user runs it, and the commands that open what it wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from processes import bench
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

BASE = Truth(samples=60, scenarios=("predict@16", "predict~poisson200rps"), modes=("function",), native=False, seed=1)
SLOWER = replace(BASE, seed=2, ratios={"bottle+gunicorn+function+cpu": 0.75})
DRAWN = {"report.html", "summary.json", "summary.md", "plots"}


def refused_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal, its hint checked."""
    said, hint = done.stderr.strip().splitlines()[-2:]
    assert done.returncode == 2
    assert not done.stdout
    assert said.startswith("bench.py: ")
    assert hint.startswith("hint: ")
    return said


@pytest.fixture(name="run")
def a_run(tmp_path: Path) -> Path:
    """A run with a ladder and a log."""
    folder = write_ladder(write_run(tmp_path / "runs" / "base", BASE), LadderTruth())
    (folder / "logs").mkdir()
    return folder


def test_a_packed_run_is_reported_as_its_folder_is(run: Path, tmp_path: Path) -> None:
    """Beside the folder, size and what is left out said; its report goes beside it and is the folder's to the byte."""
    done = bench("pack", run)
    assert done.returncode == 0
    size_mib = Path(f"{run}.zip").stat().st_size / (1 << 20)
    assert done.stdout.splitlines() == ["left out: logs", f"{run}.zip: {size_mib:.2f} MiB"]
    assert bench("report", run).returncode == 0
    told = bench("report", f"{run}.zip")
    drawn = tmp_path / "runs" / "base-report"
    assert f"report: {(drawn / 'report.html').as_uri()}" in told.stdout
    assert {path.name for path in drawn.iterdir()} == DRAWN
    for name in ("summary.json", "summary.md", "report.html"):
        assert (drawn / name).read_bytes() == (run / name).read_bytes(), name


def test_a_report_goes_where_out_says(run: Path, tmp_path: Path) -> None:
    """Of an archive and of a folder, which is left as it was; exports go along."""
    bench("pack", run, "--out", tmp_path / "x.zip")
    before = sorted(run.rglob("*"))
    for given in (tmp_path / "x.zip", run):
        out = tmp_path / "deep" / f"of-{given.name}"
        done = bench("report", given, "--out", out, "--export", "csv,png,json")
        assert done.returncode == 0, done.stderr
        assert {path.name for path in out.iterdir()} == DRAWN | {"cells.csv"}
        assert list((out / "plots").glob("*.png"))
        assert f"json: {out / 'summary.json'}" in done.stdout
    assert sorted(run.rglob("*")) == before
    assert not (tmp_path / "x-report").exists()


def test_what_is_thinned_is_said(run: Path, tmp_path: Path) -> None:
    """With less room than it takes there is a line with k, and the file is no larger than asked for."""
    bench("pack", run, "--out", tmp_path / "whole.zip")
    most_mib = 0.85 * (tmp_path / "whole.zip").stat().st_size / (1 << 20)
    done = bench("pack", run, "--out", tmp_path / "thin.zip", "--most-mib", str(most_mib))
    assert done.returncode == 0, done.stderr
    assert "thinned: one sample in " in done.stdout
    assert (tmp_path / "thin.zip").stat().st_size <= most_mib * (1 << 20)


def test_what_cannot_be_packed_is_refused(run: Path, tmp_path: Path) -> None:
    """An archive that is there already, no run, no room, no size, no such folder: a line and a hint, and no file."""
    (tmp_path / "there.zip").write_text("mine")
    assert "exists already" in refused_line(bench("pack", run, "--out", tmp_path / "there.zip"))
    assert (tmp_path / "there.zip").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert "not a run folder" in refused_line(bench("pack", tmp_path / "empty"))
    assert "not a run folder" in refused_line(bench("pack", tmp_path / "nowhere"))
    assert "cannot be packed" in refused_line(bench("pack", run, "--most-mib", "0.001"))
    assert "is no number above 0" in refused_line(bench("pack", run, "--most-mib", "0"))
    assert "cannot be written" in refused_line(bench("pack", run, "--out", tmp_path / "no" / "x.zip"))
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "there.zip", "empty"}
    assert [path.name for path in run.parent.iterdir()] == ["base"]


def test_a_file_that_is_no_archive_is_refused_by_each_command(run: Path, tmp_path: Path) -> None:
    """Report, compare, history and pack say it alike, and draw nothing."""
    holder = tmp_path / "history"
    holder.mkdir()
    (holder / "x.zip").write_text("no zip")
    for arguments in (
        ("report", holder / "x.zip"),
        ("compare", run, holder / "x.zip"),
        ("compare", "--history", holder),
        ("pack", holder / "x.zip"),
    ):
        assert f"{holder / 'x.zip'} cannot be opened as a run" in refused_line(bench(*arguments))
    assert [path.name for path in holder.iterdir()] == ["x.zip"]


def test_archives_are_compared_as_folders_are(run: Path, tmp_path: Path) -> None:
    """Two archives, and a folder with an archive: the folders' verdict and figures, each by the name that was given."""
    new = write_run(tmp_path / "runs" / "new", SLOWER)
    bench("pack", run)
    bench("pack", new)
    wanted = bench("compare", run, new, "--json")
    assert wanted.returncode == 1
    expected = json.loads(wanted.stdout)
    for base, other in ((f"{run}.zip", f"{new}.zip"), (run, f"{new}.zip")):
        done = bench("compare", base, other, "--json")
        assert done.returncode == 1, done.stderr
        found = json.loads(done.stdout)
        assert (found["base"].pop("folder"), found["new"].pop("folder")) == (str(base), str(other))
        for side in ("base", "new"):
            assert found[side] == {name: value for name, value in expected[side].items() if name != "folder"}
        assert found["cells"] == expected["cells"]


def test_an_archive_is_not_compared_with_itself(run: Path) -> None:
    """It is the same run, and would be called fine; beside its folder it is a copy like any other."""
    bench("pack", run)
    assert "the same run" in refused_line(bench("compare", f"{run}.zip", f"{run}.zip"))
    copied = json.loads(bench("compare", run, f"{run}.zip", "--json").stdout)
    assert {cell["ratio"] for cell in copied["cells"]} == {1.0}


def test_a_history_is_of_folders_and_archives(run: Path, tmp_path: Path) -> None:
    """Some packed, some not, and one as both: the points of the folders alone, each run once."""
    folders, mixed = tmp_path / "folders", tmp_path / "mixed"
    mixed.mkdir()
    for day in range(3):
        source = write_run(folders / f"day{day}", replace(BASE, seed=day))
        if day < 2:
            assert bench("pack", source, "--out", mixed / f"day{day}.zip").returncode == 0
        if day > 0:
            shutil.copytree(source, mixed / source.name)
    wanted, found = (json.loads(bench("compare", "--history", one, "--json").stdout) for one in (folders, mixed))
    assert len(found["runs"]) == 3
    assert found == wanted
    assert (mixed / "history.svg").exists()
