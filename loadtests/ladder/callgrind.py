"""The exact lens: instructions a request, counted by Callgrind, the same on every repetition.

The counted program marks its sections by calling `getppid`, at which Callgrind writes down what it has counted since
the mark before. For each label there are two sections, of n and of 2 n requests; their difference over n is what one
request costs, and start-up, loops and marks cancel. The environment is fixed, hash seed included: sets iterate in hash
order, and the environment's size moves the stack.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MARK = "getppid"
_TIMEOUT_S = 600.0
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class CallgrindError(Exception):
    """The counted program failed, or Callgrind wrote something else than was asked; the message says what."""


def missing() -> str | None:
    """Why nothing can be counted here; None where it can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (package valgrind)"
    return None


def fixed_environment(root: Path) -> dict[str, str]:
    """All that the counted program is given: nothing of the caller's but the search path of programs."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(root),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def instructions(
    command: Sequence[str], labels: Sequence[str], calls: int, environment: Mapping[str, str]
) -> dict[str, float]:
    """Instructions a request for every label, in the order in which `command` counts them. Raises CallgrindError."""
    with tempfile.TemporaryDirectory(prefix="titrate-callgrind-") as folder:
        out = Path(folder) / "out"
        valgrind = [
            *("valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}"),
            f"--callgrind-out-file={out}",
        ]
        try:
            done = subprocess.run(
                [*valgrind, *command],
                env=dict(environment),
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CallgrindError(f"not done after {_TIMEOUT_S:.0f} s: {' '.join(command)}") from error
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["it wrote nothing"]
            raise CallgrindError(f"{' '.join(command)} failed: {last[0]}")
        return _per_request(out, labels, calls)


def _per_request(out: Path, labels: Sequence[str], calls: int) -> dict[str, float]:
    """The first dump is start-up; then three a label: n requests, 2 n requests, and what prepares the next label."""
    dumps = sorted(
        (path for path in out.parent.glob(f"{out.name}.*") if path.suffix[1:].isdigit()),
        key=lambda path: int(path.suffix[1:]),
    )
    if len(dumps) < 3 * len(labels):
        raise CallgrindError(f"{len(dumps)} dumps where {3 * len(labels)} marks were expected")
    found = {}
    for index, label in enumerate(labels):
        short, long = (_total(dumps[3 * index + step]) for step in (1, 2))
        found[label] = (long - short) / calls
    return found


def _total(dump: Path) -> int:
    match = _TOTALS.search(dump.read_text(encoding="utf-8", errors="replace"))
    if match is None:
        raise CallgrindError(f"{dump.name} has no total")
    return int(match[1])
