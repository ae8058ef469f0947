"""The search for a capacity, carried out through workers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loadtests_servers import KnownServer, Piece, ok
from simulated_system import MS, SimulatedSystem, run_slice
from simulated_system import Queue as SimulatedQueue
from trials import columns_of, free_port, hit, uneven_order, wait_for, wait_until, worker

from experiment.capacity_search import Capacity
from loadtests.arrival import PoissonRate
from loadtests.orders import TOKEN_VARIABLE, PreparedRequest, TargetOrder, TrialOrder, Workforce
from loadtests.remote import ROOT, Generator
from loadtests.runner import generator_seed
from loadtests.samples import ROW, STEADY
from loadtests.scenarios import opened, scenario_from_id
from loadtests.search import Slo
from loadtests.trial_record import Backlog, CapacityRecord, GeneratorShare, OverLimit, TrialRecord


class Queue:
    """What a server with one thread of work does: `service_s` for each request, one after the other."""

    def __init__(self, service_s: float) -> None:
        self._service_s = service_s
        self._busy = threading.Lock()
        self._wait = threading.Event()

    def reply(self, _number: int, _body: bytes) -> list[Piece]:
        """The answer, when it is its turn."""
        with self._busy:
            self._wait.wait(self._service_s)
        return [ok()]


def test_a_long_look_comes_home_whole_and_is_judged_by_all_samples(tmp_path: Path) -> None:
    """Longer than a heart may be silent, and with every 39th answer late: that share is known exactly, and decides."""
    port, law = free_port(), PoissonRate((170,))
    workforce = Workforce(expect=2, bind="127.0.0.1", port=port, timeout_s=60)
    late: list[int] = []

    def reply(number: int, _body: bytes) -> list[Piece]:
        # The first two are the workers' probes.
        if number > 1 and number % 39 == 0:
            late.append(number)
            return [1.2, ok()]
        return [ok()]

    with KnownServer(reply) as server, worker(port), worker(port), Generator(workforce=workforce) as generator:
        look = uneven_order(
            server.target("a"),
            scenario=opened("predict", law),
            slices=1,
            slice_s=6.0,
            warmup_slices=0,
            limit_ms=800.0,
            out=str(tmp_path / "samples"),
        )
        (record,) = generator.trial(look)
    assert not record.worker_lost
    columns = columns_of(record, tmp_path)
    assert len(columns["due_ns"]) == len(law.schedule(length_ns=6 * 10**9, seed=generator_seed(7, 0)))
    slow = columns["done_ns"] - columns["due_ns"] > 800_000_000
    steady = columns["phase"] == STEADY
    assert int(slow.sum()) >= len(late)
    assert len(np.unique(columns["user"][slow] < law.users // 2)) == 2, "some on each worker"
    over = record.over_limit
    assert over is not None
    assert (over.requests, over.over) == (int(steady.sum()), int((slow & steady).sum()))
    assert Slo.parse("p99=800ms").judge(requests=over.requests, over=over.over) == "fails"


def test_a_worker_that_is_lost_says_nothing_about_the_target(tmp_path: Path) -> None:
    """One of two is lost in the middle of a look, with a third one there to take its place: there is no capacity."""
    port, log = free_port(), tmp_path / "log"
    workforce = Workforce(expect=2, bind="127.0.0.1", port=port, timeout_s=60)
    said: list[str] = []

    def lose(words: str) -> None:
        said.append(words)
        if "p99=" in words and victim.poll() is None:
            begun = server.requests
            hitman = threading.Thread(
                target=lambda: (wait_until(lambda: server.requests > begun + 30, "load"), hit(victim, signal.SIGINT))
            )
            hitmen.append(hitman)
            hitman.start()

    hitmen: list[threading.Thread] = []
    with (
        KnownServer(Queue(0.004).reply) as server,
        Generator(workforce=workforce) as generator,
        worker(port),
        worker(port) as victim,
    ):
        generator.wait_for_workers()
        with worker(port, log=log):
            wait_for(log, "ready")
            found = Capacity(
                generator=generator,
                target=server.target("a"),
                scenario=scenario_from_id("predict@8"),
                slo=Slo.parse("p99=50ms"),
                seed=1,
                ceiling_rps=None,
                say=lose,
            ).find()
    for hitman in hitmen:
        hitman.join()
    assert not found.valid
    assert "was lost: it has ended" in str(found.reason)
    assert found.ramp
    assert (found.rate_rps, found.failed_rps, found.probes) == (None, None, ())
    assert sum("p99=" in words for words in said) == 1


@pytest.mark.main_job
def test_a_search_is_interrupted_resumed_and_survives_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verbs as typed. Ctrl-C in the first search, which begins anew; a worker lost in it; the others find a rate.

    The rate lies below what the server can do, the record of the loss says so, and so does what the run prints.
    """
    monkeypatch.setenv(TOKEN_VARIABLE, "known to both sides")
    port, folder = free_port(), tmp_path / "run"
    journal = folder / "journal.jsonl"
    command = [sys.executable, "bench.py", "run", "--expect-workers", "2", "--master-port", str(port), "--skip-check"]
    with (
        KnownServer(Queue(0.002).reply) as server,
        worker(port, log=tmp_path / "one"),
        worker(port, log=tmp_path / "two"),
        subprocess.Popen(
            [
                *(*command, "--plan", "smoke", "--endpoints", "predict", "--slo", "p99=50ms"),
                *("--url", f"a={server.base_url}", "--out", str(folder)),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        ) as run,
    ):
        _wait_for_a_search(journal, searches=1, server=server)
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "Traceback" not in told
    assert not [each for each in _records(journal) if each["kind"] == "capacity"]

    with (
        KnownServer(Queue(0.002).reply, port=server.port) as again,
        worker(port, log=tmp_path / "three"),
        worker(port) as victim,
        subprocess.Popen(
            [*command, "--resume", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as resumed,
    ):
        _wait_for_a_search(journal, searches=2, server=again)
        with worker(port, log=tmp_path / "spare"):
            wait_for(tmp_path / "spare", "ready")
            hit(victim, signal.SIGKILL)
            out, told = resumed.communicate(timeout=500)
    assert resumed.returncode in (0, 3), told
    first, *others = [each for each in _records(journal) if each["kind"] == "capacity"]
    assert len(others) == 2
    assert not first["valid"]
    assert "was lost: its heartbeat has stopped" in first["reason"]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["complete"]
    (row,) = summary["capacity"]
    assert "was lost" in row["reason"]
    (line,) = [line for line in out.splitlines() if line.startswith("capacity: ")]
    assert "was lost" in line
    valid = [each for each in others if each["valid"]]
    for each in valid:
        assert each["rate_rps"] < each["saturated_rps"] <= 520
    assert all("generator" in each["reason"] or "late" in each["reason"] for each in others if not each["valid"])


def _records(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def _wait_for_a_search(journal: Path, *, searches: int, server: KnownServer) -> None:
    """Return when so many searches have been begun, and the last one is under way."""
    wait_until(
        lambda: sum(each["kind"] == "begun" and "scenario" not in each for each in _records(journal)) == searches,
        "a search",
    )
    begun = server.requests
    wait_until(lambda: server.requests > begun + 100, "load")


SECOND = 1_000 * MS
SERVICE_MS = 5.0


class Model:
    """Stands where the generator does: a queue with exactly 5 ms a request, in simulated time.

    The machine keeps it from running in as many of every four trials as `disturbed` says.
    """

    def __init__(self, *, disturbed: int = 0) -> None:
        self._disturbed = disturbed
        self.trials = 0

    def trial(self, order: TrialOrder) -> list[TrialRecord]:
        """A trial's record, as far as a search reads it."""
        stood = self.trials % 4 < self._disturbed
        self.trials += 1
        arrival = order.scenario.arrival
        length_ns = int(order.slice_s * SECOND)
        schedule = arrival.schedule(length_ns=length_ns, seed=order.seed)
        system = SimulatedSystem(SimulatedQueue(int(SERVICE_MS * MS)))
        made = run_slice(system, users=arrival.users, length_ns=length_ns, schedule=schedule)
        rows = np.frombuffer(bytes(made.samples.rows), dtype=ROW)
        response_ms = (rows["done_ns"] - rows["due_ns"]) / MS
        over = int((response_ms > (order.limit_ms or 0)).sum()) + made.unsent
        return [
            TrialRecord(
                target="queue",
                endpoint="predict",
                scenario="model",
                users=arrival.users,
                valid=not stood,
                reason="the generator stood still" if stood else None,
                steady=True,
                throughput_rps=len(rows) / ((system.now - made.opened_ns) / SECOND),
                over_limit=OverLimit(limit_ms=order.limit_ms or 0, requests=len(rows) + made.unsent, over=over),
                backlog=Backlog(most_in_flight=arrival.users, cap_hits=made.cap_hits, unsent=made.unsent),
                generator=GeneratorShare(
                    cpu_share=0.1, late_share=0.0, lag_p99_us=0.0, stood_share=0.07 if stood else 0.0
                ),
            )
        ]


def true_share_over(rate_rps: float, limit_ms: float) -> float:
    """The share of requests that take longer, by a queue walked through with a million other arrivals."""
    chance = np.random.default_rng(1)
    gaps = chance.exponential(1e3 / rate_rps, 1_000_000)
    # Lindley's recursion: wait + service - gap, never below nothing.
    steps = np.concatenate([[0.0], np.cumsum(SERVICE_MS - gaps[1:])])
    waits = steps - np.minimum.accumulate(steps)
    return float((waits + SERVICE_MS > limit_ms).mean())


def search_of(model: Model, slo: Slo) -> CapacityRecord:
    """What a search finds of the queue."""
    target = TargetOrder(
        id="queue",
        base_url="http://127.0.0.1:1",
        requests=(PreparedRequest(method="GET", path="/", expect_body=None),),
    )
    return Capacity(
        generator=model,  # type: ignore[arg-type]  # it answers trials, and no more is asked of it
        target=target,
        scenario=scenario_from_id("predict@1"),
        slo=slo,
        seed=1,
        ceiling_rps=None,
        say=lambda _words: None,
    ).find()


@pytest.mark.parametrize("disturbed", [0, 1, 2])
def test_the_capacity_of_a_known_queue(disturbed: int) -> None:
    """For one worker of 5 ms a request (M/D/1), the rate found keeps p99 = 25 ms, and a tenth more does not.

    What a passing disturbance spoils is measured anew.
    """
    slo = Slo(quantile=0.99, limit_ms=25)
    found = search_of(Model(disturbed=disturbed), slo)
    assert found.valid
    assert found.saturated_rps == pytest.approx(200, rel=0.02)
    assert found.saturated_users == 1
    rate = found.rate_rps
    assert rate is not None
    assert true_share_over(rate, slo.limit_ms) < 0.01
    assert true_share_over(1.15 * rate, slo.limit_ms) > 0.01
    assert PoissonRate((rate,)).rate_rps == rate


def test_a_machine_that_stays_disturbed_ends_a_search() -> None:
    """Three tries, and then the generator's own words instead of a capacity."""
    model = Model(disturbed=4)
    found = search_of(model, Slo(quantile=0.99, limit_ms=25))
    assert (found.valid, found.reason, model.trials) == (False, "with 1 users: the generator stood still", 3)
