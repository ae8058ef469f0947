"""A journal as plain JSON: for tests that must not take a record's own types for what stands in the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiment.journal import FILE_NAME


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    """Every line; a torn last one is left out."""
    whole, _, _torn = (folder / FILE_NAME).read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.split("\n")]


def write_lines(folder: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write the journal anew."""
    (folder / FILE_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
