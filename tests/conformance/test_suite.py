"""The suite as a whole: its cases as data, the runner's own faults, JUnit, and the pytest face."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from broken_apps import TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.case import Case, CaseVerdict, Figure, Finding, Level, Severity
from conformance.cases import CASES, select
from conformance.examination import run_cases
from conformance.expect import answered
from conformance.junit import to_junit, write_junit
from conformance.parity import differences
from conformance.recipes import DrawnPicture, build, part_from_json, part_to_json
from conformance.session import Session

ROOT = Path(__file__).parents[2]
PLAIN = next(case for case in CASES if case.id == "predict-number")
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_survives_json(case: Case) -> None:
    """A case is data: it comes back from JSON equal, and asks for the same bytes."""
    again = Case.from_json(json.loads(json.dumps(case.to_json())))
    assert again == case
    if case.request is not None and again.request is not None:
        assert again.request.wire("h") == case.request.wire("h")


def test_cases_load_quickly_and_without_pillow() -> None:
    """The cases draw no picture when they are imported, and no server's library comes with them."""
    code = "import sys, conformance.examination, conformance.cases; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert {"PIL", "numpy", "tensorflow", "flask", "bottle", "servers"}.isdisjoint(done.stdout.split())


def test_part_survives_json() -> None:
    """A recipe comes back from JSON equal, and a picture is drawn the same twice."""
    for part in (DrawnPicture(format="PNG", mode="L"), b"\xff\x00", b"text"):
        assert part_from_json(json.loads(json.dumps(part_to_json(part)))) == part
    assert build(DrawnPicture(format="JPEG")) == build(DrawnPicture(format="JPEG"))


def test_finding_and_figure_survive_json() -> None:
    """A finding and a figure come back from JSON equal."""
    for finding in (_finding(), _finding(severity=None, verdict=CaseVerdict.RIGHT)):
        assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding
    figure = Figure(content_type="image/png", body=b"\x89", expected=7, key="predicted_class")
    assert Figure.from_json(json.loads(json.dumps(figure.to_json()))) == figure


def test_selection_is_by_id_or_endpoint() -> None:
    """Cases are chosen by id, or by endpoint with the service routes; an unknown id is an error."""
    assert [case.id for case in select(ids=["predict-number"])] == ["predict-number"]
    assert {case.endpoint for case in select(endpoints=["classify"])} == {"classify", "service"}
    assert select() == CASES
    with pytest.raises(ValueError, match="no-such-case"):
        select(ids=["no-such-case"])


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


def test_finding_names_the_command_that_repeats_it() -> None:
    """The repeat command names the target, a twin's original, or the URL of a foreign server."""
    url = "http://127.0.0.1:9"
    ours, foreign = "flask+gunicorn+function+cpu", Session(base_url=url, target="mine", foreign=True)
    twin = Session(base_url=url, target=f"{ours}#2")
    assert twin.fault(PLAIN, "x").repeat == f"python bench.py check --targets {ours} --case predict-number"
    assert foreign.fault(PLAIN, "x").repeat == f"python bench.py check --url mine={url} --case predict-number"


def test_outcome_is_a_gate_record() -> None:
    """The journal gets the counts of all findings and the text of those that are not right."""
    with serving(TrailingNewline()) as base_url:
        record = run_cases(select(ids=["predict-number", "routing-options-predict"]), base_url, "t").to_json()
    assert (record["passed"], record["counts"]) == (False, {"right": 1, "wrong": 1})
    assert [each["case"] for each in record["findings"]] == ["predict-number"]
    json.dumps(record)


def test_parity_of_two_apps() -> None:
    """Two apps of which one adds a newline differ in every body; the metadata is left out, as it differs by nature."""
    answers = {}
    for name, app in (("a", ContractApp()), ("b", TrailingNewline())):
        with serving(app) as base_url:
            answers[name] = run_cases(select(ids=["predict-number", "service-metadata"]), base_url, name).answers
    assert [each.case_id for each in differences(answers)] == ["predict-number"]
    assert differences({"a": answers["a"], "again": answers["a"]}) == []


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
