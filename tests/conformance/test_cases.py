"""The cases as a whole: quick to load, and chosen by id or endpoint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cases import CASES, select

ROOT = Path(__file__).parents[2]


def test_cases_load_quickly_and_without_pillow() -> None:
    """The cases draw no picture when they are imported, and no server's library comes with them."""
    code = "import sys, conformance.examination, conformance.cases; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert {"PIL", "numpy", "tensorflow", "flask", "bottle", "servers"}.isdisjoint(done.stdout.split())


def test_selection_is_by_id_or_endpoint() -> None:
    """Cases are chosen by id, or by endpoint with the service routes; an unknown id is an error."""
    assert [case.id for case in select(ids=["predict-number"])] == ["predict-number"]
    assert {case.endpoint for case in select(endpoints=["classify"])} == {"classify", "service"}
    assert select() == CASES
    with pytest.raises(ValueError, match="no-such-case"):
        select(ids=["no-such-case"])
