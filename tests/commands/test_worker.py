"""`bench.py worker` and `bench.py run --expect-workers`, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from loadtests_servers import KnownServer, ok
from msgspec.structs import replace as replace_in
from worker_processes import free_port

from experiment.ceiling import joint_ceiling
from experiment.journal import read_run
from loadtests.accounts import reason_against_workers
from loadtests.clocks import Exchange, compare, summarize
from loadtests.parts import portions
from loadtests.record import Calibration, WorkerNode, WorkerRecord
from loadtests.remote import ROOT
from reports.sameness import plan_differences


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    command = [sys.executable, str(ROOT / "bench.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)


def test_a_run_without_its_workers_ends_with_code_3(tmp_path: Path) -> None:
    """Nobody comes: one line, a hint with the command for the other machine, exit code 3, and a journal that says so.

    What was begun with workers is not resumed without them, and is compared with no run of another number.
    """
    port = str(free_port())
    folder = tmp_path / "run"
    with KnownServer(lambda _n, _b: [ok()]) as server:
        done = bench(
            *("run", "--plan", "smoke", "--url", f"a={server.base_url}", "--skip-check", "--out", str(folder)),
            *("--expect-workers", "2", "--master-port", port, "--workers-timeout", "1"),
        )
    assert done.returncode == 3
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("bench.py:")]
    assert line == "bench.py: 0 of 2 expected workers were there after 1 s"
    assert "hint: start each with `python bench.py worker --master" in done.stderr
    assert "Traceback" not in done.stderr
    last = json.loads((folder / "journal.jsonl").read_text().splitlines()[-1])
    assert not last["complete"]
    assert "expected workers" in last["reason"]
    again = bench("run", "--resume", str(folder))
    assert again.returncode == 2
    assert "was begun with --expect-workers 2" in again.stderr
    begun = read_run(folder)
    assert plan_differences(begun, begun) == []
    assert plan_differences(begun, replace(begun, expect_workers=None)) == ["expect_workers 2 in BASE, None in NEW"]


def test_usage_errors_are_one_line() -> None:
    """No workers at all, a master that has no address, a core or a port that is not there: exit code 2 and a hint."""
    for arguments in (
        ("run", "--expect-workers", "0"),
        ("worker", "--master", "no.such.host.invalid"),
        ("worker", "--master", "127.0.0.1", "--cpu", "99999"),
        ("worker", "--master", "127.0.0.1", "--master-port", "70000"),
    ):
        done = bench(*arguments)
        assert done.returncode == 2, done.stderr
        assert "hint: " in done.stderr
        assert "Traceback" not in done.stderr


def test_clocks_are_known_to_half_a_round_trip() -> None:
    """However the two ways of a message differ, the true offset lies within what is stated; the shortest counts."""
    for truth_ns in (0, 5_000, -86_400_000_000_000):
        exchanges = [
            Exchange(sent_ns=at, answered_ns=at + there + truth_ns, received_ns=at + there + back)
            for at, there, back in ((0, 90_001, 0), (1_000_000, 0, 40_000), (2_000_000, 500_000, 500_000))
        ]
        reading = compare(exchanges)
        assert abs(reading.offset_ns - truth_ns) <= reading.uncertainty_ns
        assert reading.uncertainty_ns == 20_001
        # It is no more than that, either: the slow way there is all of what it is off by.
        assert abs(reading.offset_ns - truth_ns) == 20_000


def test_drift_is_counted_as_uncertainty() -> None:
    """A clock that gains between two visits is stated no better than by what it gained."""
    readings = [
        compare([Exchange(sent_ns=at, answered_ns=at + 10 + gained, received_ns=at + 20)])
        for at, gained in ((0, 0), (100, 0), (200, 7_000))
    ]
    assert summarize(readings).uncertainty_ns == 11 + 7_000
    assert summarize(readings[:2]).uncertainty_ns == 11


def test_users_are_shared_out_whole() -> None:
    """Every user is one worker's, as evenly as they go, and no worker is left with none."""
    for users in (1, 2, 5, 16):
        for workers in (1, 2, 3):
            found = portions(users, workers)
            numbers = [number for each in found for number in range(each.first, each.first + each.users)]
            assert numbers == list(range(users))
            assert len(found) == min(users, workers)
            assert max(each.users for each in found) - min(each.users for each in found) <= 1


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
    other = replace_in(fine, id=2, host="b")
    assert reason_against_workers([fine, other], slice_s=0.1) is None
    unsure = replace_in(other, offset_uncertainty_us=1001.0)
    assert "clock of worker 2 (b)" in str(reason_against_workers([fine, unsure], slice_s=0.1))
    assert reason_against_workers([fine, unsure], slice_s=1.0) is None
    near = replace_in(other, ceiling_rps=299.0)
    assert "of worker 2 (b) are over a third" in str(reason_against_workers([fine, near], slice_s=0.1))


def test_ceilings_add_up() -> None:
    """Together workers can do what each can; one that was not calibrated leaves it unknown."""
    own = Calibration(ceiling_rps=1000.0, overhead_us=50.0, users=64, cpu_share=0.9)
    first = WorkerNode(id=1, host="a", calibration=own)
    second = WorkerNode(id=2, host="b", calibration=replace_in(own, overhead_us=70.0))
    assert joint_ceiling([first, second]).ceiling_rps == 2000.0
    assert joint_ceiling([first, second]).overhead_us == 70.0
    unknown = joint_ceiling([first, replace_in(second, calibration=None)])
    assert (unknown.ceiling_rps, unknown.overhead_us, unknown.users, unknown.cpu_share) == (None, None, None, None)
