"""Pack a run into one file, for a mail, an issue or an artefact of CI; report and compare open it like a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from commands import values
from experiment.errors import OK, unwritable, usage

EPILOG: Final = """\
examples:
  python3 bench.py pack reports/runs/RUN                        reports/runs/RUN.zip, with every sample
  python3 bench.py pack reports/runs/RUN --out run.zip --most-mib 4
  python3 bench.py report run.zip                               draws it, into run-report beside it
  python3 bench.py compare base.zip new.zip

It holds the journal, the samples, the ladder and conformance.xml; logs, report and plots stay behind. With --most-mib a
run that is too large keeps every k-th sample of each trial, and its report says so. In the journal's first line paths
are cut to their last parts. The rest is as it was: names of the machine, its packages and your targets are in it.
"""

_MIB: Final = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=values.source, metavar="DIR", help="a run folder")
    parser.add_argument("--out", type=values.path, metavar="FILE", help="the archive, a new file (default: DIR.zip)")
    parser.add_argument(
        "--most-mib", type=values.number(10**9), metavar="N", help="its largest size (default: as large as it is)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Write the archive, and say where and how large it is, and what is not in it."""
    from commands.terminal import StandardError
    from experiment.archive import SUFFIX, opened
    from experiment.journal import JournalError
    from experiment.packing import pack

    given: Path = arguments.folder
    # Resolved, since `.` has no name to call a file by.
    into: Path = arguments.out or given.resolve().with_name(given.resolve().name + SUFFIX)
    if into.exists():
        raise usage(f"{into} exists already", hint="remove it, or name another file with --out")
    try:
        with opened(given) as folder, StandardError().bar("Packing") as bar:
            most_bytes = None if arguments.most_mib is None else int(arguments.most_mib * _MIB)
            packed = pack(folder, into, most_bytes=most_bytes, heard=bar.update)
    except JournalError as error:
        raise usage(str(error), hint="DIR is a run folder, as `bench.py run` printed it") from error
    except ValueError as error:
        raise usage(f"{given} cannot be packed: {error}", hint="allow more with --most-mib") from error
    except OSError as error:
        raise unwritable(into, error, "name another file with --out") from error
    if packed.left_out:
        print(f"left out: {', '.join(packed.left_out)}")
    if packed.kept_every > 1:
        print(f"thinned: one sample in {packed.kept_every} is kept")
    print(f"{into}: {packed.size_bytes / _MIB:.2f} MiB")
    return OK
