"""The cases as a whole: quick to load, and chosen by id or endpoint."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from case_style import anchor, clauses_of_the_contract, faults

from conformance import contract
from conformance.cases import CASES, select
from servers.core.endpoints import ENDPOINTS
from servers.core.openapi_document import document

ROOT = Path(__file__).parents[2]


def test_cases_load_quickly_and_without_pillow() -> None:
    """The cases draw no picture when they are imported, and no server's library comes with them."""
    code = "import sys, conformance.examination, conformance.cases; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert {"PIL", "numpy", "tensorflow", "flask", "bottle", "servers"}.isdisjoint(done.stdout.split())


def test_selection_is_by_id_or_endpoint() -> None:
    """Cases are chosen by id, or by endpoint with the service routes; an unknown id is an error."""
    assert [case.id for case in select(ids=["predict-number"])] == ["predict-number"]
    assert {case.endpoint for case in select(endpoints=["classify"])} == {"classify", "service"}
    assert select() == CASES
    with pytest.raises(ValueError, match="no-such-case"):
        select(ids=["no-such-case"])


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


TEXT = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
CITED = re.compile(r"contract\.md#([\w-]+)")
ANCHORS = {clause.partition("#")[2] for clause in clauses_of_the_contract()}


@pytest.mark.parametrize(
    "figure",
    [
        f"{contract.BODY_LIMIT_BYTES:,} bytes".replace(",", " "),
        f"| {contract.JSON_DEPTH}, the outermost counted |",
        f"| {contract.IMAGE_SIDE_PX} pixels |",
        f"| {contract.MAX_ROWS}, and at least 1 |",
        f"`{contract.POST_ALLOW}`",
        f"`{contract.GET_ALLOW}`",
        f"`{contract.PREDICT_ACCEPT}`",
        f"`{contract.CLASSIFY_ACCEPT}`",
    ],
)
def test_page_and_suite_have_the_same_limits(figure: str) -> None:
    """Each limit and each header value that cases restate stands on the page as it is."""
    assert figure in TEXT


def test_page_and_suite_have_the_same_routes_and_codes() -> None:
    """The tables of routes and of errors have a row for each, and no other."""
    rows = re.findall(r"^\| (\d{3}) \| `([a-z_]+)` \|", TEXT, re.MULTILINE)
    assert {code: int(status) for status, code in rows} == contract.CODES
    routes = set(re.findall(r"^\| `((?:GET|POST) /[a-z_.]+)` \|", TEXT, re.MULTILINE))
    assert routes >= {f"POST {path}" for path in contract.POST_PATHS} | {f"GET {path}" for path in contract.GET_PATHS}


def test_links_within_the_page_lead_to_headings() -> None:
    """A link to a part of the page names a heading that is there."""
    named = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert named
    assert named <= ANCHORS


def test_the_openapi_document_names_headings() -> None:
    """Every operation that does work, the document and its errors say which heading they implement."""
    told = document(ENDPOINTS)
    texts = [told["info"]["description"], told["components"]["responses"]["Error"]["description"]]
    texts += [told["paths"][each.path][each.method.lower()]["description"] for each in ENDPOINTS]
    assert {one for text in texts for one in CITED.findall(text)} <= ANCHORS
    assert all(CITED.search(text) for text in texts)


@pytest.mark.parametrize("folder", ["conformance", "tests/support"])
def test_what_the_code_cites_is_a_heading(folder: str) -> None:
    """Each heading that the suite, the oracle and the app written apart cite is on the page."""
    cited = {one for path in (ROOT / folder).rglob("*.py") for one in CITED.findall(path.read_text(encoding="utf-8"))}
    assert cited
    assert cited <= ANCHORS
