"""Climb the ladder: what a request costs in the model, the codec, the WSGI call and over HTTP, and in instructions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from commands.options import add_open_option
from experiment.errors import HARNESS, OK, usage

EPILOG: Final = """\
examples:
  python bench.py micro --quick                       two minutes' look: the compiled model, the usual encodings
  python bench.py micro                               two modes, every encoding, and instructions counted exactly
  python bench.py micro --modes all --server granian
  python bench.py micro --into reports/runs/RUN       put the ladder into the report of a run
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
        "--seconds", type=float, help=f"for each mode, endpoint and encoding (default: {_SECONDS:g}, quick 3)"
    )
    parser.add_argument("--seed", type=int, help="order of visits; recorded (default: a new one)")
    parser.add_argument("--no-exact", action="store_true", help="do not count instructions under Callgrind")
    add_open_option(parser)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--out", type=Path, metavar="DIR", help="folder (default: reports/runs/TIME-micro)")
    place.add_argument("--into", type=Path, metavar="DIR", help="a run's folder, whose report then shows the ladder")


def main(arguments: argparse.Namespace) -> int:
    """Climb, count, draw; 3 where the rungs contradict each other."""
    from commands.run_outcome import draw_and_print
    from commands.terminal import StandardError
    from experiment.ladder_run import Ladder

    if arguments.seconds is not None and arguments.seconds <= 0:
        raise usage(f"--seconds {arguments.seconds:g} is no time")
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
