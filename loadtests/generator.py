"""The generator's process: `python -m loadtests.generator [--cpu N]`.

It lives across trials and speaks JSON, one object a line, over its standard input and output; logs go to
standard error. It ends when its standard input closes, also in the middle of a trial, so it never outlives
the harness.

Asked of it, one at a time:

    {"op": "trial", ...} as loadtests.orders.TrialOrder.to_json writes it:
        scenario {id, endpoint, payloads, encoding, arrival, users, rates_rps (if open)}, slices, slice_s,
        longest_slice_s, warmup_slices, longest_warmup_slices, seed, timeout_s, ceiling_rps|null, limit_ms|null,
        out|null (folder of the samples), label (stem of their names),
        targets [{id, base_url, pids, requests [{method, path, headers, body_b64, expect_status,
                                                 expect_body_b64|null}]}]
    {"op": "calibrate", "target": {as above}, "users", "slices", "slice_s", "timeout_s", "seed"}

Answered by it:

    {"event": "ready", "pid", "cpus", "versions": {python, locust, gevent, httptools}, "backend"}, at the start
    {"event": "slice", "stage": "warmup"|"measure", "round", "rounds", "target", "rps"|null, "errors",
        "lost"|null}, after each visit
    {"event": "trial", "results": [one record a target, in the order given]}
    {"event": "calibration", "ceiling_rps", "overhead_us", "users", "cpu_share"}
    {"event": "error", "message", "traceback"}, where the generator or its caller is at fault

A trial's record holds what loadtests.tally.TargetTally.record writes, which is the journal's trial line
without `kind` and `block`.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import platform
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

# Locust patches the standard library on import; everything below must see it patched.
import locust  # noqa: F401 - imported for its patching, before gevent's users

import gevent  # isort: skip
from gevent.os import make_nonblocking, nb_read  # isort: skip
from gevent.queue import Queue  # isort: skip

from loadtests.calibrate import calibrate
from loadtests.orders import TrialOrder
from loadtests.slices import Conductor

READ_BYTES = 65536


def say(event: dict[str, Any]) -> None:
    """Write one event, at once."""
    sys.stdout.write(json.dumps(event, separators=(",", ":"), allow_nan=False) + "\n")
    sys.stdout.flush()


def listen(requests: Queue[bytes]) -> None:
    """Put each line of standard input into the queue; returns when it is closed."""
    descriptor = sys.stdin.fileno()
    make_nonblocking(descriptor)
    rest = b""
    while data := nb_read(descriptor, READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            requests.put(line)


@contextmanager
def awake(cpu: int | None) -> Iterator[None]:
    """Keep the generator's own core from sleeping, where it has one; only while it measures."""
    if cpu is None or not hasattr(os, "SCHED_IDLE"):
        yield
        return
    command = [sys.executable, "-m", "loadtests.awake", str(cpu), str(os.getpid())]
    pid = os.posix_spawn(sys.executable, command, dict(os.environ))
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def serve(requests: Queue[bytes], cpu: int | None) -> None:
    """Answer requests for ever."""
    while True:
        try:
            message = json.loads(requests.get())
            with awake(cpu):
                found = answer(message)
            say(found)
        except Exception as error:  # noqa: BLE001 - reported to the harness, which raises it there
            say(
                {
                    "event": "error",
                    "message": f"{type(error).__name__}: {error}",
                    "traceback": traceback.format_exc(),
                }
            )


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """The closing event of one request. Raises ValueError for an operation that there is not."""
    if message["op"] == "trial":
        return {"event": "trial", "results": Conductor(TrialOrder.from_json(message), say).run()}
    if message["op"] == "calibrate":
        return {"event": "calibration", **calibrate(message, say).to_json()}
    raise ValueError(f"unknown operation {message['op']!r}")


def main() -> int:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.generator")
    parser.add_argument("--cpu", type=int, help="pin the generator to this core")
    arguments = parser.parse_args()
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    # Open loops keep up to 4096 connections; the usual soft limit of open files is 1024.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    # What the imports have left is never garbage; frozen, it costs the collections between slices nothing.
    gc.collect()
    gc.freeze()
    say(
        {
            "event": "ready",
            "pid": os.getpid(),
            "cpus": sorted(os.sched_getaffinity(0)),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("locust", "gevent", "httptools")},
            },
            "backend": gevent.get_hub().loop.backend,
        }
    )
    requests: Queue[bytes] = Queue()
    server = gevent.spawn(serve, requests, arguments.cpu)
    listener = gevent.spawn(listen, requests)
    gevent.wait([server, listener], count=1)
    server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
