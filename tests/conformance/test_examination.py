"""All cases on one target: whose fault it is, what is counted, who passes; and on apps with one known fault each."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from broken_apps import FAULTS, SERVERS_OWN, CutToLimit, Dies, Fault, GateSkipped, Hangs, TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.cases import CASES, select
from conformance.examination import Examination, run_cases
from conformance.expect import answered
from conformance.finding import CaseVerdict, Level, Severity
from conformance.http_request import HttpRequest
from servers.server_decisions import HIDDEN

PLAIN = next(case for case in CASES if case.id == "predict-number")


def test_nobody_listening_is_a_setup_fault() -> None:
    """Where nobody listens at the start, the set-up is at fault once, and nothing is said of the target."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = run_cases(CASES[:3], f"http://127.0.0.1:{port}", "t")
    assert [each.verdict for each in outcome.findings] == [
        CaseVerdict.SETUP_FAULT,
        CaseVerdict.SKIPPED,
        CaseVerdict.SKIPPED,
    ]
    assert not outcome.told
    assert not outcome.passed


def test_own_exception_is_a_harness_fault() -> None:
    """An exception in the suite's own code is the suite's fault, with its traceback, and never a wrong answer."""
    broken = replace(PLAIN, expects=replace(answered("/predict"), shape="no-such-shape"))
    with serving(ContractApp()) as base_url:
        outcome = run_cases([broken, PLAIN], base_url, "t")
    assert [each.verdict for each in outcome.findings] == [CaseVerdict.HARNESS_FAULT, CaseVerdict.RIGHT]
    assert "KeyError" in outcome.findings[0].actual
    assert not outcome.told


def test_spent_budget_is_a_harness_fault() -> None:
    """A suite that runs out of time says that it could not tell."""
    with serving(ContractApp()) as base_url:
        outcome = run_cases([PLAIN], base_url, "t", budget_s=-1)
    assert outcome.findings[0].verdict is CaseVerdict.HARNESS_FAULT
    assert not outcome.passed


def test_missing_figures_are_skipped() -> None:
    """Without reference figures their cases are skipped, and the rest decides."""
    with serving(ContractApp()) as base_url:
        outcome = run_cases([*select(ids=["predict-figures"]), PLAIN], base_url, "t")
    assert outcome.counts == {"right": 1, "skipped": 1}
    assert outcome.passed


def test_unjudged_target_is_observed() -> None:
    """A target that is not judged is never wrong: what it does is observed, with its severity."""
    with serving(TrailingNewline()) as base_url:
        outcome = run_cases(CASES[:20], base_url, "t", REFERENCE, judged=False)
    assert set(outcome.counts) == {"observed"}
    assert outcome.findings[0].severity is Severity.BYTES_ONLY
    assert outcome.passed


def test_only_a_must_fails_the_gate() -> None:
    """A broken SHOULD is found, and lets the target pass."""
    must = select(ids=["predict-number"])[0]
    with serving(TrailingNewline()) as base_url:
        should = run_cases([replace(must, level=Level.SHOULD)], base_url, "t")
        assert run_cases([must], base_url, "t").passed is False
    assert should.counts == {"wrong": 1}
    assert should.passed


def test_examination_is_a_gate_record() -> None:
    """The journal gets the counts of all findings and the text of those that are not right."""
    with serving(TrailingNewline()) as base_url:
        seen = run_cases(select(ids=["predict-number", "routing-options-predict"]), base_url, "t")
    record = seen.record(block=2, target="t")
    assert (record.block, record.target, record.passed, record.counts) == (2, "t", False, {"right": 1, "wrong": 1})
    assert [each.case_id for each in record.findings] == ["predict-number"]


def test_topics_count_what_the_matrix_shows() -> None:
    """Findings are counted by the topic that their ids begin with."""
    with serving(ContractApp()) as base_url:
        outcome = run_cases(select(ids=["predict-number", "json-nan", "json-cut"]), base_url, "t")
    assert outcome.topics == {"json": {"right": 2}, "predict": {"right": 1}}


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
