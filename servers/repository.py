"""Where this repository lies: what processes are started in, and what derived files and documents are found from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
