"""What every case must be like, so that three hundred of them read as one text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from conformance.case import Case, Expectation
from conformance.contract import CODES
from conformance.shapes import PREDICTION_KEYS, SHAPES

_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+\Z")
_OPENING: Final = re.compile(r"(?:A|An|The|Every|Each|No|Two|HEAD|OPTIONS) ")
_WEAK: Final = re.compile(
    r"\b(?:should|must be able|tests? that|checks? that|verif(?:y|ies)|ensures?)\b", re.IGNORECASE
)
_CLAUSE: Final = re.compile(r"RFC [1-9][0-9]* section [1-9][0-9]*(?:\.[0-9]+)*\Z|PEP 3333\Z")
_PAGE: Final = "docs/contract.md"
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


def faults(cases: Iterable[Case]) -> list[str]:
    """One line for each breach, the case's id first."""
    listed = list(cases)
    found = [f"{case.id}: {fault}" for case in listed for fault in _of_case(case)]
    ids = Counter(case.id for case in listed)
    claims = Counter((case.endpoint, case.proves, case.id.partition("-")[0]) for case in listed)
    found += [f"{name}: the id is taken {count} times" for name, count in ids.items() if count > 1]
    found += [f"{claim}: the same claim {count} times" for (_, claim, _), count in claims.items() if count > 1]
    return found


def _of_case(case: Case) -> Iterator[str]:
    if _ID.match(case.id) is None:
        yield "the id is not kebab-case"
    if _OPENING.match(case.proves) is None:
        yield f"the claim does not open with a noun phrase: {case.proves}"
    if not case.proves.endswith(".") or "\n" in case.proves or ". " in case.proves:
        yield "the claim is not one sentence"
    if _WEAK.search(case.proves):
        yield "the claim speaks of duty or of testing instead of stating"
    if _CLAUSE.match(case.clause) is None and case.clause not in clauses_of_the_contract():
        yield f"the clause is no section of an RFC, PEP 3333 or heading of {_PAGE}: {case.clause!r}"
    yield from _of_expectation(case.expects)
    if case.request is None and case.expects.shape not in PREDICTION_KEYS:
        yield "reference figures need a shape that holds a prediction"
    if case.request is None and case.expects.same_as is not None:
        yield "reference figures cannot be compared with one plain request"


def _of_expectation(expects: Expectation) -> Iterator[str]:
    if expects.shape is not None and expects.shape not in SHAPES:
        yield f"no such shape: {expects.shape}"
    if expects.code is not None and CODES.get(expects.code) != expects.status:
        yield f"{expects.code} is not a code of status {expects.status}"
    if expects.pointer is not None and expects.code != "invalid_input":
        yield "a pointer without invalid_input"
    if expects.or_else is not None:
        yield from _of_expectation(expects.or_else)


@cache
def clauses_of_the_contract() -> frozenset[str]:
    """Every heading of the page, by its address from the root of the repository."""
    page = Path(__file__).resolve().parents[2] / _PAGE
    return frozenset(f"{_PAGE}#{anchor(title)}" for title in _HEADING.findall(page.read_text(encoding="utf-8")))


def anchor(title: str) -> str:
    """What a heading is called in a link, as renderers of Markdown make it: small letters, dashes, no other signs."""
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
