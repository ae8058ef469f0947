"""docs/adding.md, done: its blocks go into a copy of the repository; what they add is listed, judged and drawn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from synthetic_run import Truth, write_run

from conformance.case import Case
from conformance.cases import CASES
from servers.core.endpoints import ENDPOINTS
from servers.core.service import Endpoint
from servers.models.catalog import CACHE_VARIABLE, cache_dir
from servers.repository import REPOSITORY

PAGE = REPOSITORY / "docs" / "adding.md"
BLOCK = re.compile(
    r"^`(?P<file>[\w/.]+)`(?:, (?P<where>at the end|below `(?P<line>[^`\n]+)`))?\n\n```(?:python)?\n(?P<code>.+?)^```$",
    re.MULTILINE | re.DOTALL,
)
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".tox", ".cache", "runs", "__pycache__", ".*_cache", "shared")
ADDED = "flask,werkzeug,wsgi+waitress_select"
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of the page: the file, and the line of it below which it goes; None for a new file, "" for its end."""

    file: str
    below: str | None
    code: str

    def put_into(self, copy: Path) -> None:
        """Write it there. Raises ValueError where the file is not as the page says."""
        path = copy / self.file
        if self.below is None:
            if path.exists():
                raise ValueError(f"{self.file} exists already")
            path.write_text(self.code, encoding="utf-8")
            return
        text = path.read_text(encoding="utf-8")
        if not self.below:
            path.write_text(f"{text}\n\n{self.code}", encoding="utf-8")
            return
        if text.count(f"{self.below}\n") != 1:
            raise ValueError(f"{self.file} has no single line {self.below!r}")
        path.write_text(text.replace(f"{self.below}\n", f"{self.below}\n{self.code}"), encoding="utf-8")


def blocks_of(text: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [
        Block(file=one["file"], below=None if one["where"] is None else one["line"] or "", code=one["code"])
        for one in BLOCK.finditer(text)
    ]


def _done(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", CACHE_VARIABLE: str(cache_dir()), "MPLCONFIGDIR": str(copy / ".cache")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with everything of the page added to it."""
    folder = tmp_path_factory.mktemp("adding") / "titrate"
    shutil.copytree(REPOSITORY, folder, ignore=LEFT_OUT)
    for block in blocks_of(PAGE.read_text(encoding="utf-8")):
        block.put_into(folder)
    return folder


@cache
def _listed(tree: Path, section: str) -> str:
    """What `bench.py list` says there."""
    return _done(tree, "bench.py", "list", section).stdout


def _unasked(endpoints: Iterable[Endpoint], cases: Iterable[Case]) -> set[str]:
    """The endpoints that no case is about: those of predictions have figures, the others a request to their path."""
    asked = {case.endpoint for case in cases} | {case.request.target.strip("/") for case in cases if case.request}
    return {one.name for one in endpoints if one.path.strip("/") not in asked}


def test_every_endpoint_has_its_cases() -> None:
    """No endpoint goes without a case; one that has none is named."""
    assert _unasked(ENDPOINTS, CASES) == set()
    echo = replace(ENDPOINTS[0], name="echo")
    assert _unasked([*ENDPOINTS, echo], CASES) == {"echo"}


def test_every_block_of_the_page_is_taken() -> None:
    """As many blocks are put in place as the page has, for the six files of its five parts."""
    text = PAGE.read_text(encoding="utf-8")
    files = [block.file for block in blocks_of(text)]
    assert len(files) == text.count("```") / 2 == 6


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("targets", "werkzeug+gunicorn+function+cpu"),
        ("targets", "wsgi+waitress_select+function+cpu"),
        ("endpoints", "echo"),
        ("cases", "predict-spaced"),
        ("cases", "echo-constant"),
        ("plots", "memory"),
    ],
)
def test_what_was_added_is_listed(copy: Path, section: str, line: str) -> None:
    """`bench.py list` names it in the copy, and does not here."""
    assert line in _listed(copy, section)
    assert line not in _listed(REPOSITORY, section)


def test_what_was_added_keeps_the_style(copy: Path) -> None:
    """Ruff finds nothing in the copy, so that the page shows no code that the repository would refuse."""
    found = _done(copy, "-m", "ruff", "check", *(block.file for block in blocks_of(PAGE.read_text())))
    assert found.returncode == 0, found.stdout
    shaped = _done(copy, "-m", "ruff", "format", "--check", *(block.file for block in blocks_of(PAGE.read_text())))
    assert shaped.returncode == 0, shaped.stdout


def test_an_added_plot_is_drawn(copy: Path, tmp_path: Path) -> None:
    """The copy's report of a run has the plot, named and described, and its file."""
    run = write_run(tmp_path / "run", Truth(samples=60, blocks=2, scenarios=("predict@1",), modes=("function",)))
    done = _done(copy, "bench.py", "report", str(run))
    assert done.returncode == 0, done.stderr
    text = (run / "report.html").read_text()
    assert '<h2 id="plot-memory">Peak memory</h2>' in text
    assert "Peak memory by target. flask+gunicorn+function+cpu" in text
    assert (run / "plots" / "memory.svg").exists()


def test_what_was_added_answers_and_is_judged(copy: Path) -> None:
    """The copy's own check passes the new framework and the new server in every case, the added ones among them."""
    done = _done(copy, "bench.py", "check", "--targets", ADDED)
    assert done.returncode == 0, done.stdout + done.stderr
    for target in ("werkzeug+gunicorn+function+cpu", "wsgi+waitress_select+function+cpu"):
        assert target in done.stdout


@pytest.mark.main_job
def test_an_added_framework_gets_its_verdict(copy: Path, tmp_path: Path) -> None:
    """The copy's short run compares Flask with what was added, and says what came of it; none of it knew the name."""
    out = tmp_path / "run"
    named = ("--targets", "flask,werkzeug", "--endpoints", "predict", "--out", str(out))
    done = _done(copy, "bench.py", "run", "--plan", "smoke", "--blocks", "2", *named)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    summary = json.loads((out / "summary.json").read_text())
    (row,) = [one for one in summary["comparisons"] if one["axis"] == "framework"]
    assert [row[side].partition("+")[0] for side in ("baseline", "candidate")] == ["flask", "werkzeug"]
    assert row["verdict"] in ("faster", "slower", "equivalent", "inconclusive")
    assert "werkzeug" in done.stdout


def test_an_added_case_can_fail(copy: Path) -> None:
    """With another constant in the endpoint, the case that came with it turns red."""
    path = copy / "servers/core/endpoints/echo.py"
    text = path.read_text()
    path.write_text(text.replace('"titrate"', '"otherwise"'))
    try:
        done = _done(copy, "bench.py", "check", "--targets", "wsgi", "--case", "echo-constant")
    finally:
        path.write_text(text)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "echo-constant" in done.stdout
