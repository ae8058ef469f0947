"""More than one load generator: samples come in whole, clocks are known, and nobody goes missing unnoticed."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loadtests_servers import KnownServer, ok
from trials import (
    AHEAD_S,
    TIMES,
    assert_union,
    columns_of,
    free_port,
    in_another_time,
    kept,
    mastered,
    uneven_order,
    worker,
)

from loadtests.arrival import PoissonRate
from loadtests.events import SliceEvent, TrialEvent
from loadtests.orders import Workforce
from loadtests.remote import Generator, MissingWorkersError
from loadtests.runner import generator_seed
from loadtests.scenarios import opened
from loadtests.trial_record import Backlog, TrialRecord


def test_the_merged_samples_are_the_union(tmp_path: Path) -> None:
    """Two workers on two targets: each sample of each worker is in the trial's file once, and no other is.

    Held against the copies that the workers kept before they sent anything, and against what the servers counted.
    """
    folders = [tmp_path / "one", tmp_path / "two"]
    with (
        KnownServer(lambda _n, _b: [0.002, ok()]) as first,
        KnownServer(lambda _n, _b: [0.002, ok()]) as second,
        mastered(folders, [[], []]) as generator,
    ):
        records = generator.trial(
            uneven_order(
                first.target("a", bodies=3), second.target("b"), out=str(tmp_path / "samples"), warmup_slices=0
            )
        )
        counted = [first.requests, second.requests]
    for at, record in enumerate(records):
        columns = columns_of(record, tmp_path)
        for number in range(3):
            copies = kept(folders, at, number)
            assert set(copies) == {0, 3}
            assert_union(columns, copies, number, users=5)
        # Both workers also made one probe each.
        assert counted[at] == record.requests + 2
        assert [each.users for each in record.workers] == [3, 2]
        assert sum(each.samples for each in record.workers) == record.requests == len(columns["user"])
        assert (np.diff(columns["done_ns"]) >= 0).all()
        assert set(columns["user"].tolist()) == set(range(5))


def test_a_sample_that_is_missing_or_wrong_shows(tmp_path: Path) -> None:
    """The check of the union fails for one sample too few, one twice, and one a nanosecond off."""
    rows = np.zeros(
        6, dtype=[*((name, "<i8") for name in TIMES), *((n, "<i8") for n in ("bytes_in", "status", "user", "error"))]
    )
    rows["user"], rows["done_ns"] = [0, 0, 0, 1, 1, 1], range(6)
    copies = {0: rows[:3], 1: rows[3:]}

    def columns(at: list[int]) -> dict[str, Any]:
        return {name: rows[name][at].copy() for name in rows.dtype.names or ()} | {"slice": np.zeros(len(at))}

    assert_union(columns(list(range(6))), copies, 0, users=2)
    late = columns(list(range(6)))
    late["sent_ns"][2] += 1
    for wrong in (columns([0, 1, 2, 3, 4]), columns([0, 1, 2, 2, 4, 5]), columns([0, 1, 1, 3, 4, 5]), late):
        with pytest.raises((AssertionError, ValueError)):
            assert_union(wrong, copies, 0, users=2)


def assert_witnessed(columns: dict[str, Any], came_ns: list[int], *, slack_ns: float) -> None:
    """Every request was read after it was sent and before its answer was in, by the clock of a witness.

    Whose request is whose is not known, but if each lies between its two times, so do they in order.
    """
    came = np.sort(came_ns)
    assert (np.sort(columns["sent_ns"]) - slack_ns <= came).all()
    assert (came <= np.sort(columns["done_ns"]) + slack_ns).all()


def test_the_truth_lies_within_the_stated_uncertainty(tmp_path: Path) -> None:
    """One worker has the master's clock and one is a day ahead: each offset is right within what is said of it.

    The server has the master's clock, too, and is a witness: within that uncertainty, merged samples and what it saw
    agree; and not any more when one worker's are put off by 50 ms.
    """
    folders = [tmp_path / "here", tmp_path / "tomorrow"]
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server, mastered(folders, [[], in_another_time()]) as generator:
        (record,) = generator.trial(uneven_order(server.target("a"), users=4, out=str(tmp_path / "samples")))
    found = sorted(record.workers, key=lambda each: each.offset_us)
    for each, truth_us in zip(found, (0, AHEAD_S * 1e6), strict=True):
        assert each.offset_uncertainty_us > 0
        assert abs(each.offset_us - truth_us) <= each.offset_uncertainty_us
    columns = columns_of(record, tmp_path)
    came_ns = server.came_ns[-record.requests :]
    slack_ns = max(each.offset_uncertainty_us for each in found) * 1e3
    assert_witnessed(columns, came_ns, slack_ns=slack_ns)
    for name in TIMES:
        columns[name] = columns[name] + 50_000_000 * (columns["user"] >= 2)
    with pytest.raises(AssertionError):
        assert_witnessed(columns, came_ns, slack_ns=slack_ns)


def test_a_schedule_is_shared_out_whole(tmp_path: Path) -> None:
    """In an open loop the workers together send exactly the due requests of the seed's schedule."""
    law = PoissonRate((150,))
    folders = [tmp_path / "one", tmp_path / "two"]
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server, mastered(folders, [[], []]) as generator:
        (record,) = generator.trial(
            uneven_order(
                server.target("a"),
                scenario=opened("predict", law),
                slices=1,
                slice_s=1.0,
                warmup_slices=0,
                out=str(tmp_path / "samples"),
            )
        )
    assert record.backlog == Backlog(most_in_flight=law.users, cap_hits=0, unsent=0)
    due = np.sort(columns_of(record, tmp_path)["due_ns"])
    planned = np.array(law.schedule(length_ns=10**9, seed=generator_seed(7, 0)))
    assert len(due) == len(planned)
    # The two halves stand by two offsets that may differ by what is not known of the clocks.
    slack_ns = sum(each.offset_uncertainty_us for each in record.workers) * 1e3
    assert np.abs((due - due[0]) - (planned - planned[0])).max() <= 2 * slack_ns
    assert abs(record.workers[0].samples - record.workers[1].samples) <= 1


