"""Whether a directory holds a whole build of the present models. Imports no TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from servers.models.catalog import MODELS, build_digest

STAMP: Final = "BUILD.json"
"""Written last, into a directory that is then renamed into place: where it stands, the build is whole."""


def is_current(directory: Path) -> bool:
    """Whether the directory holds a whole build of the present weights and definitions. Needs no TensorFlow."""
    try:
        stamp = json.loads((directory / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    whole = all((directory / model.saved_model / "saved_model.pb").is_file() for model in MODELS.values())
    return whole and isinstance(stamp, dict) and stamp.get("digest") == build_digest()
