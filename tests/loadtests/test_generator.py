"""The generator's process: it never outlives the harness, and its faults reach the caller in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from loadtests_servers import KnownServer, ok
from processes import gone
from trials import assert_target_is_right, order

from loadtests.orders import PreparedRequest, TargetOrder
from loadtests.remote import ROOT, Generator, GeneratorError

PARENT = """
import sys
import msgspec
from loadtests.orders import TrialOrder
from loadtests.remote import Generator
with Generator() as generator:
    print(generator.info.pid, flush=True)
    if len(sys.argv) > 1:
        order = msgspec.json.decode(sys.argv[1], type=TrialOrder)
        for event in generator.events(order):
            print(type(event).__name__, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "mid-trial"])
def test_it_ends_with_its_parent(*, busy: bool) -> None:
    """When the harness is killed, the generator ends by itself, also in the middle of a trial."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server:
        words = [msgspec.json.encode(order(server.target("a"), slices=100_000)).decode()] if busy else []
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            if busy:
                assert parent.stdout.readline() == "SliceEvent\n"
            assert psutil.pid_exists(pid)
            parent.send_signal(signal.SIGKILL)
            assert gone(pid, within_s=15)


def test_leaving_the_context_ends_it() -> None:
    """The process is gone when the with block is, and a second stop is harmless."""
    with Generator(cpu=min(os.sched_getaffinity(0))) as generator:
        pid = generator.info.pid
        assert generator.info.cpus == [min(os.sched_getaffinity(0))]
    assert not psutil.pid_exists(pid)
    generator.stop()
    with pytest.raises(GeneratorError, match="not running"):
        generator.trial(order(TargetOrder(id="a", base_url="http://127.0.0.1:1", requests=(REQUEST,))))


REQUEST = PreparedRequest(method="GET", path="/", expect_body=None)


def test_its_death_is_reported() -> None:
    """A generator that is killed in a trial raises GeneratorError at once, with its exit status."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server, Generator() as generator:
        events = generator.events(order(server.target("a"), slices=100_000))
        next(events)
        os.kill(generator.info.pid, signal.SIGKILL)
        with pytest.raises(GeneratorError, match="ended with exit status -9"):
            list(events)


def test_a_stop_of_the_generator_is_not_told_of_the_target() -> None:
    """Stopped for half a second within a trial, it says so of the trial, which does not count."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server, Generator() as generator:
        events = generator.events(order(server.target("a"), slices=5, slice_s=0.3))
        next(events)
        # Well into a slice: a stop between two of them does no harm.
        time.sleep(0.1)
        os.kill(generator.info.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(generator.info.pid, signal.SIGCONT)
        *_, last = events
    (record,) = last.results
    assert not record.valid
    assert "the generator stood still for" in str(record.reason)
    assert record.generator.longest_gap_us > 300_000


def test_a_bad_order_is_reported_and_survived() -> None:
    """A fault inside the generator comes back in words, and the next trial works."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server, Generator() as generator:
        bad = TargetOrder(id="bad", base_url="https://127.0.0.1", requests=(REQUEST,))
        with pytest.raises(GeneratorError, match="is no base URL: it does not begin with http"):
            generator.trial(order(bad))
        (record,) = generator.trial(order(server.target("good")))
        assert_target_is_right(record)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('hello', flush=True)", "not JSON: b'hello'"),
        ("print('[1]', flush=True)", "it wrote b'\\[1\\]'"),
        ("import sys; sys.exit('no Locust here')", "exit status 1\nno Locust here"),
        ('print(\'{"event": "workers", "workers": []}\', flush=True)', "it began with"),
    ],
)
def test_a_process_that_is_no_generator(tmp_path: Path, code: str, message: str) -> None:
    """Whatever is started instead, the error says what came of it, with the end of its log."""
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{code}\n")
    python.chmod(0o755)
    with pytest.raises(GeneratorError, match=message), Generator(python=str(python)):
        pytest.fail("it should not have started")
