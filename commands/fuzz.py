"""Fuzz the contract: generated requests, each to flask, bottle and wsgi, until they differ or break it."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from commands import values
from experiment.errors import FINDING, HARNESS, INTERRUPTED, OK

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from conformance.fuzzing.differential import Apps
    from conformance.fuzzing.faults import Tally
    from conformance.fuzzing.schema import SchemaRun
    from conformance.fuzzing.whole_pictures import Decoder, PictureTally
    from conformance.http_connection import HttpExchange
    from conformance.http_request import HttpRequest
    from servers.core.service import Service

EPILOG: Final = """\
examples:
  python3 bench.py fuzz requests --requests 1000000 --seed 7     in process, flask against bottle against wsgi
  python3 bench.py fuzz requests --requests 50000 --sockets      over raw sockets, on granian, gunicorn and waitress
  python3 bench.py fuzz repeat 7 1234                            number 1234 of seed 7 again
  python3 bench.py fuzz pictures --pictures 10000 --seed 7       the core's decoder against TensorFlow's
  python3 bench.py fuzz schema --examples 500 --sockets          Schemathesis with all its checks

exit codes: 0 nothing found; 1 a fault was found; 3 the harness could not tell
"""

FRAMEWORKS: Final = ("wsgi", "flask", "bottle")
"""No framework is the yardstick: then a difference names the framework that makes it."""

SERVERS: Final = ("granian", "gunicorn", "waitress")

_MODELS: Final = {"/predict": "linear_regression", "/advanced_predict": "advanced_regression"}
_SOCKETS: Final = "over raw sockets, on every WSGI server, instead of in process"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of each of the ways to fuzz."""
    ways = parser.add_subparsers(dest="way", metavar="way", required=True)
    requests = ways.add_parser("requests", help="the frameworks against each other on generated requests")
    requests.add_argument(
        "--requests", type=values.whole(1, 10**12), default=100_000, metavar="N", help="default: %(default)s"
    )
    requests.add_argument(
        "--out",
        type=values.path,
        default=Path(".cache/fuzzing"),
        metavar="DIR",
        help="where found cases go (%(default)s)",
    )
    pictures = ways.add_parser("pictures", help="whole pictures of all kinds, decoded by the core and by TensorFlow")
    pictures.add_argument(
        "--pictures", type=values.whole(1, 10**9), default=10_000, metavar="N", help="default: %(default)s"
    )
    schema = ways.add_parser("schema", help="Schemathesis on /openapi.json, with all its checks")
    schema.add_argument(
        "--examples", type=values.whole(1, 10**9), default=200, metavar="N", help="per operation (default: %(default)s)"
    )
    for way in (requests, pictures):
        way.add_argument(
            "--jobs",
            type=values.whole(1, 1024),
            default=os.cpu_count() or 1,
            metavar="N",
            help="processes (default: cores)",
        )
    for way in (requests, pictures, schema):
        way.add_argument("--seed", type=values.seed, help="default: a new one, printed")
    for way in (requests, schema):
        way.add_argument("--sockets", action="store_true", help=_SOCKETS)
    repeat = ways.add_parser("repeat", help="one generated request again, with all answers")
    repeat.add_argument("seed", type=values.seed)
    repeat.add_argument("number", type=values.whole(0, 10**12))
    repeat.add_argument("--server", metavar="NAME", choices=SERVERS, help="over a raw socket, on this WSGI server")


def main(arguments: argparse.Namespace) -> int:
    """Fuzz one way, and print what was found."""
    ways: dict[str, Callable[[argparse.Namespace], int]] = {
        "requests": _requests,
        "pictures": _pictures,
        "schema": _schema,
        "repeat": _repeat,
    }
    return ways[arguments.way](arguments)


def apps(service: Service) -> Apps:
    """The adapters over one core, each as a server would call it."""
    from importlib import import_module

    from servers import registry

    modules = {name: registry.FRAMEWORKS[name].module for name in FRAMEWORKS}
    return {name: import_module(f"servers.apps.{module}").create_app(service) for name, module in modules.items()}


def loaded_apps() -> Apps:
    """The adapters over a core that has its models loaded as they are served by default.

    In this process, which no other command does: here nothing is timed, and each request costs microseconds.
    """
    from commands.terminal import StandardError
    from experiment.built_models import built_models
    from servers.core.endpoints import ENDPOINTS
    from servers.core.loading import load
    from servers.core.service import Service

    service = Service(
        target="fuzzing", endpoints=ENDPOINTS, facts={"parts": {}, "versions": {}, "threads": {}, "pid": 0}
    )
    service.loaded = load(mode="function", device="cpu", folder=built_models(StandardError()), intra=1, inter=1)
    return apps(service)


def reference(path: str, rows: NDArray[Any]) -> NDArray[Any]:
    """What the model behind a route answers, in float64."""
    from servers.models import reference as float64

    return float64.reference(_MODELS[path], rows)


@contextmanager
def _served(server: str) -> Iterator[Mapping[str, str]]:
    """The frameworks on `server`, up and warm: base URL by framework."""
    import tempfile

    from commands.terminal import StandardError
    from experiment.built_models import built_models
    from servers.fleet import Berth, Fleet
    from servers.settings import Settings
    from servers.target import Target

    targets = {name: Target.parse(f"{name}+{server}") for name in FRAMEWORKS}
    settings = Settings(python=sys.executable, models_dir=built_models(StandardError()))
    with (
        tempfile.TemporaryDirectory(prefix="titrate-") as logs,
        Fleet(logs=Path(logs)) as fleet,
    ):
        fleet.launch([Berth(name=name, target=one, settings=settings) for name, one in targets.items()])
        yield {name: up.base_url for name, up in fleet.servers.items()}


