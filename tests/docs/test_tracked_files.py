"""What a clone downloads: no more files than a reader can know, and none that is large without a reason."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from reports.samples import read

from experiment.archive import opened
from experiment.run_folder import read_run
from reports.example import ARCHIVE, INTO, MIB, MOST_MIB, PICTURE
from servers.launch import REPOSITORY

MOST_FILES = 520
EXAMPLE = REPOSITORY / INTO


@pytest.fixture(name="tracked", scope="module")
def tracked_files() -> list[Path]:
    """The files that git tracks and that are there."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0")[:-1] if (path := REPOSITORY / name).is_file()]


def test_there_are_at_most_520_files(tracked: list[Path]) -> None:
    """Room for what is written by hand; what can be derived is not tracked."""
    assert 100 < len(tracked) <= MOST_FILES


def test_no_file_is_large_but_the_lock_and_the_example(tracked: list[Path]) -> None:
    """1 MiB is the most for all others, and the example's archive has its own limit."""
    large = {path.relative_to(REPOSITORY) for path in tracked if path.stat().st_size > MIB}
    assert large <= {Path("uv.lock"), INTO / ARCHIVE, INTO / "report.html"}


def test_the_example_is_a_page_a_picture_and_an_archive(tracked: list[Path]) -> None:
    """Four files, and the archive no larger than the publisher allows."""
    held = {path.name for path in tracked if path.is_relative_to(EXAMPLE)}
    assert held == {"README.md", "report.html", PICTURE, ARCHIVE}
    assert (EXAMPLE / ARCHIVE).stat().st_size <= MOST_MIB * MIB


def test_the_example_opens_and_has_all_that_its_journal_names() -> None:
    """Every trial's samples can be read, and the README says which run it is and how many of them are left."""
    text = (EXAMPLE / "README.md").read_text()
    with opened(EXAMPLE / ARCHIVE) as folder:
        run = read_run(folder)
        assert f"one sample in {run.kept_every}" in text or (run.kept_every == 1 and "every sample" in text)
        assert run.complete
        assert len(run.trials) > 100
        for trial in run.trials:
            assert trial.samples is not None
            assert read(folder / trial.samples).service_ns.size
    assert run.started_utc in text
