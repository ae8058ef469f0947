"""The suite under pytest, against a server that a URL names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from broken_apps import TrailingNewline
from contract_app import serving

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
