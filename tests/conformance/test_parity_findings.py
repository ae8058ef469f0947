"""Findings held against each other: which of two unlike targets is right."""

from __future__ import annotations

import numpy as np
from broken_apps import TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.cases import select
from conformance.examination import Examination, held_against, run_cases
from conformance.finding import CaseVerdict

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
