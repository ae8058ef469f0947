"""Copies of this repository as a user has it: what git knows, as it is now, and nothing that was built."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from servers.repository import REPOSITORY


def copied(into: Path) -> Path:
    """A clone at `into`, with what is not committed yet."""
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{REPOSITORY}", str(into)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, into / name)
    return into
