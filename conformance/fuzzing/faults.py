"""What a run found: faults by signature, each made as small as it goes, and written as a case that can be kept."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from conformance.case import Case, Expectation
from conformance.contract import CODES
from conformance.documents import document_of
from conformance.fuzzing.judge import Fault
from conformance.fuzzing.oracle import GOOD, lawful
from conformance.http_request import Framing, HttpRequest

_MOST_TRIES: Final = 600

CASES_FILE: Final = "conformance/cases/found_by_fuzzing.jsonl"
"""Where found cases are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFault:
    """The first request with a fault of its signature. `repeat` is the command that asks it again."""

    fault: Fault
    request: HttpRequest
    seed: int
    index: int
    repeat: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """A run so far. `statuses` counts the answers of the first framework, `seen` the requests of each signature."""

    requests: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    found: dict[str, FoundFault] = field(default_factory=dict)

    def add(self, found: FoundFault) -> None:
        """Count a fault; the first of its signature is kept."""
        self.seen[found.fault.signature] += 1
        self.found.setdefault(found.fault.signature, found)

    def merge(self, other: Tally) -> None:
        """Take in another part of the same run; `seconds` stays, for parts may have run side by side."""
        self.requests += other.requests
        self.statuses += other.statuses
        self.seen += other.seen
        self.found = other.found | self.found


def smallest(request: HttpRequest, still: Callable[[HttpRequest], bool]) -> HttpRequest:
    """A smaller request for which `still` holds, found greedily: headers, query, framing, then runs of the body."""
    tries = 0
    shrinking = True
    while shrinking and tries < _MOST_TRIES:
        shrinking = False
        for candidate in _smaller(request):
            tries += 1
            if still(candidate):
                request, shrinking = candidate, True
                break
            if tries >= _MOST_TRIES:
                break
    return request


def _smaller(request: HttpRequest) -> Iterator[HttpRequest]:
    for at in range(len(request.headers)):
        yield replace(request, headers=request.headers[:at] + request.headers[at + 1 :])
    if "?" in request.target:
        yield replace(request, target=request.target.partition("?")[0])
    if request.framing is Framing.CHUNKED:
        yield replace(request, framing=Framing.LENGTH)
    body = request.body
    if not isinstance(body, bytes) or request.declared_length is not None:
        return
    run = len(body)
    while run:
        for at in range(0, len(body), run):
            yield replace(request, body=body[:at] + body[at + run :])
        run //= 2


def as_case(found: FoundFault) -> Case:
    """The fault as a named case. What it expects is what the contract lets it be answered, for a person to narrow."""
    words = re.findall(r"[a-z0-9]+", found.fault.signature.lower())
    digest = sha256(json.dumps(document_of(found.request), sort_keys=True).encode()).hexdigest()[:6]
    path = found.request.target.partition("?")[0].removeprefix("/")
    return Case(
        id="-".join(["found", *words[:6], digest]),
        proves=f"A generated request, number {found.index} of seed {found.seed}, gets a lawful answer.",
        clause="docs/contract.md#answers",
        endpoint=path if path in ("predict", "advanced_predict", "classify") else "service",
        request=found.request,
        expects=_expects(found.request),
        server_may_refuse=True,
    )


def _expects(request: HttpRequest) -> Expectation:
    expects: Expectation | None = None
    for code in sorted(lawful(request)):
        if code == GOOD:
            expects = Expectation(status=204 if request.method == "OPTIONS" else 200, or_else=expects)
        else:
            # The body of an answer to HEAD cannot be seen.
            expects = Expectation(status=CODES[code], code=None if request.method == "HEAD" else code, or_else=expects)
    assert expects is not None  # noqa: S101 - something is always lawful
    return expects


def write_cases(found: list[FoundFault], folder: Path) -> Path:
    """One case a line, ready to be appended to the suite's own file; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "found.jsonl"
    path.write_text("".join(json.dumps(document_of(as_case(each))) + "\n" for each in found), encoding="utf-8")
    return path
