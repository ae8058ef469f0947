"""`bench.py compare` in this process, and what its tests do to the folders that it is given."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from in_process import bench


def compare(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`bench.py compare`, what it printed and its exit code."""
    return bench("compare", *arguments)


def edit_header(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The folder, its journal's first record changed."""
    journal = folder / "journal.jsonl"
    first, rest = journal.read_text().split("\n", 1)
    header = json.loads(first)
    change(header)
    journal.write_text(json.dumps(header) + "\n" + rest)
    return folder


def refused_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal, its hint checked."""
    said, hint = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert not done.stdout
    assert hint.startswith("hint: ")
    return said
