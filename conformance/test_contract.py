"""The suite under pytest: `pytest conformance --base-url http://127.0.0.1:8000`, one test a case."""

from __future__ import annotations

import pytest

from conformance.case import Case
from conformance.cases import CASES
from conformance.finding import CaseVerdict, Level
from conformance.session import Session


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_contract(session: Session, case: Case) -> None:
    """The server obeys the contract in this case."""
    finding = session.run(case)
    said = f"{finding.proves}\n  expected {finding.expected}\n  actual   {finding.actual}\n  {finding.repeat}"
    if finding.verdict is CaseVerdict.SKIPPED:
        pytest.skip(finding.actual)
    if finding.verdict is CaseVerdict.WRONG and finding.level is not Level.MUST:
        pytest.xfail(f"not a must: {said}")
    assert finding.verdict in (CaseVerdict.RIGHT, CaseVerdict.SERVERS_OWN), said
    assert finding.connection is not CaseVerdict.WRONG, f"connection {finding.fate}: {said}"
