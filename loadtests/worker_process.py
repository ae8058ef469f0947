"""One of several load generators: a worker of Locust's that puts its segment of the load on what its master orders.

It says `hello`, does as it is told until the master sends it away, and then ends. While it runs a slice nothing of its
channel runs but Locust's heartbeat, twice a second at most; samples are sent when the slice is over.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import gevent
import msgspec
import numpy as np
from gevent.queue import Queue
from locust.runners import MASTER_HEARTBEAT_TIMEOUT

from addresses.address import Address
from loadtests.local_runner import LocalRunner
from loadtests.orders import TrialOrder
from loadtests.runner import LoadSegment, SliceOrder, SliceResult
from loadtests.samples import ROW
from loadtests.user import SliceUsers, UsersEnvironment
from loadtests.worker_messages import HINTS, PREFIX, TO_WORKER, code_digest, pack, proof

STOPS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Somebody wants this process to end. No Exception, so that nothing takes it for a fault."""


def interrupt_here() -> None:
    """Raise Interrupted in this greenlet at the first of the signals; later ones change nothing, to the process's end.

    By itself a signal's exception is raised in whichever greenlet runs, mostly one of Locust's, which prints a
    traceback or goes on without a word.

    Whoever started this process may have blocked them, so that none came before this.
    """
    here = gevent.getcurrent()
    told = False

    def tell(_signal: int, _frame: Any) -> None:
        nonlocal told
        if not told:
            told = True
            # Not here: this may be the middle of a slice. At its next breath the hub runs.
            gevent.kill(here, Interrupted)

    for stop in STOPS:
        signal.signal(stop, tell)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


FAULT = 3
INTERRUPTED = 130
LINGER_MS = 500
"""How long a farewell may take to leave, so that a master that is gone keeps nobody here."""


class Worker:
    """Does what its master says; `runner` is Locust's and connected. `keep` is where its samples stay, too."""

    def __init__(self, runner: Any, *, keep: Path | None) -> None:
        self.refused = ""
        self._runner = runner
        self._keep = keep
        self._trial = ExitStack()
        self._local: LocalRunner | None = None
        self._order: TrialOrder | None = None
        self._slice: SliceOrder | None = None
        self._orders: Queue[Any] = Queue()
        for word in TO_WORKER:
            runner.register_message(PREFIX + word, self._hear)

    def serve(self) -> None:
        """Carry out orders for ever."""
        while True:
            message = self._orders.get()
            tag = message.data["tag"]
            try:
                self._obey(message.type.removeprefix(PREFIX), tag, message.data)
            except Exception as error:  # noqa: BLE001 - reported to the master, which raises it there
                told = {"message": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
                self._say("fault", tag, **told)

    def close(self) -> None:
        """Stop the users of a trial, if there is one."""
        self._trial.close()
        self._local = None

    def _hear(self, environment: Any, msg: Any) -> None:  # noqa: ARG002 - Locust's signature
        if msg.type == PREFIX + "ping":
            # Here and now: what is waited for is not the work in the queue but the clock.
            self._say("pong", msg.data["tag"], clock_ns=time.monotonic_ns())
        else:
            self._orders.put(msg)

    def _say(self, word: str, tag: int, **data: Any) -> None:
        self._runner.send_message(PREFIX + word, {"tag": tag, **data})

    def _obey(self, word: str, tag: int, data: dict[str, Any]) -> None:
        if word == "refused":
            self.refused = str(data["reason"])
            self._runner.quit()
        elif word == "trial":
            self.close()
            self._order = msgspec.convert(data["order"], TrialOrder)
            local = LocalRunner(self._order, msgspec.convert(data["segment"], LoadSegment), self._runner)
            self._local = self._trial.enter_context(local)
            self._say("ready", tag)
        elif word == "end":
            self.close()
        elif self._local is None:
            raise RuntimeError(f"{word!r} without a trial")
        elif word == "probe":
            self._say("probed", tag, lost=self._local.probe(data["target"]))
        elif word == "prepare":
            self._slice = msgspec.convert(data["slice"], SliceOrder)
            self._local.prepare(self._slice)
            self._say("ready", tag)
        elif word == "run":
            (result,) = self._local.run(data["opens_ns"])
            self._note(result)
            for answer, its in pack(result):
                self._say(answer, tag, **its)

    def _note(self, result: SliceResult) -> None:
        """Keep a copy of a slice's samples, by this machine's own clock, before anything is sent."""
        trial, made = self._order, self._slice
        if self._keep is None or trial is None or made is None:
            return
        stage = "warmup" if made.warmup else "slice"
        name = f"{trial.label}-{made.target}-{stage}{made.number}.npy".replace("/", "_")
        self._keep.mkdir(parents=True, exist_ok=True)
        np.save(self._keep / name, np.frombuffer(result.rows, dtype=ROW), allow_pickle=False)


def work(
    *, master: str, port: int, calibration: dict[str, Any] | None, keep: Path | None = None, token: str = ""
) -> int:
    """Connect to a master and work for it; the process's exit code."""
    print(f"worker: looking for a master at {Address(host=master, port=port).place}", file=sys.stderr, flush=True)
    try:
        interrupt_here()
        place = Address(host=master, port=port).place
        return _work(place, master, port, calibration=calibration, keep=keep, token=token)
    except Interrupted:
        print("worker: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - exit status 1 would be a finding against a target
        print(f"worker: unexpected {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        print("hint: this is a fault of the load generator, not of a target", file=sys.stderr)
        return FAULT


def _work(
    place: str, master: str, port: int, *, calibration: dict[str, Any] | None, keep: Path | None, token: str
) -> int:
    environment: Any = UsersEnvironment(SliceUsers())
    say = sys.stderr
    try:
        runner = environment.create_worker_runner(master, port)
    except ConnectionError:
        print(f"worker: there is no master at {place}", file=say)
        print("hint: start `python3 bench.py run --expect-workers N` there; does a firewall let it through?", file=say)
        return FAULT
    worker = Worker(runner, keep=keep)
    serving = gevent.spawn(worker.serve)
    try:
        hello = {
            "host": socket.gethostname(),
            "code": code_digest(),
            "calibration": calibration,
            "proof": proof(token, runner.client_id),
        }
        runner.send_message(PREFIX + "hello", hello)
        print(f"worker: connected to {place}, ready", file=say, flush=True)
        runner.greenlet.join()
    finally:
        serving.kill()
        worker.close()
        # Before its socket is closed, or it would try again for ever.
        runner.greenlet.kill()
        # Locust then tells the master, which need not wait for a heart that does not beat.
        environment.events.quitting.fire(environment=environment)
        runner.client.close(linger=LINGER_MS)
    if worker.refused:
        print(f"worker: refused by the master at {place}: {worker.refused}", file=say)
        print(f"hint: {HINTS.get(worker.refused, 'look at what the master says')}", file=say)
        return FAULT
    heard = runner.last_heartbeat_timestamp
    if heard is not None and time.time() - heard > MASTER_HEARTBEAT_TIMEOUT:
        print(f"worker: the master at {place} is gone", file=say)
        return FAULT
    print("worker: the run is over", file=say)
    return 0
