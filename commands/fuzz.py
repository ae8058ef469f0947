"""Fuzz the contract: `python bench.py fuzz requests`, `schema`, or `repeat SEED NUMBER`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands.exits import run_program
from commands.terminal import Terminal
from experiment.errors import FINDING, HARNESS, INTERRUPTED, OK

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.fuzzing.faults import Tally
    from conformance.fuzzing.schema import SchemaRun
    from conformance.http_connection import HttpExchange
    from conformance.http_request import HttpRequest

_EPILOG: Final = """\
examples:
  python bench.py fuzz requests --requests 1000000 --seed 7     in process, flask against bottle against wsgi
  python bench.py fuzz requests --requests 50000 --sockets      over raw sockets, on granian, gunicorn and waitress
  python bench.py fuzz repeat 7 1234                            number 1234 of seed 7 again
  python bench.py fuzz schema --examples 500 --sockets          Schemathesis with all its checks

exit codes: 0 nothing found; 1 a fault was found; 3 the harness could not tell
"""

_SOCKETS: Final = "over raw sockets, on every WSGI server, instead of in process"


def main(arguments: list[str]) -> int:
    """Parse, run, print; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python bench.py fuzz",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="verb", required=True)
    requests = verbs.add_parser("requests", help="the frameworks against each other on generated requests")
    requests.add_argument("--requests", type=int, default=100_000, metavar="N", help="default: %(default)s")
    requests.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)"
    )
    requests.add_argument(
        "--out", type=Path, default=Path(".cache/fuzzing"), metavar="DIR", help="where found cases go (%(default)s)"
    )
    schema = verbs.add_parser("schema", help="Schemathesis on /openapi.json, with all its checks")
    schema.add_argument("--examples", type=int, default=200, metavar="N", help="per operation (default: %(default)s)")
    for verb in (requests, schema):
        verb.add_argument("--seed", type=int, help="default: a new one, printed")
        verb.add_argument("--sockets", action="store_true", help=_SOCKETS)
    repeat = verbs.add_parser("repeat", help="one generated request again, with all answers")
    repeat.add_argument("seed", type=int)
    repeat.add_argument("number", type=int)
    repeat.add_argument("--server", metavar="NAME", help="over a raw socket, on this WSGI server")
    chosen = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = {"requests": _requests, "schema": _schema, "repeat": _repeat}[
        chosen.verb
    ]
    return run_program("fuzzing", lambda: run(chosen))


def _requests(arguments: argparse.Namespace) -> int:
    from conformance.fuzzing import differential as in_process  # noqa: PLC0415 - TensorFlow and the frameworks stay out of --help
    from conformance.fuzzing import socket_lanes as sockets  # noqa: PLC0415
    from conformance.fuzzing.faults import Tally  # noqa: PLC0415

    seed, terminal = _seed(arguments), Terminal()
    print(f"seed {seed}, {arguments.requests} requests, each to wsgi, flask and bottle", flush=True)
    tally = Tally()
    interrupted = False
    with terminal.bar("Fuzzing") as bar:

        def told(so_far: Tally) -> None:
            nonlocal tally
            tally = so_far
            rate = tally.requests / max(tally.seconds, 1e-9)
            bar.update(tally.requests, arguments.requests, f"{rate:.0f} requests/s, {len(tally.found)} signatures")

        try:
            if arguments.sockets:
                sockets.run_all(seed=seed, requests=arguments.requests, told=told, terminal=terminal)
            else:
                in_process.run_all(seed=seed, requests=arguments.requests, jobs=arguments.jobs, told=told)
        except KeyboardInterrupt:
            interrupted = True
            print("interrupted; until then:")
    found = _report(tally, arguments.out, shrink=not arguments.sockets and not interrupted)
    return INTERRUPTED if interrupted else found


def _report(tally: Tally, out: Path, *, shrink: bool) -> int:
    from conformance.fuzzing.differential import Differential, loaded_service  # noqa: PLC0415
    from conformance.fuzzing.faults import CASES_FILE, write_cases  # noqa: PLC0415 - as above

    rate = tally.requests / max(tally.seconds, 1e-9)
    print(f"{tally.requests} requests in {tally.seconds:.0f} s, {rate:.0f} a second")
    print("answers: " + ", ".join(f"{name} {count}" for name, count in tally.statuses.most_common()))
    if not tally.found:
        print("no fault: no 5xx, no hang, no difference, nothing unlawful")
        return OK
    found = list(tally.found.values())
    if shrink:
        differential = Differential(loaded_service(Terminal()))
        found = [differential.shrunk(each) for each in found]
    path = write_cases(found, out)
    for each in found:
        print(f"\n{each.fault.signature}: {tally.seen[each.fault.signature]} requests\n  {each.fault.detail}")
        print(f"  repeat    {each.repeat}")
    print(f"\n{len(found)} signatures, as cases in {path}; to keep one, name it and append it to {CASES_FILE}")
    return FINDING


def _schema(arguments: argparse.Namespace) -> int:
    from conformance.fuzzing import differential as in_process  # noqa: PLC0415 - as above
    from conformance.fuzzing import schema  # noqa: PLC0415
    from conformance.fuzzing import socket_lanes as sockets  # noqa: PLC0415

    seed, terminal = _seed(arguments), Terminal()
    print(f"seed {seed}, up to {arguments.examples} examples an operation", flush=True)
    runs: dict[str, SchemaRun] = {}
    if arguments.sockets:
        for server in sockets.SERVERS:
            with sockets.served(server, terminal) as urls:
                for name, url in urls.items():
                    runs[f"{name}+{server}"] = schema.over_socket(url, seed=seed, examples=arguments.examples)
    else:
        for name, app in in_process.apps(in_process.loaded_service(terminal)).items():
            runs[name] = schema.in_process(app, seed=seed, examples=arguments.examples)
    for name, run in runs.items():
        print(f"{name}: {run.cases} cases, {run.checks.total()} checks of {len(run.checks)} kinds,", end=" ")
        print(f"{len(run.failures)} failures")
        for line in (*run.failures, *(f"could not tell: {error}" for error in run.errors)):
            print(line)
    if any(run.errors for run in runs.values()):
        return HARNESS
    return FINDING if any(run.failures for run in runs.values()) else OK


def _repeat(arguments: argparse.Namespace) -> int:
    from conformance.fuzzing import draw  # noqa: PLC0415 - as above
    from conformance.fuzzing.judge import judged  # noqa: PLC0415

    request = draw.at(arguments.seed, arguments.number)
    print(request)
    with _asking(arguments.server) as ask:
        seen = ask(request)
    for name, exchange in seen.items():
        print(f"{name:7} {exchange.describe()}")
    fault = judged(request, seen, server=arguments.server is not None)
    print("no fault" if fault is None else f"{fault.signature}\n  {fault.detail}")
    return OK if fault is None else FINDING


@contextmanager
def _asking(server: str | None) -> Iterator[Callable[[HttpRequest], Mapping[str, HttpExchange]]]:
    from conformance.fuzzing import differential as in_process  # noqa: PLC0415 - as above
    from conformance.fuzzing import socket_lanes as sockets  # noqa: PLC0415

    terminal = Terminal()
    if server is None:
        yield in_process.Differential(in_process.loaded_service(terminal)).ask
        return
    with sockets.served(server, terminal) as urls:
        yield lambda request: sockets.ask(urls, request)


def _seed(arguments: argparse.Namespace) -> int:
    return secrets.randbelow(2**31) if arguments.seed is None else int(arguments.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
