"""All cases on one target: whose fault it is, what is counted, and who passes."""

from __future__ import annotations

import socket
from dataclasses import replace

from broken_apps import TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.cases import CASES, select
from conformance.examination import run_cases
from conformance.expect import answered
from conformance.finding import CaseVerdict, Level, Severity

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