def _requests(arguments: argparse.Namespace) -> int:
    from commands.terminal import StandardError
    from conformance.fuzzing import differential, socket_lanes
    from conformance.fuzzing.faults import Tally

    seed = _seed(arguments)
    print(f"seed {seed}, {arguments.requests} requests, each to wsgi, flask and bottle", flush=True)
    tally = Tally()
    interrupted = False
    with StandardError().bar("Fuzzing") as bar:

        def told(so_far: Tally) -> None:
            nonlocal tally
            tally = so_far
            rate = tally.requests / max(tally.seconds, 1e-9)
            bar.update(tally.requests, arguments.requests, f"{rate:.0f} requests/s, {len(tally.found)} signatures")

        try:
            if arguments.sockets:
                socket_lanes.run_all(SERVERS, _served, seed=seed, requests=arguments.requests, told=told)
            else:
                differential.run_all(
                    loaded_apps, seed=seed, requests=arguments.requests, jobs=arguments.jobs, told=told
                )
        except KeyboardInterrupt:
            interrupted = True
            print("interrupted; until then:")
    found = _report(tally, arguments.out, shrink=not arguments.sockets and not interrupted)
    return INTERRUPTED if interrupted else found


def _report(tally: Tally, out: Path, *, shrink: bool) -> int:
    from conformance.fuzzing.differential import Differential
    from conformance.fuzzing.faults import CASES_FILE, write_cases

    rate = tally.requests / max(tally.seconds, 1e-9)
    print(f"{tally.requests} requests in {tally.seconds:.0f} s, {rate:.0f} a second")
    print("answers: " + ", ".join(f"{name} {count}" for name, count in tally.statuses.most_common()))
    if not tally.found:
        print("no fault: no 5xx, no hang, no difference, nothing unlawful")
        return OK
    found = list(tally.found.values())
    if shrink:
        differential = Differential(loaded_apps())
        found = [differential.shrunk(each) for each in found]
    path = write_cases(found, out)
    for each in found:
        print(f"\n{each.fault.signature}: {tally.seen[each.fault.signature]} requests\n  {each.fault.detail}")
        print(f"  repeat    {each.repeat}")
    print(f"\n{len(found)} signatures, as cases in {path}; to keep one, name it and append it to {CASES_FILE}")
    return FINDING


def picture_decoders() -> tuple[Decoder, Decoder]:
    """The core's decoder and TensorFlow's, for a process that decodes and does nothing else."""
    from importlib import import_module

    decoders = import_module("servers.tensorflow_pictures")
    return decoders.by_the_core, decoders.by_tensorflow


def _pictures(arguments: argparse.Namespace) -> int:
    from commands.terminal import StandardError
    from conformance.fuzzing import whole_pictures

    seed = _seed(arguments)
    print(f"seed {seed}, {arguments.pictures} pictures, each decoded by the core and by TensorFlow", flush=True)
    with StandardError().bar("Decoding") as bar:

        def told(so_far: PictureTally) -> None:
            bar.update(so_far.pictures, arguments.pictures, f"{len(so_far.faults)} faults")

        tally = whole_pictures.run_all(
            picture_decoders, seed=seed, pictures=arguments.pictures, jobs=arguments.jobs, told=told
        )
    print(", ".join(f"{count} pictures {apart} levels apart" for apart, count in sorted(tally.alike.items())))
    for why, count in sorted(tally.refused.items()):
        print(f"{count} refused by both: {why}")
    print("\n".join(tally.faults) or "no fault: none further apart, none refused that can be decoded, none misnamed")
    return FINDING if tally.faults else OK


def _schema(arguments: argparse.Namespace) -> int:
    from conformance.fuzzing import schema

    seed = _seed(arguments)
    print(f"seed {seed}, up to {arguments.examples} examples an operation", flush=True)
    runs: dict[str, SchemaRun] = {}
    if arguments.sockets:
        for server in SERVERS:
            with _served(server) as urls:
                for name, url in urls.items():
                    runs[f"{name}+{server}"] = schema.over_socket(
                        url, reference, seed=seed, examples=arguments.examples
                    )
    else:
        for name, app in loaded_apps().items():
            runs[name] = schema.in_process(app, reference, seed=seed, examples=arguments.examples)
    for name, run in runs.items():
        print(f"{name}: {run.cases} cases, {run.checks.total()} checks of {len(run.checks)} kinds,", end=" ")
        print(f"{len(run.failures)} failures")
        for line in (*run.failures, *(f"could not tell: {error}" for error in run.errors)):
            print(line)
    if any(run.errors for run in runs.values()):
        return HARNESS
    return FINDING if any(run.failures for run in runs.values()) else OK


def _repeat(arguments: argparse.Namespace) -> int:
    from conformance.fuzzing import draw
    from conformance.fuzzing.judge import judged

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
    from conformance.fuzzing import socket_lanes
    from conformance.fuzzing.differential import Differential

    if server is None:
        yield Differential(loaded_apps()).ask
        return
    with _served(server) as urls:
        yield lambda request: socket_lanes.ask(urls, request)


def _seed(arguments: argparse.Namespace) -> int:
    return secrets.randbelow(2**31) if arguments.seed is None else int(arguments.seed)
