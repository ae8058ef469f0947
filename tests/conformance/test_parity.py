"""Equality of answers: what is compared, what is left out, and which of two unlike targets is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from broken_apps import TrailingNewline
from contract_app import REFERENCE, ContractApp, serving

from conformance.cases import select
from conformance.examination import Examination, held_against, run_cases
from conformance.fate import Fate
from conformance.finding import CaseVerdict
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.parity import answer_detail, differences


def _answer(status: int, body: bytes, **headers: str) -> HttpAnswer:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=tuple(pairs.items()), body=body, keep_alive=True)


def _seen(answer: HttpAnswer | None, fate: Fate = Fate.KEPT, **fields: object) -> HttpExchange:
    answers = () if answer is None else (answer,)
    return replace(HttpExchange(answers=answers, fate=fate), **fields)  # type: ignore[arg-type]


GOOD = _answer(200, b'{"prediction":1.5}')


def test_parity_leaves_out_the_connection() -> None:
    """Answers that differ in date, server, connection headers or the case of header names are alike."""
    one = _answer(200, b"{}", Date="a", Server="x", Connection="keep-alive", Keep_Alive="5")
    other = replace(GOOD, body=b"{}", headers=(("content-length", "2"), ("content-type", "application/json")))
    assert answer_detail(one, other, ("a", "b")) is None


@pytest.mark.parametrize(
    "other",
    [_answer(201, b"{}"), _answer(200, b"[]"), _answer(200, b"{}", X_More="1"), _answer(200, b"{}", Content_Type="x")],
)
def test_parity_finds_each_difference(other: HttpAnswer) -> None:
    """A status, a header, its value, or a byte of the body makes two answers differ."""
    assert answer_detail(_answer(200, b"{}"), other, ("a", "b")) is not None


def test_differences_are_against_the_first_target() -> None:
    """Every target is held against the first, case by case; a case that one did not run makes no difference."""
    alike, odd, silent = (_seen(GOOD),), (_seen(_answer(500, b"{}")),), (_seen(None, Fate.CLOSED),)
    found = differences({"a": {"x": alike, "y": alike, "z": alike}, "b": {"x": alike, "y": odd}, "c": {"z": silent}})
    assert [(each.case_id, each.baseline, each.target) for each in found] == [("y", "a", "b"), ("z", "a", "c")]
    assert "500" in found[0].detail


def test_parity_of_two_apps() -> None:
    """Two apps of which one adds a newline differ in every body; the metadata is left out, as it differs by nature."""
    answers = {}
    for name, app in (("a", ContractApp()), ("b", TrailingNewline())):
        with serving(app) as base_url:
            answers[name] = run_cases(select(ids=["predict-number", "service-metadata"]), base_url, name).answers
    assert [each.case_id for each in differences(answers)] == ["predict-number"]
    assert differences({"a": answers["a"], "again": answers["a"]}) == []


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


@pytest.mark.parametrize(
    ("body", "within", "alike"),
    [
        (b'{"outputs":[1.5000011,"a"]}', 1e-5, True),
        (b'{"outputs":[1.5000011,"a"]}', 0.0, False),
        (b'{"outputs":[1.6,"a"]}', 1e-5, False),
        (b'{"outputs":[1.5,"b"]}', 1e-5, False),
        (b'{"outputs":[1.5,"a",1]}', 1e-5, False),
        (b'{"predictions":[1.5,"a"]}', 1e-5, False),
        (b'{"outputs":[1.5,"a"', 1e-5, False),
    ],
)
def test_numbers_of_a_model_that_differs_from_call_to_call_are_held_to_that(
    body: bytes, within: float, *, alike: bool
) -> None:
    """Within what was measured of the model, and nowhere else: not in text, in names or in how many there are."""
    detail = answer_detail(_answer(200, b'{"outputs":[1.5,"a"]}'), _answer(200, body), ("a", "b"), within=within)
    assert (detail is None) is alike
