"""Write docs/versions.md: a row for every environment of the matrix, whether it was examined, failed, or is not there.

Run it as `python -m matrix.table [--out FILE] [--envs DIR]`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from commands.exits import run_program
from experiment.errors import FINDING, OK
from matrix.environments import listed, why_absent
from matrix.found import NATIVE_PAGE, Examined, lock_digest
from matrix.page import Change, VersionsRow, changes, page, rows
from servers.repository import REPOSITORY

_DOCS: Final = REPOSITORY / "docs"

_EPILOG: Final = "exit codes: 0 written; 1 written, and an environment that was examined has failed"


def main(arguments: Sequence[str]) -> int:
    """Gather, write; the exit code."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="matrix.table",
        description=str(__doc__).splitlines()[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=_DOCS / "versions.md", metavar="FILE", help="the page")
    parser.add_argument(
        "--envs", type=Path, default=REPOSITORY / ".tox", metavar="DIR", help="where the environments are"
    )
    chosen = parser.parse_args(arguments)
    return run_program("matrix.table", lambda: _run(chosen.out, chosen.envs))


def _run(out: Path, envs: Path) -> int:
    gathered = gather(envs)
    out.write_text(page(gathered), encoding="utf-8")
    failed = [row.name for row in gathered if row.found and row.found.reasons]
    print(f"wrote {out}: {sum(row.found is not None for row in gathered)} of {len(gathered)} environments examined")
    for row in gathered:
        for remark in row.remarks:
            print(f"{row.name}: {remark}")
    return FINDING if failed else OK


def _why(name: str, *, stale: bool) -> str:
    """Why there is no row of figures: what an environment found with other versions says nothing of these."""
    return f"examined with another uv.lock; again: `tox -e {name}`" if stale else why_absent(name)


def gather(envs: Path) -> list[VersionsRow]:
    """A row for every environment that tox.ini lists."""
    newest = rows((_DOCS / NATIVE_PAGE).read_text(encoding="utf-8"))
    gathered = []
    for name in listed():
        folder = envs / name / "found"
        found = Examined.read(folder)
        stale = found is not None and found.lock != lock_digest()
        found = None if stale else found
        native = folder / NATIVE_PAGE
        differ: tuple[Change, ...] | None = None
        if found and native.exists():
            differ = tuple(changes(newest, rows(native.read_text(encoding="utf-8"))))
        gathered.append(
            VersionsRow(name=name, found=found, reason="" if found else _why(name, stale=stale), changes=differ)
        )
    return gathered


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
