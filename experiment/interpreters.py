"""The interpreters that launched servers run under: one for all of them, or several that are compared."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from experiment.errors import usage

_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)", re.DOTALL)
_PROBE_TIMEOUT_S: Final = 30.0
_SHOWN: Final = 80

_PROBE: Final = """\
import importlib.metadata, json, platform, re
found = {}
for one in importlib.metadata.distributions():
    if one.metadata["Name"]:
        found.setdefault(re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version)
print(json.dumps({"version": platform.python_version(), "packages": found}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """One `--server-python`: its name in the run, where it is, its version and its distributions' versions."""

    name: str
    python: Path
    version: str
    packages: Mapping[str, str]


def interpreters(texts: Sequence[str]) -> tuple[Interpreter, ...]:
    """Those that the command line names, as PATH or NAME=PATH. Raises ExpectedError for what is no interpreter.

    A path without a name takes that of its environment's folder: `.tox/flask23/bin/python` is `flask23`.
    """
    found = tuple(_probed(*_parsed(text)) for text in texts)
    for name in (one.name for one in found):
        if sum(one.name == name for one in found) > 1:
            raise usage(f"two interpreters are called {name!r}", hint="name them: --server-python NAME=PATH")
    return found


def distinct(texts: Sequence[str]) -> bool:
    """Whether targets are told apart by their interpreter: there are several, or the one was given a name."""
    return len(texts) > 1 or any(_NAMED.fullmatch(text) for text in texts)


def packages_apart(present: Sequence[Interpreter]) -> dict[str, dict[str, str]]:
    """By interpreter, the versions of those distributions that are not the same in all of them."""
    names = sorted({name for one in present for name in one.packages})
    apart = [name for name in names if len({one.packages.get(name) for one in present}) > 1]
    return {one.name: {name: one.packages.get(name, "not installed") for name in apart} for one in present}


def _parsed(text: str) -> tuple[str, Path]:
    named = _NAMED.fullmatch(text)
    # Resolving a virtual environment's interpreter would follow its link out of the environment.
    path = Path(named[2] if named else text).absolute()
    return (named[1] if named else path.parent.parent.name), path


def _probed(name: str, path: Path) -> Interpreter:
    try:
        found = path.is_file()
    except OSError as error:  # a name that is too long
        raise usage(f"--server-python {str(path)[:_SHOWN]}: {error.strerror}", hint="name an interpreter") from error
    if not found:
        what = "is no file" if path.exists() else "does not exist"
        raise usage(f"--server-python {path} {what}", hint="name an interpreter, not its folder")
    try:
        done = subprocess.run(
            [path, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
        told = json.loads(done.stdout)
        return Interpreter(name=name, python=path, version=told["version"], packages=told["packages"])
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise usage(f"--server-python {path} is no Python interpreter that runs: {error}") from error
