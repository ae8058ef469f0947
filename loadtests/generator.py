"""The generator's process: `python -m loadtests.generator [--cpu N] [--expect-workers N | --master HOST]`.

With `--expect-workers` it sends no request itself: it is the master of workers, among which every trial is shared out.
With `--master` it is one of them, and all of the following is its master's.

It lives across trials and speaks JSON, one object a line, over its standard input and output; logs go to
standard error. It ends when its standard input closes, also in the middle of a trial, so it never outlives
the harness.

Asked of it, one at a time, is what loadtests.orders declares, and its answers are the events of loadtests.events: each
order is answered by one closing event of its own, a trial by a `slice` after each slice before that, and any of them by
an `error` or a `missing_workers` instead.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import platform
import resource
import sys
import traceback
from importlib.metadata import version
from pathlib import Path

# Locust patches the standard library on import; everything below must see it patched.
import locust  # noqa: F401 - imported for its patching, before gevent's users

import gevent  # isort: skip
from gevent.os import make_nonblocking, nb_read  # isort: skip
from gevent.queue import Queue  # isort: skip

import msgspec

from loadtests.events import (
    CalibrationEvent,
    ErrorEvent,
    Event,
    MissingWorkersEvent,
    ReadyEvent,
    TrialEvent,
    WorkersEvent,
)
from loadtests.master import Master
from loadtests.orders import TOKEN_VARIABLE, CalibrationOrder, Order, TrialOrder, WorkersOrder, Workforce
from loadtests.remote import MissingWorkersError
from loadtests.system import REAL_SYSTEM
from loadtests.trial import CalibrationError, Trial, calibrate
from loadtests.worker_process import work
from loadtests.workers_runner import WorkersRunner

READ_BYTES = 65536


def say(event: Event) -> None:
    """Write one event, at once."""
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def listen(requests: Queue[bytes]) -> None:
    """Put each line of standard input into the queue; returns when it is closed."""
    descriptor = sys.stdin.fileno()
    make_nonblocking(descriptor)
    rest = b""
    while data := nb_read(descriptor, READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            requests.put(line)


def serve(requests: Queue[bytes], master: Master | None) -> None:
    """Answer orders for ever."""
    decoder = msgspec.json.Decoder(Order)
    while True:
        try:
            say(answer(decoder.decode(requests.get()), master))
        except MissingWorkersError as error:
            say(MissingWorkersEvent(message=str(error), hint=error.hint))
        except CalibrationError as error:
            say(ErrorEvent(message=str(error), traceback=""))
        except OSError as error:
            path = None if error.filename is None else str(error.filename)
            message = error.strerror or str(error)
            say(ErrorEvent(message=message, traceback=traceback.format_exc(), errno=error.errno, path=path))
        except Exception as error:  # noqa: BLE001 - reported to the harness, which raises it there
            say(ErrorEvent(message=f"{type(error).__name__}: {error}", traceback=traceback.format_exc()))


def answer(order: Order, master: Master | None = None) -> Event:
    """The closing event of one order.

    Raises ValueError where it is not for this process, MissingWorkersError where a master has too few workers.
    """
    if isinstance(order, TrialOrder):
        runner = WorkersRunner(master, order, master.wait_for_workers()) if master else None
        return TrialEvent(results=Trial(order, say, runner).run())
    if isinstance(order, CalibrationOrder) and master is None:
        return CalibrationEvent(found=calibrate(order, say))
    if isinstance(order, WorkersOrder) and master is not None:
        return WorkersEvent(workers=[worker for _, worker in master.wait_for_workers()])
    raise ValueError(f"{type(order).__name__} is not for a generator {'with' if master else 'without'} workers")


def main() -> int:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m loadtests.generator")
    parser.add_argument("--cpu", type=int, help="pin the generator to this core")
    parser.add_argument("--expect-workers", type=int, metavar="N", help="be the master of so many workers")
    parser.add_argument("--bind", default="*", help="where a master listens (default: all addresses)")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="how long it waits (default: %(default)s)")
    parser.add_argument("--master", metavar="HOST", help="be a worker of the master there")
    parser.add_argument("--port", type=int, default=5557, help="the master's (default: %(default)s)")
    parser.add_argument("--calibration", type=json.loads, help="JSON: what this worker can do")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where a worker keeps a copy of its samples")
    arguments = parser.parse_args()
    if arguments.cpu is not None and arguments.expect_workers is None:
        REAL_SYSTEM.take_core(arguments.cpu)
    elif arguments.cpu is not None:
        # A master only waits.
        os.sched_setaffinity(0, {arguments.cpu})
    # Open loops keep up to 4096 connections; the usual soft limit of open files is 1024.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    # What the imports have left is never garbage; frozen, it costs the collections between slices nothing.
    gc.collect()
    gc.freeze()
    if arguments.master is not None:
        return work(
            master=arguments.master,
            port=arguments.port,
            calibration=arguments.calibration,
            keep=arguments.keep,
            token=os.environ.get(TOKEN_VARIABLE, ""),
        )
    master = None
    if arguments.expect_workers is not None:
        try:
            master = Master(
                Workforce(
                    expect=arguments.expect_workers,
                    bind=arguments.bind,
                    port=arguments.port,
                    timeout_s=arguments.timeout_s,
                    token=os.environ.get(TOKEN_VARIABLE, ""),
                ),
                say,
            )
        except MissingWorkersError as error:
            say(MissingWorkersEvent(message=str(error), hint=error.hint))
            return 1
    say(
        ReadyEvent(
            pid=os.getpid(),
            cpus=sorted(os.sched_getaffinity(0)),
            versions={
                "python": platform.python_version(),
                **{name: version(name) for name in ("locust", "gevent", "httptools")},
            },
            backend=gevent.get_hub().loop.backend,
        )
    )
    requests: Queue[bytes] = Queue()
    server = gevent.spawn(serve, requests, master)
    listener = gevent.spawn(listen, requests)
    gevent.wait([server, listener], count=1)
    server.kill()
    if master is not None:
        master.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
