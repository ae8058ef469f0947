"""Equality of answers: what is compared, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from broken_apps import TrailingNewline
from contract_app import ContractApp, serving

from conformance.cases import select
from conformance.examination import run_cases
from conformance.fate import Fate
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
