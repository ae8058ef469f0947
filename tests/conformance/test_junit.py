"""Findings as JUnit XML."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from broken_apps import TrailingNewline
from contract_app import serving
from msgspec.structs import replace

from conformance.finding import CaseVerdict, Finding, Level, Severity
from conformance.junit import to_junit, write_junit

HOSTILE_TEXT = "\x00\x1b <&> \ud800"


def _finding(**fields: Any) -> Finding:
    made = Finding(
        case_id="a-b",
        target="t",
        verdict=CaseVerdict.WRONG,
        level=Level.MUST,
        severity=Severity.WRONG_2XX,
        proves="A claim.",
        clause="c",
        expected="e",
        actual="a",
        repeat="r",
    )
    return replace(made, **fields)


def test_junit_counts_and_survives_hostile_text(tmp_path: Path) -> None:
    """JUnit tells failures from errors and skips, and what XML cannot hold does not break it."""
    findings = [_finding(verdict=verdict, actual=HOSTILE_TEXT) for verdict in CaseVerdict]
    path = tmp_path / "conformance.xml"
    write_junit([*findings, _finding(target="u", verdict=CaseVerdict.RIGHT)], path)
    first, second = ET.parse(path).getroot()  # noqa: S314 - it has just been written here
    assert {name: first.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "2",
        "errors": "2",
        "skipped": "1",
    }
    assert (second.get("name"), second.get("failures")) == ("u", "0")
    assert to_junit([]).startswith("<?xml")


ROOT = Path(__file__).parents[2]


def _face(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "conformance", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout


def test_pytest_face_needs_a_server() -> None:
    """Under pytest without a URL every case is skipped, with a line that says how to name one."""
    said = _face()
    assert "--base-url http://127.0.0.1:8000" in said
    assert "skipped" in said
    assert "passed" not in said


def test_pytest_face_examines_a_server() -> None:
    """Under pytest with a URL each case is a test that passes or fails by its finding."""
    with serving(TrailingNewline()) as base_url:
        said = _face("--base-url", base_url, "-k", "predict-number or routing-options-predict")
    assert "1 failed, 1 passed" in said
    assert "white space around the value" in said
