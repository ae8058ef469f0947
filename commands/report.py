"""Draw the report of a run again, here or on another machine, from its folder or its archive; partial runs too."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands import values
from commands.options import add_open_option, add_price_option, price_of
from experiment.errors import OK, unwritable, usage

if TYPE_CHECKING:
    from reports.summary import Summary

EPILOG: Final = """\
examples:
  python3 bench.py report reports/runs/20260101T120000Z-quick
  python3 bench.py report run.zip                     of an archive by `bench.py pack`: into run-report beside it
  python3 bench.py report run.zip --out DIR           or elsewhere
  python3 bench.py report DIR --export csv,png        also cells.csv, and every plot as PNG
  python3 bench.py report DIR --share                 also share.png, one card to post
  python3 bench.py report DIR --price-per-core-hour 0.04   also what a million predictions cost
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", type=values.source, metavar="RUN", help="a run folder, or an archive of one")
    parser.add_argument(
        "--out",
        type=values.path,
        metavar="DIR",
        help="where the report goes (default: the run folder; NAME-report by NAME.zip)",
    )
    parser.add_argument("--export", metavar="A,B", default="", help="also write: csv, json, markdown, png")
    parser.add_argument(
        "--share", action="store_true", help="also draw share.png: the answer, the verdicts and the machine on one card"
    )
    parser.add_argument("--keep-paths", action="store_true", help="leave users' folders in, which else become ~")
    add_price_option(parser)
    add_open_option(parser)


def main(arguments: argparse.Namespace) -> int:
    """Write summary, plots and HTML, and print the verdicts."""
    # Before NumPy is loaded: its matrices are small here, and a second thread burns more time waiting than it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from commands.run_outcome import draw_and_print
    from experiment.archive import opened
    from experiment.journal import JournalError
    from reports.export import FORMATS

    formats = [name.strip() for name in arguments.export.split(",") if name.strip()]
    for name in formats:
        if name not in FORMATS:
            raise usage(f"--export: unknown format {name!r}; choose from {', '.join(FORMATS)}")
    run: Path = arguments.run
    out: Path = arguments.out or (run.with_name(f"{run.stem}-report") if run.is_file() else run)
    try:
        with opened(run) as folder:
            summary = draw_and_print(
                folder, price_of(arguments), out, keep_paths=arguments.keep_paths, show=arguments.open
            )
            for name in dict.fromkeys(formats):
                for path in FORMATS[name](folder, summary, out):
                    print(f"{name}: {path}")
            if arguments.share:
                print(f"card: {_card(summary, out)}")
    except OSError as error:
        if not str(error.filename).startswith(str(out)):
            raise
        raise unwritable(out, error, "name a folder that can be written to with --out") from error
    except JournalError as error:
        raise usage(str(error), hint="RUN is a run folder, as `bench.py run` printed it") from error
    return OK


def _card(summary: Summary, out: Path) -> Path:
    """Draw the card beside the report, and give its path."""
    from experiment.foreign_ground import write_file
    from reports import card

    path = out / card.FILE_NAME
    write_file(path, card.draw(summary))
    return path
