"""The files that a climb of the ladder leaves in its folder."""

from __future__ import annotations

from typing import Final

LADDER_NAME: Final = "ladder.json"
COUNTS_NAME: Final = "instructions.json"
