"""The suite against a correct app, and against apps with one known fault each."""

from __future__ import annotations

import pytest
from broken_apps import FAULTS, SERVERS_OWN, CutToLimit, Dies, Fault, GateSkipped, Hangs
from contract_app import REFERENCE, ContractApp, serving

from conformance.cases import CASES, select
from conformance.examination import Examination, run_cases
from conformance.finding import CaseVerdict, Severity
from conformance.http_request import HttpRequest
from servers.server_decisions import HIDDEN

_LONG_BODY = 1_000_000


def _sends_much(request: HttpRequest | None) -> bool:
    return request is not None and len(request.wire("localhost")) > _LONG_BODY


# A body of eight megabytes takes as long as thirty short ones, and only one fault has to do with length.
QUICK = tuple(
    case for case in CASES if not _sends_much(case.request) and not any(_sends_much(each) for each in case.before)
)


def _ids(outcome: Examination, verdict: CaseVerdict) -> set[str]:
    return {finding.case_id for finding in outcome.findings if finding.verdict is verdict}


def test_correct_app_is_all_right() -> None:
    """An app that obeys the contract is right in every case, but for what waitress decides by itself."""
    with serving(ContractApp()) as base_url:
        outcome = run_cases(CASES, base_url, "correct", REFERENCE, hidden=HIDDEN["waitress"])
    assert outcome.passed, [f for f in outcome.findings if f.verdict is CaseVerdict.WRONG]
    assert _ids(outcome, CaseVerdict.SERVERS_OWN) == SERVERS_OWN
    assert _ids(outcome, CaseVerdict.RIGHT) == {case.id for case in CASES} - SERVERS_OWN


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.app.__name__)
def test_fault_turns_exactly_its_cases_red(fault: Fault) -> None:
    """A fault is found in every case that it touches, in no other, and with the severity that it has."""
    cases = CASES if fault.app in (CutToLimit, GateSkipped) else QUICK
    with serving(fault.app()) as base_url:
        outcome = run_cases(cases, base_url, "broken", REFERENCE, hidden=HIDDEN["waitress"])
    red = _ids(outcome, CaseVerdict.WRONG)
    assert red == {case.id for case in cases if fault.red(case)} - SERVERS_OWN
    assert red
    assert not outcome.passed
    assert max(f.severity for f in outcome.findings if f.severity is not None) is fault.severity


def test_hang_is_a_verdict_and_the_next_case_goes_on() -> None:
    """A request that is never answered is wrong after the timeout, and the cases after it are judged as ever."""
    app = Hangs()
    cases = select(ids=("predict-root-array", "predict-number", "predict-root-null"))
    with serving(app) as base_url:
        outcome = run_cases(cases, base_url, "broken", timeout_s=0.3)
        app.over.set()
    found = {finding.case_id: finding for finding in outcome.findings}
    assert found["predict-root-array"].verdict is CaseVerdict.WRONG
    assert "timed out" in found["predict-root-array"].actual
    assert found["predict-number"].verdict is found["predict-root-null"].verdict is CaseVerdict.RIGHT


def test_death_is_charged_to_the_target() -> None:
    """A server that a request takes down is wrong in every later case; that is no fault of the set-up."""
    cases = [case for case in CASES if case.id in ("json-cut", "json-nan", "json-two-values", "predict-number")]
    with serving(Dies()) as base_url:
        outcome = run_cases(cases, base_url, "broken", timeout_s=1.0)
    verdicts = [finding.verdict for finding in outcome.findings]
    died_at = [case.id for case in cases].index("json-nan")
    assert set(verdicts[:died_at]) == {CaseVerdict.RIGHT}
    assert verdicts[-1] is CaseVerdict.WRONG
    assert "connection refused" in outcome.findings[-1].actual
    assert outcome.findings[-1].severity is Severity.SERVER_ERROR
    assert outcome.told
    assert not outcome.passed
