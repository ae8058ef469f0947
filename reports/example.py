"""The published example: `python -m reports.example RUN` packs a run into docs/example/ and draws it there.

That is a README, the report, one picture, and the run as an archive that `bench.py report` and `compare` open. Its
samples are thinned where they are too large, which the report then says. RUN may be the archive that is there.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiment.archive import opened
from experiment.errors import ExpectedError
from experiment.foreign_ground import write_file
from experiment.journal import JournalError
from experiment.packing import pack
from experiment.progress import plural
from experiment.run_folder import read_run
from reports.costs import read_price
from reports.render import render

INTO: Final = Path("docs") / "example"
ARCHIVE: Final = "run.zip"
PICTURE: Final = "picture.svg"
PICTURED: Final = ("waterfall", "ratios")
"""The plots that tell most at a glance; the first that the run has data for is the picture."""

MOST_MIB: Final = 4.0
MIB: Final = 1024 * 1024
PAGE: Final = """\
# An example

{picture}[report.html](report.html) is what this command left behind, {took}begun on {started}, on {cpu}:

```
{command}
```

The figures are of that machine and that code; yours will differ.

[{archive}]({archive}) is the run itself: `journal.jsonl`, whose lines each figure of the report names, the ladder, and
{samples}. Paths in the command and in the journal's first line are cut to their last parts. To draw the page again, and
to see a line of the journal:

```
python3 bench.py report {folder}/{archive}
unzip -p {folder}/{archive} journal.jsonl | sed -n 31p
```
"""


def publish(given: Path, into: Path = INTO, *, most_mib: float = MOST_MIB, price: float | None = None) -> Path:
    """Pack the run, draw it from its archive, and give report.html's path. What was in `into` is replaced.

    Raises JournalError where `given` is no run or `into` is something else than an earlier example, ExpectedError where
    `given` is a file but no archive of a run, ValueError where the samples cannot be made to fit.
    """
    if into.exists() and any(into.iterdir()) and not (into / ARCHIVE).exists():
        raise JournalError(f"{into} holds something else than an example; it is left as it is")
    with tempfile.TemporaryDirectory(prefix="titrate-") as holder:
        new, drawn = Path(holder) / "example", Path(holder) / "drawn"
        new.mkdir()
        with opened(given) as folder:
            pack(folder, new / ARCHIVE, most_bytes=int(most_mib * MIB))
        with opened(new / ARCHIVE) as folder:
            shutil.copyfile(render(folder, price, drawn), new / "report.html")
            pictured = next((name for name in PICTURED if (drawn / "plots" / f"{name}.svg").exists()), None)
            if pictured:
                shutil.copyfile(drawn / "plots" / f"{pictured}.svg", new / PICTURE)
            write_file(new / "README.md", _page(folder, into, pictured))
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(new, into)
    return into / "report.html"


def _page(folder: Path, into: Path, pictured: str | None) -> str:
    run = read_run(folder)
    wall_s = run.end.wall_s if run.end else None
    title = importlib.import_module(f"reports.plots.{pictured}").TITLE if pictured else ""
    return PAGE.format(
        picture=f"![{title}]({PICTURE})\n\n" if pictured else "",
        took=f"after {plural(max(1, round(wall_s / 60)), 'minute')}, " if wall_s and not run.resumptions else "",
        command=shlex.join(run.command),
        started=run.started_utc,
        cpu=run.environment.cpu.model or "an unknown processor",
        samples="every sample" if run.kept_every == 1 else f"one sample in {run.kept_every}",
        folder=into.as_posix(),
        archive=ARCHIVE,
    )


def main(arguments: Sequence[str]) -> int:
    """Publish one run; 0, or 2 with one line where that cannot be done."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="python -m reports.example", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, or an archive of one")
    parser.add_argument("--into", type=Path, default=INTO, metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--most-mib", type=float, default=MOST_MIB, metavar="M", help="archive (default: %(default)s)")
    parser.add_argument("--price-per-core-hour", metavar="P", help="also what a million predictions cost")
    chosen = parser.parse_args(arguments)
    try:
        price = None if chosen.price_per_core_hour is None else read_price(chosen.price_per_core_hour)
        report = publish(chosen.run, chosen.into, most_mib=chosen.most_mib, price=price)
    except (ExpectedError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in chosen.into.rglob("*") if path.is_file())
    print(f"{report}: {size / MIB:.1f} MiB in all")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
