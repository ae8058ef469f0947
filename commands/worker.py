"""Be one of several load generators: wait for a run on another machine, and do what it says until it is over."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final, NoReturn

from commands import values
from commands.exits import STOPS, stop_as_by_ctrl_c
from commands.options import MASTER_PORT, add_token_option, worker_token
from experiment.errors import ExpectedError, usage

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.trial_record import Calibration

EPILOG: Final = """\
examples:
  python3 bench.py run --expect-workers 2 --url a=http://10.0.0.5:8001 --url b=http://10.0.0.5:8002    on one machine
  python3 bench.py worker --master 10.0.0.4                          on two others
  python3 bench.py worker --master 10.0.0.4 --cpu 1                  a second one on the same machine: a core each

docs/more-machines.md says which ports, what must be alike, and what the figures mean.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--master", required=True, type=values.host, metavar="HOST", help="where `run --expect-workers` was started"
    )
    parser.add_argument(
        "--master-port", type=values.port, default=MASTER_PORT, metavar="N", help="its port (default: %(default)s)"
    )
    parser.add_argument(
        "--cpu", type=values.whole(0, 10**6), metavar="N", help="the core to run on (default: the last one)"
    )
    parser.add_argument(
        "--keep", type=values.path, metavar="DIR", help="also keep this worker's own copy of its samples here"
    )
    add_token_option(parser)


def main(arguments: argparse.Namespace) -> NoReturn:
    """Measure what can be done here, then become the worker: the process is replaced, so Ctrl-C reaches it."""
    import os
    import signal
    import socket
    import sys
    import tempfile
    from pathlib import Path

    import msgspec

    from experiment.cores import share_out
    from loadtests.orders import TOKEN_VARIABLE
    from loadtests.remote import ROOT

    stop_as_by_ctrl_c()
    token = worker_token(arguments.worker_token)
    try:
        socket.getaddrinfo(arguments.master, arguments.master_port)
    except OSError as error:
        raise usage(f"--master {arguments.master}: {error.strerror}", hint="a name or an address") from error
    cores = share_out(workers=1)
    cpu = next(iter(cores.generator), None) if arguments.cpu is None else arguments.cpu
    if cpu is not None and cpu not in os.sched_getaffinity(0):
        raise usage(f"--cpu {cpu} is no core of this process", hint=f"there are {sorted(os.sched_getaffinity(0))}")
    print("measuring what this generator can do here", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        others = [core for core in sorted(os.sched_getaffinity(0)) if core != cpu][:1]
        found = _calibrate(cpu, others, Path(folder))
    print(f"ceiling {found.ceiling_rps:.0f} requests/s", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "loadtests.generator", "--master", arguments.master]
    command += ["--port", str(arguments.master_port), "--calibration", msgspec.json.encode(found).decode()]
    command += ["--cpu", str(cpu)] if cpu is not None else []
    command += ["--keep", str(arguments.keep.resolve())] if arguments.keep else []
    os.environ[TOKEN_VARIABLE] = token
    os.chdir(ROOT)
    # What comes while the new program still imports waits until it can say that it was interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    os.execv(command[0], command)  # noqa: S606 - a list, and no shell wanted


def _calibrate(cpu: int | None, servers: list[int], folder: Path) -> Calibration:
    import sys

    from experiment.ceiling import measure_ceiling
    from loadtests.remote import Generator, GeneratorError
    from servers.settings import Settings

    try:
        with Generator(cpu=cpu) as generator:
            return measure_ceiling(generator, Settings(python=sys.executable, models_dir=folder), servers, folder)
    except GeneratorError as error:
        raise ExpectedError(str(error), hint=error.hint) from error
