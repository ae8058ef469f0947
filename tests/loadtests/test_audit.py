"""Why a trial does not count: the limits of the self-audit."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from loadtests.audit import reason_against, reason_against_workers, throttled_ns
from loadtests.trial_record import Backlog, GeneratorShare, WorkerRecord


def share(**changes: float) -> GeneratorShare:
    """A generator's part without a fault, but for the changes."""
    fine = {"cpu_share": 0.1, "peak_cpu_share": 0.2, "queued_share": 0.0, "late_share": 0.0}
    return GeneratorShare(**({**fine, "lag_p99_us": 50.0, "send_lag_p99_us": 20.0} | changes))


def backlog(cap_hits: int, unsent: int = 0) -> Backlog:
    """What an open loop of at most 64 requests in flight could not send in time."""
    return Backlog(most_in_flight=64, cap_hits=cap_hits, unsent=unsent)


FINE = {
    "share": share(cpu_share=0.5, late_share=0.001),
    "requests": 1000,
    "error_kinds": {},
    "completed": 900,
    "throughput_rps": 1000.0,
    "ceiling_rps": 3000.0,
    "lost": None,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"error_kinds": {"status": 10}}, None),
        ({"error_kinds": {"status": 7, "timeout": 4}}, "11 of 1000 requests failed (status 7, timeout 4)"),
        ({"error_kinds": {"status": 990}, "status": 429}, "990 of 1000 requests failed (status 990, mostly 429)"),
        ({"error_kinds": {"body": 1}}, "1 of 1000 answers had a wrong body"),
        ({"completed": 0}, "no right answer fell into a steady window; longer slices are needed"),
        (
            {"share": share(cpu_share=0.81)},
            "the generator was busy 81% of the time (limit 80%)",
        ),
        (
            {"share": share(late_share=0.011)},
            "1.1% of the requests were sent over 1 ms late (limit 1%)",
        ),
        (
            {"share": share(late_share=0.011, queued_share=0.25)},
            "1.1% of the requests were sent over 1 ms late (limit 1%); the generator waited for a core 25% of the time",
        ),
        ({"share": share(longest_gap_us=90_000.0, stood_share=0.04, throttled_share=0.009)}, None),
        (
            {"share": share(longest_gap_us=2_000_000.0)},
            "the generator stood still for 2000 ms at once (limit 100 ms)",
        ),
        ({"share": share(stood_share=0.06)}, "the generator stood still for 6% of the time (limit 5%)"),
        (
            {"share": share(throttled_share=0.4)},
            "a quota kept processes from running 40% of the time (limit 1%)",
        ),
        (
            {"share": share(queued_share=0.47), "own_core": True},
            "the generator waited for its core 47% of the time (limit 10%)",
        ),
        ({"share": share(queued_share=0.47)}, None),
        ({"throughput_rps": 1001.0}, "1001 requests/s is over a third of the generator's ceiling of 3000"),
        ({"throughput_rps": 1e6, "ceiling_rps": None}, None),
        ({"backlog": backlog(0)}, None),
        ({"backlog": backlog(1)}, "1 requests were due with 64 in flight already"),
        ({"backlog": backlog(9, 4)}, "9 requests were due with 64 in flight already, 4 were never sent"),
        ({"lost": "it left", "error_kinds": {"body": 1}}, "it left"),
    ],
)
def test_every_limit_is_a_limit(change: dict[str, object], reason: str | None) -> None:
    """A trial is valid up to each limit of the self-audit and invalid, with its reason, beyond it."""
    assert reason_against(**(FINE | change)) == reason  # type: ignore[arg-type]


def test_what_a_quota_takes_is_read(tmp_path: Path) -> None:
    """From both versions of control groups, of every group that the process is in; a group without a quota has none."""
    two, one, none = (tmp_path / name for name in ("two", "one", "none"))
    two.write_text("usage_usec 5\nnr_periods 9\nnr_throttled 3\nthrottled_usec 1500\n")
    one.write_text("nr_periods 9\nnr_throttled 3\nthrottled_time 250\n")
    none.write_text("usage_usec 5\n")
    assert throttled_ns((two, one, none)) == 1_500_250
    assert throttled_ns() >= 0


def test_what_a_worker_does_decides() -> None:
    """A clock that is known too badly, or one worker at its ceiling, makes a trial invalid; by name."""
    fine = WorkerRecord(
        id=1,
        host="a",
        users=1,
        samples=9,
        throughput_rps=100.0,
        ceiling_rps=301.0,
        offset_us=0.0,
        offset_uncertainty_us=900.0,
        late_start_us=0.0,
        cpu_share=0.1,
        late_share=0.0,
        lag_p99_us=50.0,
    )
    other = replace(fine, id=2, host="b")
    assert reason_against_workers([fine, other], slice_s=0.1) is None
    unsure = replace(other, offset_uncertainty_us=1001.0)
    assert "clock of worker 2 (b)" in str(reason_against_workers([fine, unsure], slice_s=0.1))
    assert reason_against_workers([fine, unsure], slice_s=1.0) is None
    near = replace(other, ceiling_rps=299.0)
    assert "of worker 2 (b) are over a third" in str(reason_against_workers([fine, near], slice_s=0.1))
