"""What a target's processes use, as a trial tells it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from loadtests_servers import GOOD, KnownServer, ok
from trials import assert_target_is_right, order

from loadtests.orders import PreparedRequest, TargetOrder
from loadtests.remote import Generator
from loadtests.resources import listening_here


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    """One generator for all trials, as in a run."""
    with Generator() as running:
        yield running


APP = f"""
import sys, threading
from waitress import serve

def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "{len(GOOD)}")])
    return [{GOOD!r}]

def spin():
    while True:
        pass

if sys.argv[2] == "restless":
    threading.Thread(target=spin, daemon=True).start()
serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=4, _quiet=True)
"""


LOGGING = [sys.executable, "-uc", "import time\nwhile True: print('Task queue depth is 1'); time.sleep(0.01)"]


@pytest.fixture
def waitress_targets() -> Iterator[tuple[TargetOrder, TargetOrder]]:
    """Two real servers in processes of their own: one that waits quietly, one with a thread that spins."""
    requests = (PreparedRequest(method="POST", path="/predict", body=b"{}", expect_body=GOOD),)
    processes: list[subprocess.Popen[bytes]] = []
    targets: list[TargetOrder] = []
    try:
        for name in ("quiet", "restless"):
            with KnownServer(lambda _n, _b: []) as placeholder:
                url = placeholder.base_url
            port = url.rpartition(":")[2]
            process = subprocess.Popen([sys.executable, "-c", APP, port, name])
            processes.append(process)
            targets.append(TargetOrder(id=name, base_url=url, pids=(process.pid,), requests=requests))
        _wait_until_up(*(target.base_url for target in targets))
        yield targets[0], targets[1]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _wait_until_up(*urls: str) -> None:
    for url in urls:
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


def test_resources_are_the_targets_own(generator: Generator, waitress_targets: tuple[TargetOrder, TargetOrder]) -> None:
    """CPU time, memory, threads and switches are read per target, and one that burns CPU while it waits is flagged."""
    quiet, restless = generator.trial(order(*waitress_targets, slices=4, slice_s=0.1))
    assert quiet.cpu_ms_per_request > 0
    assert 1 < quiet.pss_mib <= quiet.rss_mib
    # Waitress' four, and the one that listens.
    assert quiet.threads == 5
    # The other one has a thread more, which burns.
    assert restless.threads == 6
    assert quiet.context_switches > 0
    # What the restless one burns shows in the quiet one's slices, not the other way round.
    assert quiet.idle_cpu_share > 0.05
    assert restless.idle_cpu_share < quiet.idle_cpu_share / 2


def test_a_server_that_listens_here_is_found(waitress_targets: tuple[TargetOrder, TargetOrder]) -> None:
    """By loopback address or by name, each with its own process alone; who started this process is none of them."""
    for target in waitress_targets:
        assert listening_here(target.base_url) == target.pids
        assert listening_here(target.base_url.replace("127.0.0.1", "localhost")) == target.pids
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server:
        assert listening_here(server.base_url) == ()
    assert listening_here("http://192.0.2.1:80") == listening_here("http://nowhere.invalid") == ()


def test_one_server_under_two_names_is_no_idle_target(
    generator: Generator, waitress_targets: tuple[TargetOrder, TargetOrder]
) -> None:
    """What it uses while it is visited is not said of a target that waits, for both are its processes."""
    quiet, _ = waitress_targets
    first, second = generator.trial(order(quiet, msgspec.structs.replace(quiet, id="same"), slices=4, slice_s=0.1))
    assert first.cpu_ms_per_request > 0
    assert first.idle_cpu_share == second.idle_cpu_share == 0


@pytest.mark.parametrize("launched", [True, False])
def test_the_end_of_a_process_is_the_targets_where_it_is_ours(
    generator: Generator, waitress_targets: tuple[TargetOrder, TargetOrder], *, launched: bool
) -> None:
    """A foreign server may replace a process of its own, and then nothing is said of its resources any more."""
    quiet, _ = waitress_targets
    with subprocess.Popen(["sleep", "0.3"]) as ending:
        pids = (*quiet.pids, ending.pid)
        replaced = msgspec.structs.replace(quiet, pids=pids, launched=launched)
        (record,) = generator.trial(order(replaced, slices=8, slice_s=0.1))
    if launched:
        assert not record.valid
        assert "has ended" in record.reason
    else:
        assert_target_is_right(record)
        assert record.visits is record.cpu_ms_per_request is None


def test_who_writes_to_its_log_while_it_is_measured_is_not_valid(
    generator: Generator, waitress_targets: tuple[TargetOrder, TargetOrder], tmp_path: Path
) -> None:
    """A line a request, as Waitress has with more users than threads; what start-up wrote does not count."""
    quiet, restless = (
        msgspec.structs.replace(target, log=str(tmp_path / target.id), pids=()) for target in waitress_targets
    )
    (tmp_path / "quiet").write_text("started\n")
    with (tmp_path / "restless").open("w") as log, subprocess.Popen(LOGGING, stdout=log) as logging:
        try:
            first, second = generator.trial(order(quiet, restless, slices=4, slice_s=0.1))
        finally:
            logging.kill()
    assert "log" not in (first.reason or "")
    assert not second.valid
    assert re.fullmatch(r"it wrote \d+ bytes to its log while it was measured, the last: .*T.*", second.reason)


def test_foreign_servers_have_no_resources(generator: Generator) -> None:
    """Without process ids the resources are absent, not zero."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server:
        (record,) = generator.trial(order(server.target("a")))
    assert record.cpu_ms_per_request is None
    assert record.rss_mib is record.pss_mib is record.threads is None
    assert record.idle_cpu_share is None
