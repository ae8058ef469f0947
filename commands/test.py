"""Run what a change must pass, with tox underneath."""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
from typing import Final, NoReturn

from servers.repository import REPOSITORY

EPILOG: Final = """\
examples:
  python3 bench.py test                      all that every push must pass
  python3 bench.py test -m quick             most of it
  python3 bench.py test -e lint,types        these environments
  python3 bench.py test -e tests -- -k gate  words for pytest behind --

What follows `test` is given to `tox run`. CONTRIBUTING.md says when each environment is run, and how long it takes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: tox has them."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="options of `tox run`")


def main(arguments: argparse.Namespace) -> NoReturn:
    """Become tox: the process is replaced, so Ctrl-C and signals reach it and nothing stands between."""
    command = [sys.executable, "-m", "tox", "run", "--root", str(REPOSITORY), "-c", str(REPOSITORY / "tox.ini")]
    # As `uv run` has it: some environments call uv, which is in this one where the machine has none.
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    os.execve(command[0], [*command, *arguments.words], {**os.environ, "PATH": path})  # noqa: S606 - no shell wanted
