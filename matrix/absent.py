"""Why an environment of the matrix found nothing: no interpreter, nothing to install, or nobody ran it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from matrix.names import groups_of, python_of
from servers.repository import REPOSITORY

_TIMEOUT_S: Final = 300


def why_absent(name: str) -> str:
    """One sentence for the table. It asks uv, which is what tox asked, so it says the same."""
    uv = shutil.which("uv")
    if uv is None:
        return f"nothing found, and there is no uv to ask why: `tox -e {name}`"
    version = python_of(name)
    if version and _said(
        [uv, "python", "find", "--quiet", "--system", "--no-project", "--no-python-downloads", version]
    ):
        return f"skipped: there is no Python {version} here"
    if version:
        groups = [f"--only-group={one}" for one in ("examine", *groups_of(name))]
        with tempfile.TemporaryDirectory(prefix="titrate-") as folder:
            command = [
                uv,
                "sync",
                "--quiet",
                "--frozen",
                "--dry-run",
                "--no-python-downloads",
                *groups,
                "--python",
                version,
            ]
            if said := _said(command, Path(folder) / "venv"):
                return f"cannot be installed: {said}"
    return f"not run: `tox -e {name}`"


def _said(command: list[str], environment: Path | None = None) -> str:
    """The last line of its complaint where a command fails; empty where it does not."""
    own = {"UV_PROJECT_ENVIRONMENT": str(environment)} if environment else {}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}, **own},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"uv ended with exit code {done.returncode}"
