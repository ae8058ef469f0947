"""Run the core's tests, the conformance suite and the native table in this very environment, and write down the end.

    python -m matrix.examine NAME --out DIR [--only tests,cases,natives]

What fails is written down with its reason before the exit code says so: an environment never fails in silence.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from commands.exits import run_program
from experiment.errors import FINDING, OK, usage
from matrix.core_tests import CORE_TESTS, HARNESS_TESTS
from matrix.environments import floors, why_unfit
from matrix.found import NATIVE_PAGE, Counts, Examined, lock_digest
from servers.repository import REPOSITORY
from servers.settings import HASH_SEED

_VERSIONS_OF: Final = (
    *("flask", "werkzeug", "bottle", "tensorflow", "numpy", "pillow", "gunicorn", "waitress", "granian"),
    *("protobuf", "numba", "multipart", "jsonschema", "ujson"),
)

_EPILOG: Final = """\
DIR gets found.json, tests.xml and conformance.xml (JUnit), and native.md

exit codes: 0 all right, or versions that are known not to run together, and do not;
  1 a test or a case failed, or a part could not be run
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminationPart:
    """One part of the examination: its command, given the folder for its output, and the JUnit file it leaves there."""

    what: str
    command: Callable[[Path], Sequence[str]]
    junit: str | None = None


def _pytest(what: str, files: Sequence[str], junit: str) -> ExaminationPart:
    """Some of the harness's tests. Environments that run at once share the folder, so none keeps a cache there."""
    options = ("-q", "-p", "no:cacheprovider")
    return ExaminationPart(
        what=what,
        command=lambda out: ("-m", "pytest", *files, *options, f"--junit-xml={out / junit}"),
        junit=junit,
    )


PARTS: Final = {
    "tests": _pytest("the core's tests", CORE_TESTS, "tests.xml"),
    "cases": ExaminationPart(
        what="the conformance suite",
        command=lambda out: ("bench.py", "check", "--junit", str(out / "conformance.xml")),
        junit="conformance.xml",
    ),
    "harness": _pytest("the load generator's and the report's tests", HARNESS_TESTS, "harness.xml"),
    "natives": ExaminationPart(
        what="the native table",
        command=lambda out: ("bench.py", "natives", "--out", str(out / NATIVE_PAGE)),
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Examine, write down; the exit code."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="matrix.examine",
        description=str(__doc__).splitlines()[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="the environment's name, as tox has it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the findings go")
    parser.add_argument(
        "--only", default="tests,cases,natives", help=f"parts to run, of {', '.join(PARTS)} (default: %(default)s)"
    )
    parser.add_argument("--hash-seeds", metavar="A,B", help="run each part under each of these seeds of the hash")
    parser.add_argument(
        "--floors", action="store_true", help="hold what is installed to the lower bounds of pyproject.toml"
    )
    chosen = parser.parse_args(arguments)
    return run_program("matrix.examine", lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> int:
    name, out, wanted = chosen.name, chosen.out, chosen.only.split(",")
    if unknown := [one for one in wanted if one not in PARTS]:
        raise usage(f"{unknown[0]!r} is no part of the examination", hint=f"there are {', '.join(PARTS)}")
    out.mkdir(parents=True, exist_ok=True)
    # Of an earlier examination nothing may stay, or a part that dies would be counted by its old file.
    for path in out.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    began = time.monotonic()
    unfit = why_unfit(name)
    if unfit:
        print(f"{name}: skipped: {unfit}")
        wanted = []
    reasons: list[str] = []
    counts: dict[str, Counts] = {}
    lowest, wrong = floors() if chosen.floors else ({}, [])
    reasons += wrong
    seeds = chosen.hash_seeds.split(",") if chosen.hash_seeds else [None]
    for key, seed in ((key, seed) for seed in seeds for key in wanted):
        part = PARTS[key]
        where = out if seed is None else out / f"seed{seed}"
        where.mkdir(exist_ok=True)
        # Flushed, or what this program prints would come after all that its children print.
        print(f"{name}: {part.what}{'' if seed is None else f' under hash seed {seed}'}", flush=True)
        done = subprocess.run(
            [sys.executable, *part.command(where)], cwd=REPOSITORY, env=os.environ | seeded(seed), check=False
        )
        own = Counts.of_junit(where / part.junit) if part.junit and (where / part.junit).exists() else None
        if own:
            counts[key] = own + counts[key] if key in counts else own
        if done.returncode:
            reasons.append(reason(part, done.returncode, own) + ("" if seed is None else f" under hash seed {seed}"))
    found = Examined(
        name=name,
        versions={"python": platform.python_version()} | _installed(),
        tests=counts.get("tests"),
        cases=counts.get("cases"),
        reasons=tuple(reasons),
        seconds=round(time.monotonic() - began, 1),
        lock=lock_digest(),
        floors=lowest,
        unfit=unfit,
    )
    found.write(out)
    for line in reasons:
        print(f"{name}: {line}", file=sys.stderr)
    return FINDING if reasons else OK


def seeded(seed: str | None) -> dict[str, str]:
    """The variables that give the tests' process, and every server that it launches, a seed of the hash."""
    return {} if seed is None else {"PYTHONHASHSEED": seed, HASH_SEED: seed}


def reason(part: ExaminationPart, code: int, counts: Counts | None) -> str:
    """Why a part that ended with `code` failed: by its own count where it has one that tells, else by the code."""
    if counts is not None and counts.failed:
        return f"{part.what}: {counts.failed} of {counts.total} fail"
    return f"{part.what} ended with exit code {code}"


def _installed() -> dict[str, str]:
    present = {one.metadata["Name"].lower() for one in importlib.metadata.distributions() if one.metadata["Name"]}
    return {name: importlib.metadata.version(name) for name in _VERSIONS_OF if name in present}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
