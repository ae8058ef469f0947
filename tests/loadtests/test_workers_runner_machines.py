"""Workers on machines of their own, as far as the network can tell: namespaces that the test makes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loadtests_servers import KnownServer, ok
from trials import assert_union, columns_of, free_port, kept, uneven_order, wait_for, worker

from loadtests.events import TrialEvent
from loadtests.orders import TOKEN_VARIABLE, Workforce
from loadtests.remote import ROOT, Generator, MissingWorkersError
from loadtests.trial_record import TrialRecord


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
            (record,) = generator.trial(
                uneven_order(server.target("a"), out=str(tmp_path / "samples"), warmup_slices=0)
            )
            # Both workers also made one probe each.
            assert server.requests == record.requests + 2
    columns = columns_of(record, tmp_path)
    for number in range(3):
        assert_union(columns, kept(folders, 0, number), number, users=5)
    assert sum(each.samples for each in record.workers) == record.requests
    assert all((each.offset_uncertainty_us or 0) > 0 for each in record.workers)


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
            records: list[TrialRecord] = []
            for event in generator.events(uneven_order(server.target("a"), slices=100_000)):
                if isinstance(event, TrialEvent):
                    records = event.results
                elif event.stage == "measure" and event.round == 2:
                    harm(victim, two)
            (record,) = records
            assert not record.valid
            assert "was lost: its heartbeat has stopped" in record.reason
            with pytest.raises(MissingWorkersError, match="1 of 2 expected workers"):
                generator.wait_for_workers()


@pytest.mark.main_job
def test_a_run_survives_the_loss_of_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verbs as typed: two workers load a server, one is killed, its trial is invalid and the run ends with code 3.

    With two workers again, --resume brings it to its end, and the report counts the trials that were left out.
    """
    monkeypatch.setenv(TOKEN_VARIABLE, "known to both sides")
    port, folder = free_port(), tmp_path / "run"
    program = ("bench.py", "worker", "--cpu", str(max(os.sched_getaffinity(0))), "--master-port")
    command = [sys.executable, "bench.py", "run", "--expect-workers", "2", "--master-port", str(port)]
    command += ["--workers-timeout", "60", "--skip-check"]
    with machines(2) as (one, two), KnownServer(lambda _n, _b: [0.004, ok()], host=one.host) as server:
        new = ["--plan", "smoke", "--endpoints", "predict", "--url", f"a={server.base_url}", "--out", str(folder)]
        with (
            worker(port, master=one.host, within=one.within, program=program),
            worker(port, master=two.host, within=two.within, program=program) as victim,
            subprocess.Popen([*command, *new], cwd=ROOT, stderr=subprocess.PIPE, text=True) as run,
        ):
            wait_for(folder / "journal.jsonl", '"begun"', patience_s=240)
            victim.send_signal(signal.SIGKILL)
            _, told = run.communicate(timeout=300)
        assert run.returncode == 3, told
        assert "1 of 2 expected workers were there" in told
        lost = [trial for trial in _trials(folder) if "was lost" in str(trial["reason"])]
        assert len({(trial["block"], trial["scenario"]) for trial in lost}) == 1
        assert not any(trial["valid"] for trial in lost)
        with (
            worker(port, master=one.host, within=one.within, program=program),
            worker(port, master=two.host, within=two.within, program=program),
        ):
            again = subprocess.run(
                [*command, "--resume", str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
            )
    assert again.returncode in (0, 3), again.stderr
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["complete"]
    assert summary["audit"]["workers"] == 2
    assert summary["audit"]["worst_clock_us"] > 0
    assert {len(trial["workers"]) for trial in _trials(folder)} == {2}
    assert {trial["block"] for trial in _trials(folder)} == {0, 1, 2}
    assert "Workers on other machines" in (folder / "report.html").read_text()


def _trials(folder: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == "trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One namespace; `host` is the address at which it reaches the test."""

    name: str
    link: str
    host: str

    @property
    def within(self) -> list[str]:
        """What runs a command there."""
        return ["ip", "netns", "exec", self.name]

    def unplug(self) -> None:
        """Cut it off, without a word to either side."""
        _ip("link", "set", self.link, "down")


@contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    """So many namespaces, gone afterwards; skips where they cannot be had.

    The addresses are from 198.18.0.0/15, which is set aside for benchmarks (RFC 2544). All reach `198.18.0.1`.
    """
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2 (`ip`)")
    with ExitStack() as stack:
        found = []
        for number in range(count):
            name = f"tt{os.getpid()}n{number}"
            link = f"tt{os.getpid() % 10**6}v{number}"
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
            stack.callback(_ip, "netns", "del", name)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            # The pair goes with the namespace, but not at once.
            stack.callback(_ip, "link", "del", link)
            near, far = f"198.18.{number}.1", f"198.18.{number}.2"
            _ip("address", "add", f"{near}/24", "dev", link)
            _ip("link", "set", link, "up")
            for command in (
                ("link", "set", "lo", "up"),
                ("address", "add", f"{far}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("route", "add", "default", "via", near),
            ):
                _ip("-n", name, *command)
            found.append(Machine(name=name, link=link, host=near))
        yield found


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)
