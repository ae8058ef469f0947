"""Files that one can hold in one's head: 300 lines at most, or a reason in the docstring; and a clone that is small."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path
from typing import Final

import pytest
from import_graph import product_files

from experiment.archive import opened
from experiment.run_folder import read_run
from reports.example import ARCHIVE, INTO, MIB, MOST_MIB, PICTURE
from reports.latencies import read
from servers.repository import REPOSITORY

LONGEST: Final = 300

REASON: Final = "One file, because "
"""How the docstring's sentence begins that says why a file is longer."""

MOST_FILES: Final = 570
"""520 before there were protocols of other servers, set-up by itself and users' models of every kind."""
EXAMPLE: Final = REPOSITORY / INTO


@pytest.fixture(name="tracked", scope="module")
def tracked_files() -> list[Path]:
    """The files that git tracks and that are there."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0")[:-1] if (path := REPOSITORY / name).is_file()]


def test_no_file_is_long_without_a_reason() -> None:
    """A file of product code has at most 300 lines, or its docstring says why it is one file."""
    assert [str(file) for file in product_files() if _is_too_long(file)] == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    """A file of 301 lines is found; one of 300 is not, and neither is one that gives its reason."""
    lines = "x = 1\n" * (LONGEST - 1)
    for name, text in {
        "long.py": f'"""A noun."""\n{lines}x = 2\n',
        "short.py": f'"""A noun."""\n{lines}',
        "reasoned.py": f'"""A noun.\n\n{REASON}the numbers belong together.\n"""\n{lines}',
    }.items():
        (tmp_path / name).write_text(text)
    assert [file.name for file in sorted(tmp_path.iterdir()) if _is_too_long(file)] == ["long.py"]


def test_there_are_not_too_many_files(tracked: list[Path]) -> None:
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


def _is_too_long(file: Path) -> bool:
    text = file.read_text()
    return len(text.splitlines()) > LONGEST and REASON not in (ast.get_docstring(ast.parse(text)) or "")
