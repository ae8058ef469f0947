"""The verdicts beyond right and wrong: divergence, the server's own, and the connection's fate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from broken_apps import AnswersSwapped, TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.case import Case, CaseVerdict
from conformance.cases import CASES, select
from conformance.connection_verdict import connection_is_right
from conformance.examination import Examination, run_cases
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.junit import to_junit
from conformance.parity_findings import held_against

NUMBER, LARGEST = select(ids=["predict-number", "predict-largest-float32"])


class _Clipped(ContractApp):
    """Answers an overflow with the largest float32: as lawful as refusing it."""

    def predict(self, row: list[float]) -> np.float32:
        return np.minimum(super().predict(row), np.finfo(np.float32).max)


def _outcomes(**apps: ContractApp) -> dict[str, Examination]:
    found = {}
    for name, app in apps.items():
        with serving(app) as base_url:
            found[name] = run_cases([NUMBER, LARGEST], base_url, name, REFERENCE)
    return found


def test_two_lawful_answers_diverge() -> None:
    """Where each of two targets is right and they are unlike, the second diverges, and that breaks a must."""
    held, differences = held_against(_outcomes(a=ContractApp(), b=_Clipped()))
    assert [one.case_id for one in differences] == [LARGEST.id]
    found = {finding.case_id: finding for finding in held["b"].findings}
    assert found[NUMBER.id].verdict is CaseVerdict.RIGHT
    assert found[LARGEST.id].verdict is CaseVerdict.DIVERGES
    assert "both are lawful" in found[LARGEST.id].actual
    assert found[LARGEST.id].repeat.endswith(f"--case {LARGEST.id}")
    assert held["a"].passed
    assert not held["b"].passed


def test_a_wrong_answer_stays_wrong_and_names_who_is_right() -> None:
    """Where one of two unlike targets is wrong, the finding says which one is right."""
    held, _ = held_against(_outcomes(a=ContractApp(), b=TrailingNewline()))
    wrong = held["b"].findings[0]
    assert (wrong.case_id, wrong.verdict) == (NUMBER.id, CaseVerdict.WRONG)
    assert wrong.actual.endswith("a is right")
    turned, _ = held_against(_outcomes(b=TrailingNewline(), a=ContractApp()))
    assert turned["a"].findings[0].verdict is CaseVerdict.DIVERGES
    assert turned["a"].findings[0].actual.endswith("a is right")


def test_targets_that_are_alike_do_not_diverge() -> None:
    """Equal targets have no divergence, and neither has a target alone."""
    outcomes = _outcomes(a=ContractApp(), b=ContractApp())
    assert held_against(outcomes) == (outcomes, [])
    assert held_against({"a": outcomes["a"]})[1] == []


def test_what_a_server_hides_is_its_own_and_says_so() -> None:
    """A case that the server is known to decide is the server's own with the evidence; right, it stays right."""
    with serving(TrailingNewline()) as base_url:
        hidden = {NUMBER.id: "the server adds a line feed"}
        (finding,) = run_cases([NUMBER], base_url, "t", hidden=hidden).findings
        (other,) = run_cases([NUMBER], base_url, "t", hidden={"json-nan": "x"}).findings
    assert finding.verdict is CaseVerdict.SERVERS_OWN
    assert "the server adds a line feed; so the application answers 200" in finding.actual
    assert other.verdict is CaseVerdict.WRONG


def _exchange(fate: Fate, *, keep_alive: bool = True, **fields: Any) -> HttpExchange:
    answer = HttpAnswer(status=200, headers=(), body=b"", keep_alive=keep_alive)
    return replace(HttpExchange(answers=(answer,), fate=fate), **fields)


@pytest.mark.parametrize(
    ("wanted", "seen", "right"),
    [
        (None, _exchange(Fate.KEPT), True),
        (None, _exchange(Fate.CLOSED, keep_alive=False), True),
        (None, _exchange(Fate.CLOSED), False),
        (None, _exchange(Fate.RESET), False),
        (None, _exchange(Fate.RESET, sent_all=False), True),
        (Fate.KEPT, _exchange(Fate.KEPT), True),
        (Fate.KEPT, _exchange(Fate.CLOSED, keep_alive=False), False),
        (Fate.KEPT, HttpExchange(answers=(), fate=Fate.KEPT), False),
        (Fate.CLOSED, _exchange(Fate.CLOSED), True),
        (Fate.CLOSED, _exchange(Fate.KEPT, keep_alive=False), True),
        (Fate.CLOSED, _exchange(Fate.KEPT), False),
    ],
)
def test_the_connection_has_a_verdict_of_its_own(wanted: Fate | None, seen: HttpExchange, *, right: bool) -> None:
    """Kept where it must be kept, closed where it must be closed, and else as announced."""
    assert connection_is_right(replace(NUMBER, connection=wanted), seen) is right


def test_a_wrong_connection_fails_a_right_answer() -> None:
    """A right answer on a connection that goes the wrong way is a failure, in the gate and in JUnit."""
    asked: Case = replace(NUMBER, connection=Fate.CLOSED)
    with serving(ContractApp()) as base_url:
        outcome = run_cases([asked], base_url, "t")
    (finding,) = outcome.findings
    assert (finding.verdict, finding.connection, finding.fate) == (CaseVerdict.RIGHT, CaseVerdict.WRONG, "kept")
    assert not outcome.passed
    assert 'failures="1"' in to_junit(outcome.findings)
    assert outcome.to_json()["findings"][0]["connection"] == "wrong"


def test_swapped_answers_are_silent_alone() -> None:
    """State shared between threads is right one request at a time: only requests at once find it."""
    cases = [
        case for case in CASES if case.endpoint == "predict" and not case.beside and case.id.startswith("predict-")
    ]
    with serving(AnswersSwapped()) as base_url:
        assert run_cases(cases, base_url, "t", REFERENCE).passed


def test_topics_count_what_the_matrix_shows() -> None:
    """Findings are counted by the topic that their ids begin with."""
    with serving(ContractApp()) as base_url:
        outcome = run_cases(select(ids=["predict-number", "json-nan", "json-cut"]), base_url, "t")
    assert outcome.topics == {"json": {"right": 2}, "predict": {"right": 1}}
