"""Climb the ladder: what a request costs in the model, the codec, the WSGI call and over HTTP, and in instructions."""

from __future__ import annotations

import argparse
from typing import Final

from commands import values
from commands.options import add_open_option
from experiment.errors import HARNESS, OK, usage

EPILOG: Final = """\
examples:
  python3 bench.py micro --quick                       two minutes' look: the TensorFlow graph, the usual encodings
  python3 bench.py micro                               two modes, every encoding, and instructions counted exactly
  python3 bench.py micro --modes all --server granian
  python3 bench.py micro --into reports/runs/RUN       put the ladder into the report of a run
  pytest-benchmark compare A/ladder.json B/ladder.json

The folder holds ladder.json (pytest-benchmark's own format) and instructions.json; `bench.py report DIR` draws it.
"""

_QUICK_SECONDS: Final = 3.0
_SECONDS: Final = 4.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--quick", action="store_true", help="one mode, usual encodings, a shorter time")
    parser.add_argument("--modes", metavar="A,B", help="execution modes, or `all` (default: function,eager)")
    parser.add_argument("--frameworks", metavar="A,B", default="", help="default: flask, bottle and wsgi")
    parser.add_argument("--endpoints", metavar="E,F", default="", help="default: all")
    parser.add_argument("--encodings", choices=("all", "usual"), help="default: all; with --quick usual")
    parser.add_argument("--server", default="gunicorn", help="WSGI server of the HTTP rung (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=values.number(3600),
        help=f"for each mode, endpoint and encoding (default: {_SECONDS:g}, quick 3)",
    )
    parser.add_argument("--seed", type=values.seed, help="order of visits; recorded (default: a new one)")
    parser.add_argument("--no-exact", action="store_true", help="do not count instructions under Callgrind")
    add_open_option(parser)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--out", type=values.path, metavar="DIR", help="folder (default: reports/runs/TIME-micro)")
    place.add_argument(
        "--into", type=values.folder, metavar="DIR", help="a run's folder, whose report then shows the ladder"
    )


def main(arguments: argparse.Namespace) -> int:
    """Climb, count, draw; 3 where the rungs contradict each other."""
    _refuse_unknown(arguments)
    from commands.run_outcome import draw_and_print
    from commands.terminal import StandardError
    from experiment.ladder_run import Ladder

    quick = arguments.quick
    ladder = Ladder(
        terminal=StandardError(),
        modes=arguments.modes or ("function" if quick else "function,eager"),
        frameworks=arguments.frameworks,
        endpoints=arguments.endpoints,
        encodings=arguments.encodings or ("usual" if quick else "all"),
        server=arguments.server,
        seconds=arguments.seconds or (_QUICK_SECONDS if quick else _SECONDS),
        seed=arguments.seed,
        exact=not arguments.no_exact,
        out=arguments.out,
        into=arguments.into,
    )
    summary = draw_and_print(ladder.climb(), show=arguments.open)
    return HARNESS if summary.ladder and summary.ladder.inconsistent else OK


def _refuse_unknown(arguments: argparse.Namespace) -> None:
    """Raise ExpectedError for a name of what there is not, before a folder is made for it."""
    from servers.models.payloads import ENCODINGS
    from servers.registry import FRAMEWORKS, MODES
    from servers.web_servers import DEV, INTERFACES, SERVERS

    contract = [name for name, one in FRAMEWORKS.items() if one.contract]
    for option, known in (
        ("modes", [*(name for name, mode in MODES.items() if mode.lacks is None), "all"]),
        ("frameworks", [*contract, "all"]),
        ("endpoints", [*ENCODINGS, "all"]),
        ("server", [name for name in SERVERS if name != DEV and INTERFACES[name] == "wsgi"]),
    ):
        text: str | None = getattr(arguments, option)
        names = (text or "").split(",") if text or option == "server" else []
        if unknown := [name for name in names if name not in known or (name == "all" and len(names) > 1)]:
            raise usage(f"--{option} {unknown[0]!r} is none that can run here", hint=f"there are {', '.join(known)}")
        if twice := [name for name in names if names.count(name) > 1]:
            raise usage(f"--{option}: {twice[0]} is given twice", hint=f"there are {', '.join(known)}")
