"""Phases and steady windows: the arithmetic of a slice."""

from __future__ import annotations

import math
import time
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from loadtests.quantiles import PERCENTILES, nearest_rank, percentiles_us, samples_missing, samples_needed
from loadtests.responses import ErrorKind, TimedResponse
from loadtests.samples import ROW, Samples, SliceFigures, pack_row, phases

MS = 1_000_000


def slice_of(rows: list[tuple[int, int, int, int]], deadline_ms: int) -> tuple[Samples, SliceFigures]:
    """A slice opened at 0 with rows of (user, sent_ms, done_ms, error)."""
    samples = Samples()
    due_ms = dict.fromkeys({row[0] for row in rows}, 0)
    for user, sent_ms, done_ms, error in rows:
        answer = TimedResponse(done_ms * MS, done_ms * MS, 200, 10, ErrorKind(error), keep_alive=True)
        samples.add(due_ns=due_ms[user] * MS, sent_ns=sent_ms * MS, user=user, answer=answer)
        due_ms[user] = done_ms
    return samples, samples.close_slice(number=0, opened_ns=0, deadline_ns=deadline_ms * MS, late_ns=MS)


def test_window_runs_from_first_round_to_the_answer_across_the_deadline() -> None:
    """Phase 0 ends with the slowest first answer, phase 1 with the first answer at or after the deadline."""
    rows = [(0, 0, 10, 0), (0, 10, 20, 0), (1, 0, 25, 0), (0, 20, 30, 0), (1, 25, 50, 0), (0, 30, 55, 0)]
    rows += [(1, 50, 70, 0)]
    samples, figures = slice_of(rows, deadline_ms=52)
    assert samples.arrays()["phase"].tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert figures.completed == 3
    assert figures.window_ns == (55 - 25) * MS
    assert figures.round_ns == 25 * MS
    assert figures.turn_ns == 10 * MS


def test_errors_pass_time_but_do_not_count() -> None:
    """A wrong answer inside the window is not completed; the window stays as long as it was."""
    rows = [(0, 0, 10, 0), (0, 10, 20, 2), (0, 20, 30, 0), (0, 30, 40, 0)]
    _, figures = slice_of(rows, deadline_ms=35)
    assert (figures.completed, figures.errors, figures.window_ns) == (2, 1, 30 * MS)


def test_a_late_start_is_charged() -> None:
    """A send more than a millisecond after the last answer is late; one within it is not."""
    rows = [(0, 0, 10, 0), (0, 10, 20, 0), (0, 22, 30, 0), (0, 31, 40, 0)]
    samples, figures = slice_of(rows, deadline_ms=40)
    assert figures.late == 1
    arrays = samples.arrays()
    assert int(arrays["done_ns"][2]) - int(arrays["due_ns"][2]) == 10 * MS


def test_no_window_when_only_the_first_round_fits() -> None:
    """A slice that holds one answer a user gives no throughput, and no division by nothing."""
    _, figures = slice_of([(0, 0, 10, 0), (1, 0, 30, 0)], deadline_ms=5)
    assert (figures.completed, figures.window_ns) == (0, 0)
    _, nothing = slice_of([], deadline_ms=5)
    assert (nothing.requests, nothing.window_ns, nothing.turn_ns, nothing.round_ns) == (0, 0, 0, 0)


def test_throughput_of_short_slices_is_unbiased() -> None:
    """With exponential service times, sums over slices of about five answers give the true rate.

    Windows that stop at the last answer before the deadline would leave out the long ones and come out over
    10 % fast.
    """
    chance = np.random.default_rng(5)
    completed = window = naive_completed = naive_window = 0
    for _ in range(4000):
        done = np.cumsum(chance.exponential(1000, 60)).astype(np.int64)
        deadline = 6000
        done = done[: np.searchsorted(done, deadline) + 1]
        phase = phases(np.zeros(len(done), dtype=np.int64), done, deadline)
        if (phase == 1).any():
            completed += int((phase == 1).sum())
            window += int(done[phase == 1][-1] - done[0])
            naive_completed += int((phase == 1).sum()) - 1
            naive_window += int(done[-2] - done[0])
    assert completed / window * 1000 == pytest.approx(1, rel=0.02)
    assert naive_completed / naive_window * 1000 > 1.1


