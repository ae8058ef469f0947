"""Cases as JSON documents: they come back equal, and their bytes stay readable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from conformance.case import Case, Figure
from conformance.cases import CASES
from conformance.documents import FiguresError, case_of, document_of, read_figures
from conformance.expect import post
from conformance.recipes import DrawnPicture, Truncated, build

PLAIN = next(case for case in CASES if case.id == "predict-number")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case_survives_json(case: Case) -> None:
    """A case is data: it comes back from JSON equal, and asks for the same bytes."""
    again = case_of(json.loads(json.dumps(document_of(case))))
    assert again == case
    if case.request is not None and again.request is not None:
        assert again.request.wire("h") == case.request.wire("h")


def test_bytes_stay_readable_in_a_document() -> None:
    """ASCII is text, other bytes are base64, and a recipe says which it is; all come back equal."""
    for body, written in (
        (b"text", {"text": "text"}),
        (b"\xff\x00", {"base64": "/wA="}),
        (Truncated(of=b"abc", keep_bytes=2), {"recipe": "Truncated", "of": {"text": "abc"}, "keep_bytes": 2}),
    ):
        case = replace(PLAIN, request=post("/predict", body))
        document = json.loads(json.dumps(document_of(case)))
        assert document["request"]["body"] == written
        assert case_of(document) == case


def test_a_document_that_is_no_case_is_refused() -> None:
    """A member of another type, and a recipe that does not exist, are errors that name the place."""
    document = document_of(PLAIN)
    for changed in ({**document, "level": "sometimes"}, {**document, "request": {"body": {"recipe": "Stew"}}}):
        with pytest.raises(msgspec.ValidationError, match=r"\$\."):
            case_of(changed)


def test_figures_are_read_from_a_file(tmp_path: Path) -> None:
    """A figure's body is text or base64; what it expects stays as it is, even where it looks like a body."""
    path = tmp_path / "figures.json"
    row = {"content_type": "image/png", "body": {"base64": "iQ=="}, "expected": {"text": "x"}, "key": "outputs"}
    path.write_text(json.dumps({"classify": [{**row, "tolerance": 0.5}]}), encoding="utf-8")
    figure = Figure(content_type="image/png", body=b"\x89", expected={"text": "x"}, key="outputs", tolerance=0.5)
    assert read_figures(path) == {"classify": [figure]}
    for wrong in ("[]", '{"classify": 1}', json.dumps({"classify": [{**row, "body": 1}]}), "{"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(FiguresError, match="holds no figures"):
            read_figures(path)


def test_a_picture_is_drawn_the_same_twice() -> None:
    """A recipe stands for the same bytes whenever it is built."""
    assert build(DrawnPicture(format="JPEG")) == build(DrawnPicture(format="JPEG"))
