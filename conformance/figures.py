"""Reference figures from a file: what the model behind a foreign server answers, told by whoever knows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from conformance.case import Figure, Reference
from conformance.documents import body_of


class FiguresError(ValueError):
    """A figures file that cannot be read; the message says what is wrong with it."""


def read_figures(path: Path) -> Reference:
    """The figures of a JSON object, endpoint to a list of `Figure`, whose body is a document. Raises FiguresError."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, Any]]])
        told = {name: [{**row, "body": body_of(row.get("body"))} for row in each] for name, each in rows.items()}
        return msgspec.convert(told, dict[str, list[Figure]])
    except (OSError, ValueError) as error:
        raise FiguresError(f"{path} holds no figures: {error}") from error
