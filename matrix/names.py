"""The names of the matrix: which environments tox.ini lists, and which versions a name asks for. Pure."""

from __future__ import annotations

import configparser
import re
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