def test_fewer_users_than_workers(tmp_path: Path) -> None:
    """One user is one worker's, the other is not asked; and the next trial has them both again."""
    folders = [tmp_path / "one", tmp_path / "two"]
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server, mastered(folders, [[], []]) as generator:
        (alone,) = generator.trial(uneven_order(server.target("a"), users=1))
        (both,) = generator.trial(uneven_order(server.target("a"), users=2))
    assert [each.users for each in alone.workers] == [1]
    assert [each.users for each in both.workers] == [1, 1]
    assert both.throughput_rps > 1.2 * alone.throughput_rps


def _record_of(events: Iterable[SliceEvent | TrialEvent], stage: str, victim: subprocess.Popen[bytes]) -> TrialRecord:
    """The only record of a trial whose worker is killed in the second round of a stage."""
    records: list[TrialRecord] = []
    for event in events:
        if isinstance(event, TrialEvent):
            records = event.results
        elif event.stage == stage and event.round == 2:
            victim.send_signal(signal.SIGKILL)
    (record,) = records
    return record


@pytest.mark.parametrize("stage", ["measure", "warmup"])
def test_a_killed_worker_ends_the_trial(stage: str, tmp_path: Path) -> None:
    """A worker killed in the middle of a trial ends it, invalid and with the worker's name; the next one lacks it.

    What was measured is kept, to the last whole slice; what was thrown away when all is well is not counted either
    when a worker is lost before anything was measured.
    """
    port = free_port()
    workforce = Workforce(expect=2, bind="127.0.0.1", port=port, timeout_s=60)
    slices = {"slices": 100_000} if stage == "measure" else {"warmup_slices": 1000}
    with (
        KnownServer(lambda _n, _b: [0.002, ok()]) as server,
        worker(port) as victim,
        worker(port),
        Generator(workforce=workforce) as generator,
    ):
        endless = uneven_order(server.target("a"), out=str(tmp_path / "samples"), **slices)
        record = _record_of(generator.events(endless), stage, victim)
        assert not record.valid
        assert "was lost" in str(record.reason)
        assert "worker" in str(record.reason)
        assert server.requests > 2, "more than the probes"
        columns = columns_of(record, tmp_path)
        assert record.slices >= 3 if stage == "measure" else record.slices == 0
        assert Counter(columns["slice"].tolist()).keys() == set(range(record.slices))
        assert record.requests == len(columns["user"])
        assert set(columns["user"].tolist()) == (set(range(5)) if record.slices else set())
        with worker(port):
            (again,) = generator.trial(uneven_order(server.target("a")))
        assert "lost" not in str(again.reason)
        assert len(again.workers or ()) == 2


def test_too_few_workers_are_one_line_and_a_hint() -> None:
    """Where workers do not come in time, the error says how many did, in one line, and what to start where."""
    port = free_port()
    workforce = Workforce(expect=2, bind="127.0.0.1", port=port, timeout_s=3)
    with worker(port), Generator(workforce=workforce) as generator:
        with pytest.raises(MissingWorkersError) as error:
            generator.wait_for_workers()
        assert "of 2 expected workers" in str(error.value)
        assert "\n" not in str(error.value)
        assert f"--master-port {port}" in error.value.hint


def test_two_masters_on_one_port() -> None:
    """The second one says so, and which option chooses another port."""
    workforce = Workforce(expect=1, bind="127.0.0.1", port=free_port(), timeout_s=3)
    with (
        Generator(workforce=workforce),
        pytest.raises(MissingWorkersError, match="cannot listen") as error,
        Generator(workforce=workforce),
    ):
        pytest.fail("it should not have started")
    assert "--master-port" in error.value.hint
