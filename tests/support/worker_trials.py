"""Trials through workers that keep copies of their samples, and those copies held against the merged samples."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import short_trials
from worker_processes import free_port, worker

from loadtests.orders import Workforce
from loadtests.remote import Generator

order = partial(short_trials.order, users=5, slice_s=0.1)
"""A short trial whose users two workers cannot share out evenly."""

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
