"""`bench.py` called as a user calls it, without a process of its own."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout

import bench as program


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What one command printed, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = program.main([str(one) for one in arguments])
        except SystemExit as end:
            code = int(str(end.code))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
