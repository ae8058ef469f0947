"""The matrix of versions: that it covers what it says, and that nothing in it fails or is missing in silence."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from conformance.finding import CaseVerdict, Finding, Level
from conformance.junit import write_junit
from experiment.errors import FINDING, HARNESS, OK, ExpectedError
from matrix.environments import UNFIT, groups_of, listed, pair_in, python_of, why_absent, why_unfit
from matrix.examine import PARTS, reason
from matrix.found import Counts, Examined, lock_digest
from matrix.page import Change, VersionsRow, changes, page, rows
from matrix.speed import sides_of, target_of, verdict
from matrix.table import gather
from servers.repository import REPOSITORY

NATIVE = (REPOSITORY / "docs" / "native.md").read_text(encoding="utf-8")
FACTORS = (
    ("py311", "py312", "py313"),
    ("flask23", "flask30", "flask31"),
    ("bottle012", "bottle013"),
    ("tf220", "tf221"),
)
COUNTS = Counts(total=10, failed=0, skipped=1)
VERSIONS = {"python": "3.13.0", "flask": "3.1.3", "werkzeug": "3.1.9", "bottle": "0.13.4", "tensorflow": "2.21.0"}
WELL = Examined(name="well", versions=VERSIONS, tests=COUNTS, cases=COUNTS, reasons=(), seconds=1.0, lock="0")


def _combined() -> list[tuple[str, ...]]:
    return [tuple(name.split("-")) for name in listed() if name.startswith("py")]


def test_every_two_versions_meet() -> None:
    """Any version of one factor and any of another are together in an environment of the label `matrix` that can run.

    Each pair that cannot is there too, in one environment, where it is tried.
    """
    wanted = {pair for one, other in combinations(FACTORS, 2) for pair in product(one, other)}
    able = [name for name in _combined() if not pair_in("-".join(name))]
    assert wanted - {pair for name in able for pair in combinations(name, 2)} == set(UNFIT)
    assert len(able) == 9
    assert not wanted - set(UNFIT) <= {pair for name in able[1:] for pair in combinations(name, 2)}
    assert [pair_in("-".join(name)) for name in _combined() if name not in able] == list(UNFIT)


def test_a_name_says_what_is_installed() -> None:
    """Python and groups follow from the name; TensorFlow's may be left out, and other names ask for nothing."""
    assert python_of("py312-flask30-bottle012") == "3.12"
    assert groups_of("py312-flask30-bottle012") == ("flask30", "bottle012")
    assert groups_of("py313-flask31-bottle013-tf220") == ("flask31", "bottle013", "tf220")
    assert (python_of("lowest"), groups_of("lowest")) == (None, ())


