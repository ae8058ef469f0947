"""What the load generator itself can do here, against null+granian."""

from __future__ import annotations

import argparse
import json
from typing import Final

from verbs.exits import OK, ExpectedError

EPILOG: Final = """\
examples:
  python bench.py calibrate
  python bench.py calibrate --json | jq .ceiling_rps

A target whose throughput comes within a third of the ceiling is not measured by this generator: its figures would be
the generator's.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def main(arguments: argparse.Namespace) -> int:
    """Measure, and print the figures."""
    import sys  # noqa: PLC0415 - kept out of --help
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from loadtests.remote import Generator, GeneratorError  # noqa: PLC0415
    from servers.settings import Settings  # noqa: PLC0415
    from verbs.ceiling import measure_ceiling  # noqa: PLC0415
    from verbs.cores import share_out  # noqa: PLC0415

    cores = share_out(workers=1)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Generator(cpu=next(iter(cores.generator), None)) as generator,
        ):
            settings = Settings(python=sys.executable, models_dir=Path(folder))
            found = measure_ceiling(generator, settings, cores.servers, Path(folder))
    except GeneratorError as error:
        raise ExpectedError(str(error)) from error
    if arguments.json:
        print(json.dumps(found))
        return OK
    print(f"ceiling   {found['ceiling_rps']:.0f} requests/s at {found['users']} users, against null+granian")
    print(f"overhead  {found['overhead_us']:.0f} us median at one user")
    print(f"CPU       {100 * found['cpu_share']:.0f} % of one core at the ceiling")
    if not cores.generator:
        print("nothing was pinned: generator and server share their cores here")
    return OK
