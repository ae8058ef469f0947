"""`bench.py worker` and `bench.py run --expect-workers`, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from loadtests_servers import KnownServer, ok
from msgspec.structs import replace
from trials import free_port

from experiment.run_folder import read_run
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
    assert "hint: start each with `python3 bench.py worker --master" in done.stderr
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
