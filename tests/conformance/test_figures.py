"""Reference figures read from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.case import Figure
from conformance.figures import FiguresError, read_figures


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
