"""The lower bounds of pyproject.toml, and whether what is installed here is no higher than they say."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Final

from servers.repository import REPOSITORY

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
