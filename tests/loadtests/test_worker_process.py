"""How a worker ends: by Ctrl-C or SIGTERM at any moment, refused, without a master, or with a run that is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq
from loadtests_servers import KnownServer, Piece, ok
from trials import PATIENCE_S, assert_interrupted, free_port, hit, uneven_order, wait_for, wait_until, worker

from experiment.remnants import remnants
from loadtests.events import SliceEvent, TrialEvent
from loadtests.orders import TOKEN_VARIABLE, Workforce
from loadtests.remote import ROOT, Generator, MissingWorkersError
from loadtests.worker_messages import code_digest

CORE = max(os.sched_getaffinity(0))
VERB = ("bench.py", "worker", "--master-port")


@contextmanager
def master(port: int, *, expect: int = 1, timeout_s: float = 60) -> Iterator[Generator]:
    """The master of so many workers."""
    with Generator(workforce=Workforce(expect=expect, bind="127.0.0.1", port=port, timeout_s=timeout_s)) as generator:
        yield generator


def test_while_it_waits_for_a_master(tmp_path: Path) -> None:
    """Nobody is there yet: it ends at once, and twice is as good as once."""
    log = tmp_path / "log"
    with worker(free_port(), cpu=CORE, log=log) as process:
        wait_for(log, "looking for a master")
        family = hit(process, signal.SIGINT)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert_interrupted(process, family, log)


def test_between_trials(tmp_path: Path) -> None:
    """The master knows at once that it has nobody left, and one that comes later makes the next trial."""
    port, log = free_port(), tmp_path / "log"
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server, ExitStack() as later:
        generator = later.enter_context(master(port, timeout_s=1))
        with worker(port, cpu=CORE, log=log) as process:
            wait_for(log, "ready")
            generator.trial(uneven_order(server.target("a")))
            assert_interrupted(process, hit(process, signal.SIGTERM), log)
        with pytest.raises(MissingWorkersError, match="0 of 1 expected workers"):
            generator.wait_for_workers()
        with worker(port, log=log):
            wait_for(log, "ready")
            (record,) = generator.trial(uneven_order(server.target("a")))
            later.close()
    assert not record.worker_lost
    assert record.requests


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_in_the_middle_of_a_visit(sign: signal.Signals, tmp_path: Path) -> None:
    """It takes its leave, though it never sleeps; the trial is invalid with its name, without a silent heart."""
    port, log = free_port(), tmp_path / "log"
    family: list[psutil.Process] = []

    def reply(number: int, _body: bytes) -> list[Piece]:
        if number == 100:
            family.extend(hit(victim, sign))
        return [0.002, ok()]

    with (
        KnownServer(reply) as server,
        worker(port, log=tmp_path / "other"),
        master(port, expect=2) as generator,
    ):
        # The first to come is the first that the master listens to; it is the second one that is lost.
        wait_for(tmp_path / "other", "ready")
        with worker(port, cpu=CORE, log=log) as victim:
            # One visit, longer than this test takes: whoever is hit is hit in it.
            (event,) = generator.events(
                uneven_order(server.target("a"), slices=1, slice_s=30.0, longest_slice_s=30.0, warmup_slices=0)
            )
            served = server.requests
            wait_until(lambda: server.requests > served + 10, "the other one still on its visit")
            assert_interrupted(victim, family, log)
    assert len(family) == 1, "a worker has no processes of its own"
    assert isinstance(event, TrialEvent)
    (record,) = event.results
    assert not record.valid
    assert record.worker_lost
    assert "was lost: it has ended" in record.reason


def test_before_it_could_say_so(tmp_path: Path) -> None:
    """Ctrl-C while the verb measures, and while what replaces it still imports, is the same one line as ever."""
    log = tmp_path / "log"
    with worker(free_port(), program=VERB, log=log) as process:
        wait_until(lambda: len(psutil.Process(process.pid).children(recursive=True)) > 2, "generator and null server")
        assert_interrupted(process, hit(process, signal.SIGTERM), log)
    with worker(free_port(), program=VERB, log=log) as process:
        wait_for(log, "ceiling")
        assert_interrupted(process, hit(process, signal.SIGINT), log)
    assert "looking for" in log.read_text()


def test_where_nobody_listens(tmp_path: Path) -> None:
    """Its patience of five minutes made short, a worker says in one line and a hint that there is no master."""
    log = tmp_path / "log"
    impatient = (
        "import sys, locust.runners as theirs; theirs.CONNECT_TIMEOUT, theirs.CONNECT_RETRY_COUNT = 0.2, 2\n"
        "from loadtests.generator import main; sys.exit(main())"
    )
    port = free_port()
    with worker(port, program=("-c", impatient, "--port"), log=log) as process:
        assert process.wait(PATIENCE_S) == 3
    _, line, hint = log.read_text().splitlines()
    assert line == f"worker: there is no master at 127.0.0.1:{port}"
    assert hint.startswith("hint: ")


def test_other_code_is_refused_on_both_sides(tmp_path: Path) -> None:
    """One letter in loadtests/ makes a worker another's: master and worker each say so, with what would help."""
    port, log = free_port(), tmp_path / "log"
    shutil.copytree(ROOT / "loadtests", tmp_path / "loadtests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "addresses", tmp_path / "addresses", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "loadtests" / "clocks.py").open("a") as file:
        file.write("#")
    with master(port, timeout_s=15) as generator, worker(port, log=log, root=tmp_path) as process:
        with pytest.raises(MissingWorkersError, match="runs other code than this machine") as error:
            generator.wait_for_workers()
        assert process.wait(PATIENCE_S) == 3
    assert "same commit" in error.value.hint
    *_, line, hint = log.read_text().splitlines()
    assert line.startswith("worker: refused")
    assert hint == f"hint: {error.value.hint}"


DEEP = b"\x91" * 100_000 + b"\xc0"
HELLO = {"host": "x", "code": code_digest(), "calibration": None, "proof": ""}
MESSAGES = [
    [b"\xc1" * 10],
    [b""],
    [b"\x93"],
    [DEEP],
    [b"a", b"b"],
    *(
        [msgspec.msgpack.encode(said)]
        for said in (
            1,
            (),
            ("x",),
            (1, 2, 3),
            ("client_ready", "9", "evil"),
            ("client_ready", None, "evil"),
            ("client_ready", "9", "somebody"),
            ("heartbeat", None, "evil"),
            ("heartbeat", {"state": "x"}, "evil"),
            ("stats", {"user_classes_count": 3}, "evil"),
            ("spawning_complete", {}, "evil"),
            ("exception", {}, "evil"),
            ("locustfile", {"version": "2"}, "evil"),
            ("client_stopped", None, "evil"),
            ("quit", None, "evil"),
            ("titrate_hello", {}, "evil"),
            ("titrate_hello", None, "evil"),
            ("titrate_hello", [1], "evil"),
            ("titrate_hello", HELLO | {"code": "0"}, "evil"),
            ("titrate_hello", HELLO | {"calibration": 7}, "evil"),
            ("titrate_hello", HELLO | {"proof": "\N{GREEK SMALL LETTER ALPHA}"}, "evil"),
            ("titrate_hello", HELLO, "evil"),
            ("titrate_rows", {"tag": 1, "rows": b"x"}, "evil"),
            ("titrate_done", {"tag": 1}, "evil"),
            ("titrate_fault", {}, "evil"),
            ("titrate_riddle", {}, "evil"),
            ("x" * 300, {"__datetime__": True, "as_str": "never"}, "evil"),
        )
    ),
    [bytes(9 << 20)],
]


def test_strangers_at_the_port_change_nothing() -> None:
    """A thousand messages that no worker sends, while one works: its trial is whole, and each stranger is named.

    One that has the right code and not the token is a stranger, and so is one whose message is too long to be read.
    """
    port, told = free_port(), list[str]()
    workforce = Workforce(expect=1, bind="127.0.0.1", port=port, timeout_s=60, token="secret")  # noqa: S106 - a test's
    os.environ[TOKEN_VARIABLE] = "secret"
    try:
        with (
            KnownServer(lambda _n, _b: [0.002, ok()]) as server,
            Generator(workforce=workforce, say=told.append) as generator,
            zmq.Context() as context,
            worker(port),
        ):
            _say_all(context, port)
            generator.wait_for_workers()
            for event in generator.events(uneven_order(server.target("a"), slices=40)):
                if isinstance(event, SliceEvent):
                    _say_all(context, port)
                else:
                    (record,) = event.results
    finally:
        del os.environ[TOKEN_VARIABLE]
    assert record.slices == 40
    assert not record.worker_lost
    assert not record.errors
    assert generator.refused_peers >= 800
    assert any("127.0.0.1: it does not know the token" in one for one in told)


def _say_all(context: zmq.Context[zmq.Socket[bytes]], port: int) -> None:
    with context.socket(zmq.DEALER) as evil:
        evil.setsockopt(zmq.IDENTITY, b"evil")
        evil.setsockopt(zmq.LINGER, 1000)
        evil.connect(f"tcp://127.0.0.1:{port}")
        for frames in MESSAGES:
            evil.send_multipart(frames)


def test_a_run_that_is_stopped_sends_them_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the run in the middle of a visit: code 130, one line and a hint, and the worker's run is over."""
    monkeypatch.setenv(TOKEN_VARIABLE, "known to both sides")
    port, folder, log = free_port(), tmp_path / "run", tmp_path / "log"
    command = [sys.executable, "bench.py", "run", "--plan", "smoke", "--skip-check", "--out", str(folder)]
    command += ["--expect-workers", "1", "--master-port", str(port), "--endpoints", "predict"]
    with (
        KnownServer(lambda _n, _b: [0.002, ok()]) as server,
        worker(port, cpu=CORE, log=log) as process,
        subprocess.Popen(
            [*command, "--url", f"a={server.base_url}"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as run,
    ):
        wait_for(folder / "journal.jsonl", '"begun"')
        begun = server.requests
        wait_until(lambda: server.requests > begun + 100, "load")
        family = psutil.Process(process.pid).children()
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 130
        assert process.wait(PATIENCE_S) == 0
    assert psutil.wait_procs(family, timeout=PATIENCE_S)[1] == []
    assert f"--resume {folder}" in told.splitlines()[-1]
    assert remnants(folder) == []
    assert log.read_text().splitlines()[-1] == "worker: the run is over"
    assert "Traceback" not in told + log.read_text()
