"""Short trials: their orders, what they write, and workers that share them and keep copies of their samples."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from loadtests.orders import TargetOrder, TrialOrder, Workforce
from loadtests.remote import ROOT, Generator
from loadtests.scenarios import closed
from loadtests.trial_record import TrialRecord

TIMES = ("due_ns", "sent_ns", "first_ns", "done_ns")
AHEAD_S = 86_400
"""A day: what the clock of a time namespace is ahead by (time_namespaces(7))."""


def in_another_time() -> list[str]:
    """The command that runs a worker with a clock that is far ahead; skips where there can be none."""
    command = ["unshare", "--time", "--monotonic", str(AHEAD_S), "--fork", "--kill-child"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a clock of its own needs root and time namespaces (Linux 5.6, util-linux 2.36)")
    return command


@contextmanager
def mastered(keeps: list[Path], within: list[list[str]]) -> Iterator[Generator]:
    """A master with a worker for each of these folders, which keep copies of their samples there."""
    port = free_port()
    workforce = Workforce(expect=len(keeps), bind="127.0.0.1", port=port, timeout_s=60)
    with ExitStack() as stack:
        for keep, command in zip(keeps, within, strict=True):
            stack.enter_context(worker(port, keep=keep, within=command))
        yield stack.enter_context(Generator(workforce=workforce))


def kept(folders: list[Path], target: int, number: int) -> dict[int, Any]:
    """Every worker's own copy of one slice, by the first of its users."""
    copies = [np.load(folder / f"t-{target}-slice{number}.npy") for folder in folders]
    return {int(copy["user"].min()): copy for copy in copies}


def assert_union(columns: dict[str, Any], copies: dict[int, Any], number: int, *, users: int) -> None:
    """The merged samples of a slice are the copies', each shifted by one offset, and nothing else."""
    slice_ = columns["slice"] == number
    assert int(slice_.sum()) == sum(map(len, copies.values()))
    edges = [*sorted(copies), users]
    for first, end in pairwise(edges):
        mine = slice_ & (columns["user"] >= first) & (columns["user"] < end)
        copy = copies[first]
        offsets = {int(value) for name in TIMES for value in copy[name] - columns[name][mine]}
        assert len(offsets) == 1
        for name in ("bytes_in", "status", "user", "error"):
            assert (copy[name] == columns[name][mine]).all()


def order(*targets: TargetOrder, users: int = 4, **changes: Any) -> TrialOrder:
    """A short trial of predict."""
    values: dict[str, Any] = {"slices": 3, "slice_s": 0.05, "seed": 7, "label": "t", "timeout_s": 5.0}
    return TrialOrder(targets=targets, **({"scenario": closed("predict", users)[0]} | values | changes))


uneven_order = partial(order, users=5, slice_s=0.1)
"""A short trial whose users two workers cannot share out evenly."""


def columns_of(record: TrialRecord, folder: Path) -> dict[str, Any]:
    """The columns that a trial wrote, whose samples' folder lies in `folder`."""
    with np.load(folder / str(record.samples)) as file:
        return dict(file)


def assert_target_is_right(record: TrialRecord) -> None:
    """Nothing is held against the target. The generator itself may be late: other work may share a machine.

    The faults of a target are told before those of the generator (loadtests/audit.py), so none can hide behind one.
    """
    late = ("requests were sent over 1 ms late", "the generator was", "the generator stood", "the generator waited")
    assert record.valid or any(words in record.reason for words in late), record.reason


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
