"""The generator's process: `python -m loadtests.generator [--cpu N] [--expect-workers N | --master HOST]`.

With `--expect-workers` it sends no request itself: it is the master of workers, among which every trial is shared out.
With `--master` it is one of them, and all of the following is its master's.

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
    {"op": "muster"}, of a master: wait for the expected workers

Answered by it:

    {"event": "ready", "pid", "cpus", "versions": {python, locust, gevent, httptools}, "backend"}, at the start
    {"event": "slice", "stage": "warmup"|"measure", "round", "rounds", "target", "rps"|null, "errors",
        "lost"|null}, after each visit
    {"event": "trial", "results": [one record a target, in the order given]}
    {"event": "calibration", "ceiling_rps", "overhead_us", "users", "cpu_share"}
    {"event": "mustered", "workers": [{id, host, calibration: {ceiling_rps, overhead_us, users, cpu_share}|null}]}
    {"event": "error", "message", "traceback"}, where the generator or its caller is at fault
    {"event": "unmanned", "message", "hint"}, where workers are missing or cannot come; also in place of `ready`

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
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Locust patches the standard library on import; everything below must see it patched.
import locust  # noqa: F401 - imported for its patching, before gevent's users

import gevent  # isort: skip
from gevent.os import make_nonblocking, nb_read  # isort: skip
from gevent.queue import Queue  # isort: skip

from loadtests.calibrate import calibrate
from loadtests.master import Master, MusterError
from loadtests.orders import TrialOrder, Workforce
from loadtests.slices import Conductor
from loadtests.worker import work
from loadtests.world import REAL

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


def serve(requests: Queue[bytes], master: Master | None) -> None:
    """Answer requests for ever."""
    while True:
        try:
            message = json.loads(requests.get())
            say(answer(message, master))
        except MusterError as error:
            say({"event": "unmanned", "message": str(error), "hint": error.hint})
        except Exception as error:  # noqa: BLE001 - reported to the harness, which raises it there
            say(
                {
                    "event": "error",
                    "message": f"{type(error).__name__}: {error}",
                    "traceback": traceback.format_exc(),
                }
            )


def answer(message: dict[str, Any], master: Master | None = None) -> dict[str, Any]:
    """The closing event of one request.

    Raises ValueError for an operation that there is not, MusterError where a master has too few workers.
    """
    if message["op"] == "trial":
        order = TrialOrder.from_json(message)
        stage = master.troupe(order) if master else None
        return {"event": "trial", "results": Conductor(order, say, stage).run()}
    if message["op"] == "calibrate" and master is None:
        return {"event": "calibration", **calibrate(message, say).to_json()}
    if message["op"] == "muster" and master is not None:
        workers = [{"id": peer.id, "host": peer.host, "calibration": peer.calibration} for _, peer in master.muster()]
        return {"event": "mustered", "workers": workers}
    raise ValueError(f"unknown operation {message['op']!r}")


def main() -> int:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.generator")
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
        REAL.take_core(arguments.cpu)
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
                )
            )
        except MusterError as error:
            say({"event": "unmanned", "message": str(error), "hint": error.hint})
            return 1
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
    server = gevent.spawn(serve, requests, master)
    listener = gevent.spawn(listen, requests)
    gevent.wait([server, listener], count=1)
    server.kill()
    if master is not None:
        master.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
