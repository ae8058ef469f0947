"""Draw the report of a run folder again, here or on another machine; partial runs too."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from verbs.exits import OK, usage

EPILOG: Final = """\
examples:
  python bench.py report reports/runs/20260101T120000Z-quick
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a run folder")


def main(arguments: argparse.Namespace) -> int:
    """Write summary, plots and HTML, and print the verdicts."""
    from reports.journal import JournalError  # noqa: PLC0415 - kept out of --help
    from verbs.verdict import draw_and_print  # noqa: PLC0415

    try:
        draw_and_print(arguments.folder)
    except JournalError as error:
        raise usage(str(error), hint="DIR is a run folder, as `bench.py run` printed it") from error
    return OK
