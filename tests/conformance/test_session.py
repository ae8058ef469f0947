"""One case on one target: the command that repeats it, what a server hides, and the connection's own verdict."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from broken_apps import AnswersSwapped, TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.case import Case
from conformance.cases import CASES, select
from conformance.crowd import is_stuck
from conformance.examination import run_cases
from conformance.expect import PREDICT
from conformance.fate import Fate
from conformance.finding import CaseVerdict
from conformance.junit import to_junit
from conformance.session import Session

PLAIN = next(case for case in CASES if case.id == "predict-number")


def test_finding_names_the_command_that_repeats_it() -> None:
    """The repeat command names the target, a twin's original, or the URL of a foreign server."""
    url = "http://127.0.0.1:9"
    ours, foreign = "flask+gunicorn+function+cpu", Session(base_url=url, target="mine", foreign=True)
    twin = Session(base_url=url, target=f"{ours}#2")
    assert twin.fault(PLAIN, "x").repeat == f"python3 bench.py check --targets {ours} --case predict-number"
    assert foreign.fault(PLAIN, "x").repeat == f"python3 bench.py check --url mine={url} --case predict-number"


def test_what_a_server_hides_is_its_own_and_says_so() -> None:
    """A case that the server is known to decide is the server's own with the evidence; right, it stays right."""
    with serving(TrailingNewline()) as base_url:
        hidden = {PLAIN.id: "the server adds a line feed"}
        (finding,) = run_cases([PLAIN], base_url, "t", hidden=hidden).findings
        (other,) = run_cases([PLAIN], base_url, "t", hidden={"json-nan": "x"}).findings
    assert finding.verdict is CaseVerdict.SERVERS_OWN
    assert "the server adds a line feed; so the application answers 200" in finding.actual
    assert other.verdict is CaseVerdict.WRONG


def test_a_wrong_connection_fails_a_right_answer() -> None:
    """A right answer on a connection that goes the wrong way is a failure, in the gate and in JUnit."""
    asked: Case = replace(PLAIN, connection=Fate.CLOSED)
    with serving(ContractApp()) as base_url:
        outcome = run_cases([asked], base_url, "t")
    (finding,) = outcome.findings
    assert (finding.verdict, finding.connection, finding.fate) == (CaseVerdict.RIGHT, CaseVerdict.WRONG, "kept")
    assert not outcome.passed
    assert 'failures="1"' in to_junit(outcome.findings)
    assert outcome.record(block=0, target="t").findings == (finding,)


def test_swapped_answers_are_silent_alone() -> None:
    """State shared between threads is right one request at a time: only requests at once find it."""
    cases = [
        case for case in CASES if case.endpoint == "predict" and not case.beside and case.id.startswith("predict-")
    ]
    with serving(AnswersSwapped()) as base_url:
        assert run_cases(cases, base_url, "t", REFERENCE).passed


NUMBER = select(ids=["predict-number"])[0]


class _LeavesALockHeld(ContractApp):
    """What TensorFlow's own lock does: the thread that failed holds it, and only that thread goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.over = False

    def predict(self, row: list[float]) -> Any:
        while not self.lock.acquire(timeout=0.05):
            if self.over:
                raise RuntimeError("over")
        if row == [24.0]:
            raise RuntimeError("the lock stays held")
        self.lock.release()
        return super().predict(row)


def test_a_lock_left_held_is_seen_on_another_thread() -> None:
    """After a request that leaves a lock held, the target is stuck; before it, it is not."""
    app = _LeavesALockHeld()
    with serving(app) as base_url:
        assert not is_stuck(base_url, PREDICT, timeout_s=1.0)
        bad = replace(NUMBER, request=replace(PREDICT, body=b'{"feature":24.0}'))
        Session(base_url=base_url, target="t").run(bad)
        assert is_stuck(base_url, PREDICT, timeout_s=0.5)
        app.over = True
