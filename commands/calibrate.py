"""What the load generator itself can do here, against null+granian."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands import values
from experiment.errors import HARNESS, OK, ExpectedError, usage

if TYPE_CHECKING:
    from experiment.cores import Cores
    from loadtests.remote import Generator
    from servers.settings import Settings

EPILOG: Final = """\
examples:
  python3 bench.py calibrate
  python3 bench.py calibrate --json | jq .ceiling_rps
  python3 bench.py calibrate --against wrk       beside wrk and Locust's FastHttpUser, on the same server
  python3 bench.py calibrate --against core      a served classifier beside a bare loop of the same core

A target whose throughput comes within a third of the ceiling is not measured by this generator: its figures would be
the generator's.
"""

_LEAST_ROUNDS: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--against",
        choices=("wrk", "core"),
        help="wrk (Debian's package) and Locust's FastHttpUser beside the generator; or how much of the core's speed is"
        "\nleft behind HTTP",
    )
    parser.add_argument(
        "--stack",
        default="bottle+granian",
        metavar="FRAMEWORK+SERVER",
        help="what serves in --against core (default: %(default)s)",
    )
    parser.add_argument(
        "--users",
        type=values.whole(0, 4096),
        default=16,
        metavar="N",
        help="connections of --against core (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=values.whole(0, 10_000), default=15, metavar="N", help="of --against (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def main(arguments: argparse.Namespace) -> int:
    """Measure, and print the figures."""
    import sys
    import tempfile

    import msgspec

    from experiment.ceiling import measure_ceiling
    from experiment.cores import share_out
    from loadtests.remote import Generator, GeneratorError
    from servers.settings import Settings

    if arguments.rounds < _LEAST_ROUNDS:
        raise usage(f"--rounds {arguments.rounds} gives no interval", hint=f"at least {_LEAST_ROUNDS}")
    if arguments.users < 1:
        raise usage(f"--users {arguments.users} asks for nothing", hint="at least 1")
    cores = share_out(workers=1)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Generator(cpu=next(iter(cores.generator), None)) as generator,
        ):
            settings = Settings(python=sys.executable, models_dir=Path(folder))
            if arguments.against == "core":
                return _against_core(arguments, generator, cores, Path(folder))
            if arguments.against == "wrk":
                return _against_wrk(arguments, generator, settings, cores, Path(folder))
            found = measure_ceiling(generator, settings, cores.servers, Path(folder))
    except GeneratorError as error:
        raise ExpectedError(str(error)) from error
    if arguments.json:
        print(msgspec.json.encode(found).decode())
        return OK
    print(f"ceiling   {found.ceiling_rps:.0f} requests/s at {found.users} users, against null+granian")
    print(f"overhead  {found.overhead_us:.0f} us median at one user")
    print(f"busy      {100 * found.cpu_share:.0f} % of the time at the ceiling")
    if not cores.generator:
        print("nothing was pinned: generator and server share their cores here")
    return OK


def _against_core(arguments: argparse.Namespace, generator: Generator, cores: Cores, folder: Path) -> int:
    import sys

    from commands.terminal import StandardError
    from experiment.against_core import measure_against_core
    from experiment.built_models import built_models
    from experiment.interleaved_turns import medians
    from reports.bars import shares
    from servers.settings import Settings

    terminal = StandardError()
    rounds = measure_against_core(
        generator,
        Settings(python=sys.executable, models_dir=built_models(terminal)),
        cores,
        folder,
        stack=arguments.stack,
        users=arguments.users,
        rounds=arguments.rounds,
        say=terminal.say,
    )
    figures, found = medians(rounds), shares(rounds)
    if arguments.json:
        told = {mode: {"ratio": one.ratio, "low": one.low, "high": one.high} for mode, one in found.items()}
        print(json.dumps({"figures": figures, "shares": told}))
        return OK
    for mode, share in found.items():
        rates = [figures[f"{kind} {mode}"]["rps"] for kind in ("bare", "served")]
        print(f"{mode}: bare core {rates[0]:.0f}/s, {arguments.stack} {rates[1]:.0f} requests/s")
        print(f"  share of the bare core: {share.ratio:.3f} [{share.low:.3f}, {share.high:.3f}]")
    return OK


def _against_wrk(
    arguments: argparse.Namespace, generator: Generator, settings: Settings, cores: Cores, folder: Path
) -> int:
    from commands.terminal import StandardError
    from experiment.against_wrk import measure_against_wrk
    from experiment.interleaved_turns import medians
    from reports.bars import bars

    rounds = measure_against_wrk(generator, settings, cores, folder, rounds=arguments.rounds, say=StandardError().say)
    figures, found = medians(rounds), bars(rounds)
    if arguments.json:
        print(json.dumps({"figures": figures, "bars": [bar.to_json() for bar in found]}))
    else:
        for name, its in figures.items():
            median = f"  median {its['p50_us']:6.0f} us" if "p50_us" in its else ""
            print(f"{name:16} {its['rps']:8.0f} requests/s  busy {its['busy_us']:5.1f} us a request{median}")
        for bar in found:
            limit = f"{'at least' if bar.at_least else 'at most'} {bar.limit:g}"
            missed = "DOES NOT HOLD" if bar.refuted else "does not hold here, but within the noise"
            ratio = f"{bar.measured.ratio:.3f} [{bar.measured.low:.3f}, {bar.measured.high:.3f}]"
            print(f"{bar.name}: {ratio} ({limit}) {'holds' if bar.holds else missed}")
        if not cores.generator:
            print("nothing was pinned: generator and server share their cores here")
    return OK if all(bar.holds for bar in found) else HARNESS
