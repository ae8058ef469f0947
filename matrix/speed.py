"""The same target under two sets of versions, side by side in one run: which is faster.

    python -m matrix.speed flask23-flask31 [--out DIR] [--envs DIR] [options of `bench.py run`]

Each side is an environment of its own with what a server needs and nothing else, made from uv.lock; only the named
version and what it asks for differ (NumPy has another release for each Python), and the report's parity table says in
what. The first side is the baseline.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from commands.exits import run_program
from experiment.errors import FINDING, HARNESS, OK, USAGE, ExpectedError, usage
from servers.repository import REPOSITORY

_SIDE: Final = re.compile(r"python(?P<major>\d)(?P<minor>\d+)|(?P<group>(?P<package>flask|bottle|tf)\d+)")
_LOCKED_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_SETTLED: Final = ("faster", "slower", "equivalent")

_LOAD: Final = ("--plan", "standard", "--scenarios", "predict@1,predict@16")
"""Small requests, where a framework's or an interpreter's own time is the larger part."""

_EPILOG: Final = """\
sides: flask23, flask30, flask31, bottle012, bottle013, tf220, tf221, python311, python312, python313;
the same one twice measures it against itself

exit codes, as `bench.py compare` has them: 0 nothing is slower; 1 something is; 2 usage; 3 could not tell
"""


def main(arguments: Sequence[str]) -> int:
    """Install, measure, print; the exit code."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="matrix.speed",
        description=str(__doc__).splitlines()[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sides", metavar="BASE-NEW", help="for example flask23-flask31, or speed-flask23-flask31")
    parser.add_argument("--envs", type=Path, default=REPOSITORY / ".cache" / "speed", metavar="DIR")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="run folder; an old one there is removed")
    chosen, options = parser.parse_known_args(arguments)
    return run_program("matrix.speed", lambda: _run(sides_of(chosen.sides), chosen.envs, chosen.out, options))


def _run(sides: Sequence[str], envs: Path, out: Path | None, options: Sequence[str]) -> int:
    pythons = [_installed(side, envs) for side in sides]
    names = [sides[0], sides[1] if sides[1] != sides[0] else f"{sides[1]}-again"]
    folder = out or envs / "runs" / "-".join(names)
    if folder.exists():
        shutil.rmtree(folder)
    given = [f"--server-python={name}={python}" for name, python in zip(names, pythons, strict=True)]
    command = [sys.executable, "bench.py", "run", *_LOAD, "--targets", target_of(sides), *given, "--out", str(folder)]
    done = subprocess.run([*command, *options], cwd=REPOSITORY, check=False)
    if not (folder / "summary.json").exists():
        return done.returncode if done.returncode in (FINDING, USAGE) else HARNESS
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    code, sentence = verdict(summary)
    print(f"{names[1]} against {names[0]}: {sentence}")
    return code


def sides_of(text: str) -> tuple[str, str]:
    """BASE and NEW of `BASE-NEW`, which may be an environment's name. Raises ExpectedError."""
    sides = tuple(text.removeprefix("speed-").split("-"))
    if len(sides) != 2:
        raise usage(f"{text!r} is not BASE-NEW", hint="for example flask23-flask31")
    for side in sides:
        if not _SIDE.fullmatch(side):
            raise usage(f"{side!r} is no side", hint="for example flask23, bottle012, tf220, python313")
    return sides[0], sides[1]


def target_of(sides: Sequence[str]) -> str:
    """What is served on both sides: the framework whose versions differ, else Flask."""
    return "bottle" if all(side.startswith("bottle") for side in sides) else "flask"


def verdict(summary: Mapping[str, Any]) -> tuple[int, str]:
    """The exit code of a run of two interpreters, and why: as `bench.py compare` counts, the worst cell decides."""
    rows = [row for row in summary["comparisons"] if row["axis"] == "interpreter"]
    said = "; ".join(f"{row['scenario']} {row['metric']} {row['verdict']}{_figure(row)}" for row in rows)
    if not rows or not summary["complete"]:
        return HARNESS, f"could not tell, the run is partial{': ' if said else ''}{said}"
    if any(row["verdict"] == "slower" for row in rows):
        return FINDING, f"slower: {said}"
    if any(row["verdict"] not in _SETTLED for row in rows):
        return HARNESS, f"could not tell: {said}"
    return OK, f"not slower: {said}"


def _figure(row: Mapping[str, Any]) -> str:
    if row["ci95"] is None:
        return f" ({row['reason']})"
    low, high = row["ci95"]
    margin = "" if row["margin"] is None else f", margin {100 * row['margin']:.1f} %"
    return f" ({row['ratio']:.3f}, {low:.3f} to {high:.3f}{margin})"


def _installed(side: str, envs: Path) -> Path:
    """The interpreter of one side's environment, made or brought up to date. Raises ExpectedError where uv fails."""
    asked = _SIDE.fullmatch(side)
    assert asked is not None  # noqa: S101 - `sides_of` has looked
    version = f"{asked['major']}.{asked['minor']}" if asked["major"] else _LOCKED_PYTHON
    groups = ("serve", *([asked["group"]] if asked["group"] else []))
    folder = envs / side
    uv = shutil.which("uv")
    if uv is None:
        raise ExpectedError("uv is not on the path", hint="python -m pip install uv")
    done = subprocess.run(
        [uv, "sync", "--quiet", "--frozen", "--python", version, *(f"--only-group={group}" for group in groups)],
        cwd=REPOSITORY,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder), "UV_PYTHON_DOWNLOADS": "never"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ExpectedError(f"{side} cannot be installed: {lines[-1] if lines else 'uv says nothing'}")
    return folder / "bin" / "python"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
