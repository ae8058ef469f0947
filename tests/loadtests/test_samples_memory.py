"""A million samples: how much memory they take, and how long the file."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from loadtests.samples import ROW, Samples, pack_row

MILLION = 1_000_000
PER_SLICE = 20_000
MIB = 2**20


def filled(count: int) -> Samples:
    """So many samples, in slices, as the timed loop leaves them."""
    samples = Samples()
    for number in range(count // PER_SLICE):
        opened = number * 10**9
        rows = samples.rows
        for at in range(PER_SLICE):
            due = opened + at * 1000
            rows += pack_row(due, due + 10, due + 500, due + 510, 180, 200, at % 64, 0)
        samples.close_slice(number=number, opened_ns=opened, deadline_ns=opened + PER_SLICE * 1000, late_ns=10**6)
    return samples


def test_a_row_takes_what_its_members_do() -> None:
    """41 bytes a row and one for the phase: a million take 40.1 MiB, and writing adds one column of 8 bytes."""
    assert ROW.itemsize == len(pack_row(0, 0, 0, 0, 0, 0, 0, 0)) == 41
    largest_column = max(ROW[name].itemsize for name in ROW.names or ())
    assert MILLION * (ROW.itemsize + 1 + largest_column) < 48 * MIB


def test_a_million_samples_stay_under_64_mib(tmp_path: Path) -> None:
    """Measured: everything that is allocated for a million samples, from the first row to the written file."""
    tracemalloc.start()
    try:
        samples = filled(MILLION)
        samples.save(tmp_path / "million.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB
    with np.load(tmp_path / "million.npz") as file:
        assert {len(file[name]) for name in file.files} == {MILLION}
        assert file["due_ns"][-1] == (MILLION // PER_SLICE - 1) * 10**9 + (PER_SLICE - 1) * 1000


@pytest.mark.noisy
def test_a_million_samples_are_written_in_two_seconds(tmp_path: Path) -> None:
    """The samples file of a million requests is on its way to the disk in under two seconds."""
    samples = filled(MILLION)
    started = time.monotonic()
    samples.save(tmp_path / "million.npz")
    assert time.monotonic() - started < 2
