"""The option that takes the public JSONTestSuite: files written here in its naming stand in for its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from contract_app import ContractApp, serving

from bench import main
from commands.fuzz import apps
from conformance.finding import CaseVerdict
from conformance.json_test_suite import SuiteError, suite_cases
from conformance.session import Session
from conformance.wsgi_connection import WsgiConnection
from experiment.errors import FINDING, OK, USAGE

if TYPE_CHECKING:
    from pathlib import Path

    from servers.core.service import Service

FILES = {
    "y_array_of_one.json": b"[1]",
    "y_object_twice.json": b'{"a":1,"a":2}',
    "n_array_open.json": b"[1",
    "n_number_-1.json": b"-01",
    "n_number_1.json": b"01",
    "n_deep.json": b"[" * 100_000,
    "n_bytes.json": b"\xff",
    "i_string_lone_surrogate.json": b'["\\ud800"]',
    "i_number_huge.json": b"[1e9999]",
    "README.json": b"no verdict",
}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    inner = tmp_path / "test_parsing"
    inner.mkdir()
    for name, body in FILES.items():
        (inner / name).write_bytes(body)
    return tmp_path


def _verdicts(folder: Path, served: Service) -> dict[str, CaseVerdict]:
    sessions = [
        Session(base_url="", target=name, connect=partial(WsgiConnection, app), repeat=lambda case_id: [case_id])
        for name, app in apps(served).items()
    ]
    found = {case.id: {session.run(case).verdict for session in sessions} for case in suite_cases(folder)}
    assert all(len(verdicts) == 1 for verdicts in found.values())
    return {name: verdicts.pop() for name, verdicts in found.items()}


def test_each_file_is_a_case_and_right(folder: Path, served: Service) -> None:
    """What must be refused is malformed, what must be accepted is not, and a repeated member is the one exception."""
    verdicts = _verdicts(folder, served)
    assert len(verdicts) == len(FILES) - 1
    assert set(verdicts.values()) == {CaseVerdict.RIGHT}
    assert {"suite-n-number-1", "suite-n-number-1-2"} <= set(verdicts)
    assert suite_cases(folder / "test_parsing") == suite_cases(folder)


def test_a_wrong_verdict_is_wrong(folder: Path, served: Service) -> None:
    """A file whose name says the contrary of what it holds is red."""
    (folder / "test_parsing" / "n_object.json").write_bytes(b"{}")
    (folder / "test_parsing" / "y_open.json").write_bytes(b"[]")
    verdicts = _verdicts(folder, served)
    assert verdicts["suite-n-object"] is CaseVerdict.WRONG
    assert verdicts["suite-y-open"] is CaseVerdict.RIGHT


def test_check_takes_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`bench.py check` judges a server by the files, and a finding's command names the folder."""
    with serving(ContractApp()) as base_url:
        arguments = ["check", "--url", f"mine={base_url}", "--json-test-suite", str(folder)]
        assert main(arguments) == OK
        (folder / "test_parsing" / "n_object.json").write_bytes(b"{}")
        assert main(arguments) == FINDING
        said = capsys.readouterr().out
        assert f"--json-test-suite {folder} --case suite-n-object" in said
        assert main([*arguments, "--case", "suite-y-array-of-one"]) == OK
    assert main(["check", "--json-test-suite", str(folder / "nothing")]) == USAGE
    assert "holds no files of the JSONTestSuite" in capsys.readouterr().err


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    """A folder that is not the suite is told as such."""
    with pytest.raises(SuiteError, match="holds no files"):
        suite_cases(tmp_path)
