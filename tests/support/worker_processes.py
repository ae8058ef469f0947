"""Workers of a master, as processes of their own, for the tests of more than one machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from loadtests.remote import ROOT

PATIENCE_S = 30
"""Longer than anything takes here: where it passes, something hangs."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def worker(
    port: int,
    *,
    master: str = "127.0.0.1",
    keep: Path | None = None,
    within: Sequence[str] = (),
    program: Sequence[str] = ("-m", "loadtests.generator", "--port"),
    cpu: int | None = None,
    log: Path | None = None,
    root: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the master at `port`; `within` is a command that runs another one, such as `ip netns exec NAME`.

    `program` says what is run, up to the port's number, in the repository at `root`; what it says goes to `log`. It has
    a process group of its own, as in a terminal. Whatever has become of it, it is gone afterwards.
    """
    command = [*within, sys.executable, *program, str(port), "--master", master]
    command += ["--keep", str(keep)] if keep else []
    command += ["--cpu", str(cpu)] if cpu is not None else []
    with log.open("w+b") if log else tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            process.kill()
            process.wait()
            output.seek(0)
            print(output.read().decode(errors="replace"))


def wait_until(found: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return when it is so; `what` is for the message where it never is."""
    until_s = time.monotonic() + patience_s
    while not found():
        assert time.monotonic() < until_s, f"never: {what}"
        time.sleep(0.02)


def wait_for(path: Path, text: str, patience_s: float = PATIENCE_S) -> None:
    """Return when a file holds that text."""
    wait_until(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}", patience_s)


def hit(process: subprocess.Popen[bytes], sign: signal.Signals) -> list[psutil.Process]:
    """Send a signal as a terminal does, to the whole group; the process and all that it had started by then."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    os.killpg(process.pid, sign)
    return family


def assert_interrupted(process: subprocess.Popen[bytes], family: Sequence[psutil.Process], log: Path) -> None:
    """It has ended with code 130 and one line that says why, and left nothing running."""
    assert process.wait(PATIENCE_S) == 130
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []
    told = log.read_text()
    assert told.splitlines()[-1].endswith(": interrupted")
    assert "Traceback" not in told
    assert "KeyboardInterrupt" not in told
