"""Versions that install together and cannot run together. Each such pair is tried before it is believed."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

UNFIT: Final = {
    ("py313", "bottle012"): ("import bottle", "No module named 'cgi'"),
}
"""By two parts of an environment's name: the Python statement that fails there, and how its complaint ends.

Python 3.13 removed the module (PEP 594), and Bottle 0.12 imports it on its first lines.
"""


def pair_in(name: str) -> tuple[str, str] | None:
    """The pair that an environment's name holds and that cannot run; None where there is none."""
    parts = set(name.split("-"))
    return next((pair for pair in UNFIT if parts.issuperset(pair)), None)


def why_unfit(name: str, python: str = sys.executable) -> str:
    """Why this environment cannot run, by `python`'s own word for it; empty where it can, whatever is said of it."""
    pair = pair_in(name)
    if pair is None:
        return ""
    statement, complaint = UNFIT[pair]
    done = subprocess.run([python, "-c", statement], capture_output=True, text=True, check=False)
    last = done.stderr.strip().rpartition("\n")[2]
    return f"`{statement}` ends in {last}" if done.returncode and last.endswith(complaint) else ""