def scheduled(rows: list[tuple[int, int, int]], deadline_ms: int) -> tuple[Samples, SliceFigures]:
    """An open loop's slice opened at 0 with rows of (due_ms, sent_ms, done_ms)."""
    samples = Samples()
    for number, (due_ms, sent_ms, done_ms) in enumerate(rows):
        answer = TimedResponse(done_ms * MS, done_ms * MS, 200, 10, ErrorKind.NONE, keep_alive=True)
        samples.add(due_ns=due_ms * MS, sent_ns=sent_ms * MS, user=number, answer=answer)
    return samples, samples.close_slice(number=0, opened_ns=0, deadline_ns=deadline_ms * MS, late_ns=MS, scheduled=True)


def test_an_open_loop_counts_by_what_was_due() -> None:
    """The first tenth is left out; what was due later counts, also what was answered after the deadline.

    To leave that out would be to leave out what a stall has delayed most.
    """
    samples, figures = scheduled([(5, 5, 60), (10, 10, 20), (50, 52, 70), (95, 95, 300)], deadline_ms=100)
    assert samples.column("phase").tolist() == [0, 1, 1, 1]
    assert (figures.completed, figures.late) == (3, 1)
    assert figures.window_ns == (300 - 10) * MS
    assert figures.median_ns == 20 * MS


def test_an_open_loop_that_keeps_up_has_its_rate() -> None:
    """Where all is answered in time the window is nine tenths of the slice, and throughput is the rate."""
    _, figures = scheduled([(at, at, at + 1) for at in range(0, 1000, 10)], deadline_ms=1000)
    assert figures.completed / (figures.window_ns / 1e9) == pytest.approx(100)


def test_slices_follow_each_other() -> None:
    """Each slice gets its number and phases of its own; clearing forgets all but keeps the columns usable."""
    samples, _ = slice_of([(0, 0, 10, 0), (0, 10, 20, 0)], deadline_ms=15)
    answer = TimedResponse(30 * MS, 30 * MS, 200, 10, ErrorKind.NONE, keep_alive=True)
    samples.add(due_ns=0, sent_ns=21 * MS, user=0, answer=answer)
    samples.close_slice(number=4, opened_ns=21 * MS, deadline_ns=25 * MS, late_ns=MS)
    assert samples.arrays()["slice"].tolist() == [0, 0, 4]
    assert samples.arrays()["phase"].tolist() == [0, 1, 0]
    rows = samples.rows
    samples.clear()
    assert len(samples) == 0
    assert samples.rows is rows
    assert len(samples.arrays()["phase"]) == 0


@pytest.mark.parametrize(("name", "least"), [("p50", 11), ("p90", 64), ("p95", 130), ("p99", 662), ("p999", 6636)])
def test_percentile_floors_are_those_of_the_exact_binomial(name: str, least: int) -> None:
    """p90 needs 64 samples, p99 662: computed from the binomial law, they agree with MLPerf's published table."""
    quantile = PERCENTILES[name]
    assert samples_needed(quantile) == least
    assert samples_missing(least - 1, quantile) == 1
    assert samples_missing(least, quantile) == 0


@pytest.mark.parametrize("quantile", ["0.5", "0.9", "0.95", "0.99", "0.999"])
def test_a_rank_is_the_nearest_one_to_the_last_bit(quantile: str) -> None:
    """Also where q n is whole: the 90th percentile of ten samples is the ninth, not the tenth."""
    for samples in range(1, 3001):
        assert nearest_rank(float(quantile), samples) == max(1, math.ceil(Fraction(quantile) * samples))


def test_the_ladder_needs_as_many_calls_and_takes_the_same_rank() -> None:
    """One call fewer than needed withholds a percentile, and of 1 to 1000 the 90th percentile is 900."""
    for name, quantile in PERCENTILES.items():
        least = samples_needed(quantile)
        assert percentiles_us([1000] * least)[name] == 1.0
        assert percentiles_us([1000] * (least - 1))[name] is None
    found = percentiles_us(range(1000, 0, -1))
    assert (found["p50"], found["p90"], found["p99"]) == (0.5, 0.9, 0.99)


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
