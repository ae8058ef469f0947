"""The environments of the matrix: which there are, what a name asks for, why one found nothing or cannot run.

And, for the one of the lowest versions, whether what is installed is no higher than the lower bounds of pyproject.toml.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from servers.repository import REPOSITORY

_NAME: Final = re.compile(r"py(\d)(\d+)-(flask\d+)-(bottle\d+)(?:-(tf\d+))?")
TABLE: Final = "versions"
"""The environment that writes the table, which is no row of it."""


def listed(ini: Path = REPOSITORY / "tox.ini") -> list[str]:
    """The environments of the label `matrix`, in tox.ini's order, the one that writes the table left out."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ini, encoding="utf-8")
    text = parser["tox"]["labels"].replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if line.strip().startswith("matrix =")]
    names = [name.strip() for name in line.partition("=")[2].split(",")]
    return [name for name in names if name and name != TABLE]


def python_of(name: str) -> str | None:
    """The Python that a name asks for, such as `3.13`; None where it asks for none."""
    asked = _NAME.fullmatch(name)
    return f"{asked[1]}.{asked[2]}" if asked else None


def groups_of(name: str) -> tuple[str, ...]:
    """The dependency groups that a name asks for beside `examine`; none for an environment of another kind."""
    asked = _NAME.fullmatch(name)
    return tuple(one for one in asked.groups()[2:] if one) if asked else ()


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


UNFIT: Final = {
    ("py313", "bottle012"): ("import bottle", "No module named 'cgi'"),
}
"""Versions that install together and cannot run together: each such pair is tried before it is believed.

By two parts of an environment's name: the Python statement that fails there, and how its complaint ends.

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


_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?>=(?P<floor>[0-9.]+)")


def bounds(project: Path = REPOSITORY / "pyproject.toml") -> dict[str, str]:
    """The lower bound of every direct dependency, by name. Raises ValueError for a dependency without one."""
    found = {}
    for text in tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]:
        pin = _PIN.fullmatch(text)
        if pin is None:
            raise ValueError(f"{text!r} has no lower bound, or more than that")
        found[pin["name"]] = pin["floor"]
    return found


def floors() -> tuple[dict[str, str], list[str]]:
    """What is installed of the direct dependencies, and a reason for each that is not the lowest of its minor release.

    Where other dependencies need a higher one than the bound, the bound promises what nobody can install.
    """
    installed = {name: importlib.metadata.version(name) for name in bounds()}
    return installed, [
        f"{name}>={floor} allows what cannot be installed: the lowest is {installed[name]}"
        for name, floor in bounds().items()
        if not is_release(installed[name], floor)
    ]


def is_release(version: str, floor: str) -> bool:
    """Whether a version is the bound itself or a patch of it: 0.61.0 and 0.61.2 of 0.61, 22.0.0 of 22."""
    return version == floor or version.startswith(f"{floor}.")
