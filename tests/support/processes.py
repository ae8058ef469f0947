"""`bench.py` called as a user calls it, in this process; a clone for who needs one; whether a process has ended."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import psutil

import bench as program
from servers.repository import REPOSITORY


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What one command printed, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = program.main([str(one) for one in arguments])
        except SystemExit as end:
            code = int(str(end.code))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


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


def gone(pid: int, within_s: float) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


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
