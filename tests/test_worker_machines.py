"""Workers on machines of their own, as far as the network can tell: namespaces that the test makes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loadtests_servers import KnownServer, ok
from namespaces import Machine, machines
from test_workers import assert_union, columns_of, kept, order
from worker_processes import free_port, worker

from loadtests.orders import Workforce
from loadtests.remote import Generator, UnmannedError


def test_two_machines_share_a_trial(tmp_path: Path) -> None:
    """Over a network, too, the merged samples are the union of what the workers took, to the sample."""
    port = free_port()
    folders = [tmp_path / "one", tmp_path / "two"]
    with machines(2) as (one, two):
        workforce = Workforce(expect=2, port=port, timeout_s=60)
        with (
            KnownServer(lambda _n, _b: [0.002, ok()], host=one.host) as server,
            worker(port, master=one.host, keep=folders[0], within=one.within),
            worker(port, master=two.host, keep=folders[1], within=two.within),
            Generator(workforce=workforce) as generator,
        ):
            (record,) = generator.trial(order(server.target("a"), out=str(tmp_path / "samples")))
            # Both workers also made one probe each.
            assert server.requests == record["requests"] + record["warmup_requests"] + 2
    columns = columns_of(record, tmp_path)
    for number in range(3):
        assert_union(columns, kept(folders, 0, number), number, users=5)
    assert sum(each["samples"] for each in record["workers"]) == record["requests"]
    assert all(each["offset_uncertainty_us"] > 0 for each in record["workers"])


def _kill(victim: subprocess.Popen[bytes], _machine: Machine) -> None:
    victim.send_signal(signal.SIGKILL)


def _unplug(_victim: subprocess.Popen[bytes], machine: Machine) -> None:
    machine.unplug()


@pytest.mark.parametrize("harm", [_kill, _unplug], ids=["killed", "unplugged"])
def test_a_lost_machine_is_noticed(harm: Callable[[subprocess.Popen[bytes], Machine], None]) -> None:
    """A worker that is killed, or whose cable is pulled, in the middle of a trial: invalid, with the worker's name.

    With the other one alone the run cannot go on, and says how many are left.
    """
    port = free_port()
    with machines(2) as (one, two):
        workforce = Workforce(expect=2, port=port, timeout_s=40)
        with (
            KnownServer(lambda _n, _b: [0.002, ok()], host=one.host) as server,
            worker(port, master=one.host, within=one.within),
            worker(port, master=two.host, within=two.within) as victim,
            Generator(workforce=workforce) as generator,
        ):
            records: list[dict[str, Any]] = []
            for event in generator.events(order(server.target("a"), slices=100_000)):
                if event["event"] == "trial":
                    records = event["results"]
                elif event["stage"] == "measure" and event["round"] == 2:
                    harm(victim, two)
            (record,) = records
            assert not record["valid"]
            assert "was lost: its heartbeat has stopped" in record["reason"]
            with pytest.raises(UnmannedError, match="1 of 2 expected workers"):
                generator.muster()
