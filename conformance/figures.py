"""Reference figures from a file: what the model behind a foreign server answers, told by whoever knows it."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.case import Figure, Reference


class FiguresError(ValueError):
    """A figures file that cannot be read; the message says what is wrong with it."""


def read_figures(path: Path) -> Reference:
    """The figures of a JSON object, endpoint to a list of `Figure.to_json`. Raises FiguresError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {endpoint: [Figure.from_json(each) for each in rows] for endpoint, rows in document.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FiguresError(f"{path} holds no figures: {error}") from error
