"""The page of the contract says the figures that the suite restates, and every link within it leads to a heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance import contract
from conformance.lint import clauses_of_the_contract
from servers.core.endpoints import ENDPOINTS
from servers.core.openapi_document import document

ROOT = Path(__file__).parents[2]
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
