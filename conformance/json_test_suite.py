"""The public JSONTestSuite (Nicolas Seriot, "Parsing JSON is a Minefield") as cases: each file is a body of `/predict`.

The files are not part of this repository; a folder of them is read. The first letter of a file's name is its verdict:
`y_` must be accepted by a parser, `n_` must be refused, `i_` is left to it. None of them holds the members that the
endpoint wants, so what a parser accepts ends as `invalid_input`, and what it refuses as `malformed_json`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

from conformance.case import Case, Expectation
from conformance.expect import post, refused

_VERDICT: Final = re.compile(r"[yni]_.*\.json\Z")
_INNER_FOLDER: Final = "test_parsing"

_ACCEPTED: Final = refused("invalid_input")
_REFUSED: Final = refused("malformed_json")
_EITHER: Final = Expectation(status=400, code="invalid_input", or_else=_REFUSED)
_CLAIMS: Final = {
    "y": ("A text that every parser accepts is JSON", _ACCEPTED),
    "n": ("A text that no parser accepts is malformed", _REFUSED),
    "i": ("A text that parsers may accept or refuse is answered", _EITHER),
}


class SuiteError(ValueError):
    """The folder holds no such files; the message names it."""


def suite_cases(folder: Path) -> tuple[Case, ...]:
    """One case a file of `folder`, or of the folder `test_parsing` in it, by name. Raises SuiteError."""
    inner = folder / _INNER_FOLDER
    files = sorted(path for path in (inner if inner.is_dir() else folder).glob("*.json") if _VERDICT.match(path.name))
    if not files:
        raise SuiteError(f"{folder} holds no files of the JSONTestSuite (y_*.json, n_*.json, i_*.json)")
    taken: Counter[str] = Counter()
    return tuple(_case(path, taken) for path in files)


def _case(path: Path, taken: Counter[str]) -> Case:
    body = path.read_bytes()
    claim, expects = _CLAIMS[path.name[0]]
    if path.name[0] == "y" and _repeats_a_member(body):
        # Grammar allows it; RFC 8259 section 4 calls the outcome unpredictable, and the contract refuses it.
        expects = _REFUSED
    name = "-".join(["suite", *re.findall(r"[a-z0-9]+", path.stem.lower())])
    taken[name] += 1
    return Case(
        id=name if taken[name] == 1 else f"{name}-{taken[name]}",
        proves=f"{claim} ({path.name}).",
        clause="docs/contract.md#json-in",
        endpoint="predict",
        request=post("/predict", body),
        expects=expects,
    )


def _repeats_a_member(body: bytes) -> bool:
    repeated: list[bool] = []

    def members(pairs: list[tuple[str, Any]]) -> None:
        repeated.append(len(dict(pairs)) < len(pairs))

    json.loads(body, object_pairs_hook=members)
    return any(repeated)
