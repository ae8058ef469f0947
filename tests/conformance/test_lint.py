"""The lint of the cases: every rule finds what breaks it, and the cases break none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.cases import CASES
from conformance.lint import anchor, faults

PLAIN = next(case for case in CASES if case.id == "predict-number")


def test_cases_read_as_one_text() -> None:
    """Every case has an id of its own, a claim in the one voice, a clause, and a code of its status."""
    assert faults(CASES) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": "Bad_Id"}, "kebab"),
        ({"proves": "Tests that it works."}, "noun phrase"),
        ({"proves": "A server should answer."}, "duty"),
        ({"proves": "A server answers"}, "sentence"),
        ({"proves": "A server answers. It is good."}, "sentence"),
        ({"clause": " "}, "clause"),
        ({"clause": "design 3"}, "clause"),
        ({"clause": "RFC 8259"}, "clause"),
        ({"clause": "docs/contract.md"}, "clause"),
        ({"clause": "docs/contract.md#no-such-heading"}, "clause"),
        ({"expects": replace(PLAIN.expects, shape="heap")}, "shape"),
        ({"expects": replace(PLAIN.expects, code="not_found")}, "status"),
        ({"expects": replace(PLAIN.expects, pointer="/x")}, "pointer"),
    ],
)
def test_lint_finds_each_breach(change: dict[str, Any], fault: str) -> None:
    """Each rule of the lint finds what breaks it."""
    assert any(fault in line for line in faults([replace(PLAIN, **change)]))


@pytest.mark.parametrize("clause", ["RFC 9110 section 15.5.6", "PEP 3333", "docs/contract.md#number-format"])
def test_a_clause_that_can_be_looked_up_is_none(clause: str) -> None:
    """A section of an RFC, PEP 3333 and a heading of the contract are clauses."""
    assert faults([replace(PLAIN, clause=clause)]) == []


def test_headings_are_called_as_links_call_them() -> None:
    """Small letters, dashes for spaces, and no other sign but the underscore."""
    assert anchor("`POST /advanced_predict`") == "post-advanced_predict"
    assert anchor("Nothing is echoed") == "nothing-is-echoed"


def test_lint_finds_what_is_there_twice() -> None:
    """An id or a claim that is there twice is found."""
    assert any("taken 2 times" in line for line in faults([PLAIN, PLAIN]))
    assert any("same claim" in line for line in faults([PLAIN, replace(PLAIN, id="predict-again")]))