def test_what_cannot_run_is_tried_before_it_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment is skipped only where its statement fails in the known way, and the row repeats what was said."""
    name = "py313-flask23-bottle012-tf221"
    for statement, complaint, skipped in (
        ("import no_such_module", "No module named 'no_such_module'", True),
        ("import no_such_module", "No module named 'cgi'", False),
        ("import json", "No module named 'cgi'", False),
    ):
        monkeypatch.setitem(UNFIT, ("py313", "bottle012"), (statement, complaint))
        assert bool(why_unfit(name)) is skipped
        assert why_unfit("py313-flask23-bottle013-tf221") == ""
    said = "`import bottle` ends in ModuleNotFoundError: No module named 'cgi'"
    row = VersionsRow(name=name, found=replace(WELL, tests=None, cases=None, unfit=said), reason="", changes=None)
    assert f"| not run | not run | skipped: {said} | not observed |" in page([row])


def test_a_row_of_the_native_table_reads_back() -> None:
    """Every row of the committed page is read, and a page differs from itself nowhere."""
    found = rows(NATIVE)
    assert len(found) == len([line for line in NATIVE.splitlines() if line.startswith("| `")]) > 60
    assert changes(found, found) == []


def test_a_changed_answer_is_named_with_its_framework() -> None:
    """One cell changed is one change: the case, whose answer it is, what it was and what it is."""
    found = rows(NATIVE)
    (case_id, cells), *_ = found.items()
    other = found | {case_id: (*cells[:4], "200 {prediction}", *cells[5:])}
    assert changes(found, other) == [
        Change(case_id=case_id, framework="Bottle", before=cells[4], after="200 {prediction}")
    ]


def test_a_row_of_another_shape_is_an_error() -> None:
    """A page whose rows have lost a column is no page without differences."""
    with pytest.raises(ValueError, match="no row of the native table"):
        rows("| `predict-number` | asked | 200 |")


def test_no_row_is_silent() -> None:
    """One that conforms, one that failed and one that is not there each have a line that says so."""
    failed = Examined(
        name="bad", versions=VERSIONS, tests=None, cases=COUNTS, reasons=("2 of 9 fail",), seconds=1.0, lock="0"
    )
    change = Change(case_id="c", framework="Flask", before="400", after="500")
    text = page(
        [
            VersionsRow(name="well", found=WELL, reason="", changes=(change,)),
            VersionsRow(name="bad", found=failed, reason="", changes=None),
            VersionsRow(name="gone", found=None, reason="skipped: there is no Python 3.99 here", changes=None),
        ]
    )
    lines = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    assert "| 9 of 9, 1 skipped | 9 of 9, 1 skipped | conforms | 1 |" in lines["well"]
    assert "| not run |" in lines["bad"]
    assert "2 of 9 fail" in lines["bad"]
    assert "no Python 3.99" in lines["gone"]
    assert "| `c` | Flask | 400 | 500 | `well` |" in text


def test_only_an_environment_that_passed_vouches_for_a_lower_bound() -> None:
    """The list of lowest versions is there where `lowest` conforms, and not where it fails."""
    lowest = replace(WELL, name="lowest", floors={"flask": "2.3.0"})
    failed = replace(lowest, reasons=("1 of 9 fails",))
    assert "| flask | 2.3.0 |" in page([VersionsRow(name="lowest", found=lowest, reason="", changes=None)])
    assert "2.3.0" not in page([VersionsRow(name="lowest", found=failed, reason="", changes=None)])


def test_what_was_found_reads_back(tmp_path: Path) -> None:
    """A file that was written is read to the same; where none is, there is None and not a pass."""
    assert Examined.read(tmp_path) is None
    WELL.write(tmp_path)
    assert Examined.read(tmp_path) == WELL


def test_what_was_found_with_another_lock_is_no_row_of_figures(tmp_path: Path) -> None:
    """An environment that conformed before uv.lock changed is one to examine again, not one that conforms."""
    name = listed()[0]
    folder = tmp_path / name / "found"
    folder.mkdir(parents=True)
    WELL.write(folder)
    assert gather(tmp_path)[0].reason == f"examined with another uv.lock; again: `tox -e {name}`"
    replace(WELL, lock=lock_digest()).write(folder)
    assert gather(tmp_path)[0].found == replace(WELL, lock=lock_digest())


def test_failures_of_a_junit_file_are_counted(tmp_path: Path) -> None:
    """A wrong case and one that could not be judged both count as failed."""
    said: dict[str, Any] = {"clause": "c", "proves": "p", "expected": "e", "actual": "a", "repeat": "r"}
    findings = [
        Finding(case_id=str(at), target="t", verdict=one, level=Level.MUST, severity=None, **said)
        for at, one in enumerate((CaseVerdict.RIGHT, CaseVerdict.WRONG, CaseVerdict.HARNESS_FAULT, CaseVerdict.SKIPPED))
    ]
    write_junit(findings, tmp_path / "x.xml")
    assert Counts.of_junit(tmp_path / "x.xml") == Counts(total=4, failed=2, skipped=1)


def test_a_part_that_fails_says_why() -> None:
    """By how many fail, or, where it died before it counted, by its exit code."""
    part = PARTS["tests"]
    assert reason(part, 1, Counts(total=5, failed=2, skipped=0)) == "the core's tests: 2 of 5 fail"
    assert reason(part, -9, None) == "the core's tests ended with exit code -9"
    assert reason(part, 2, Counts(total=5, failed=0, skipped=0)) == "the core's tests ended with exit code 2"


def test_a_missing_interpreter_is_the_reason() -> None:
    """For a Python that nobody has, uv is asked, and the row says so; an environment without one was not run."""
    assert why_absent("py399-flask31-bottle013") == "skipped: there is no Python 3.99 here"
    assert why_absent("ujson") == "not run: `tox -e ujson`"


def test_what_cannot_be_installed_says_what_uv_says() -> None:
    """A group that the project has not is named by uv, and the row repeats it."""
    name = f"py{sys.version_info.major}{sys.version_info.minor}-flask99-bottle013"
    assert re.match("cannot be installed: .*flask99", why_absent(name))


def test_an_examination_that_fails_exits_so(tmp_path: Path) -> None:
    """A part that does not exist is usage, and nothing is left that could be read as a pass."""
    command = [sys.executable, "-m", "matrix.examine", "x", "--out", str(tmp_path / "o"), "--only", "nonsense"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert Examined.read(tmp_path / "o") is None


def _summary(*verdicts: str, complete: bool = True) -> dict[str, Any]:
    row = {"axis": "interpreter", "scenario": "predict@1", "metric": "throughput", "ratio": 1.0, "margin": 0.03}
    return {
        "complete": complete,
        "comparisons": [
            {"axis": "noise", "verdict": "slower"},
            *(row | {"ci95": [0.9, 1.1], "reason": None, "verdict": one} for one in verdicts),
        ],
    }


@pytest.mark.parametrize(
    ("verdicts", "complete", "code"),
    [
        (("equivalent", "faster"), True, OK),
        (("equivalent", "slower"), True, FINDING),
        (("inconclusive", "slower"), True, FINDING),
        (("equivalent", "inconclusive"), True, HARNESS),
        (("invalid",), True, HARNESS),
        ((), True, HARNESS),
        (("equivalent",), False, HARNESS),
    ],
)
def test_a_speed_environment_exits_as_compare_does(verdicts: tuple[str, ...], complete: bool, code: int) -> None:  # noqa: FBT001 - a parameter
    """1 where a cell is slower, else 3 where one is open, none is there or the run is partial, else 0."""
    assert verdict(_summary(*verdicts, complete=complete))[0] == code


def test_the_sides_are_in_the_environments_name() -> None:
    """`speed-flask23-flask31` is Flask 2.3 against 3.1; Bottle's versions are measured on Bottle, others on Flask."""
    assert sides_of("speed-flask23-flask31") == ("flask23", "flask31")
    assert sides_of("python311-python313") == ("python311", "python313")
    assert target_of(("flask23", "flask31")) == target_of(("python311", "python313")) == "flask"
    assert target_of(("bottle012", "bottle013")) == "bottle"
    for wrong in ("speed-flask23", "speed-flask23-cheese", "a-b-c"):
        with pytest.raises(ExpectedError):
            sides_of(wrong)
