"""The published example: `python -m reports.example RUN` copies a run folder to docs/example/ and draws it again there.

What goes along is what a report is drawn from: the journal, the samples (thinned where they are too large, which the
report then says), the ladder. Server logs stay behind. In the journal's first line the paths of the machine are cut to
their last parts, since they tell nothing; every other line is copied as it is, so that the report's line numbers hold.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from experiment.journal import FILE_NAME, JournalError, encode, read_run
from experiment.progress import plural
from experiment.thinning import copy_samples
from reports import ladder_summary
from reports.prices import PriceError, read
from reports.render import render, write

INTO = Path("docs") / "example"
MOST_MIB = 8.0
MIB = 1024 * 1024
PATH_PARTS = 3
"""Of `/home/me/titrate/.venv/bin/python` stays `.venv/bin/python`: enough to tell two interpreters apart."""
PAGE = """\
# An example

[report.html](report.html) is what this command left behind, {took}begun on {started}, on {cpu}:

```
{command}
```

The figures are of that machine and that code; yours will differ.

`journal.jsonl` is the run's own journal, and each figure of the report names its lines. {samples} Paths in the
command and in the journal's first line are cut to their last parts. To draw the page again:

```
python bench.py report {folder}
```
"""


def publish(run_dir: Path, into: Path = INTO, *, most_mib: float = MOST_MIB, price: float | None = None) -> Path:
    """Copy the run, draw it in its new place, and give report.html's path. What was in `into` is replaced.

    Raises JournalError where `run_dir` is no run folder or `into` is something else than an earlier example, ValueError
    where the samples cannot be made to fit.
    """
    run = read_run(run_dir)
    if into.resolve() == run_dir.resolve():
        raise JournalError(f"{into} is the run itself")
    if into.exists() and any(into.iterdir()) and not (into / FILE_NAME).exists():
        raise JournalError(f"{into} holds something else than an example; it is left as it is")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    header, rest = (run_dir / FILE_NAME).read_bytes().split(b"\n", 1)
    (into / FILE_NAME).write_bytes(encode(shortened(json.loads(header))) + rest)
    for name in (ladder_summary.FILE_NAME, ladder_summary.COUNTS_NAME):
        if (run_dir / name).exists():
            shutil.copyfile(run_dir / name, into / name)
    every = copy_samples(run_dir, into, int(most_mib * MIB))
    report = render(into, price)
    samples = "`samples/` holds every sample." if every == 1 else f"`samples/` holds one sample in {every}."
    cpu = (run.environment.get("cpu") or {}).get("model") or "an unknown processor"
    wall_s = (run.end or {}).get("wall_s")
    page = PAGE.format(
        took=f"after {plural(max(1, round(wall_s / 60)), 'minute')}, " if wall_s and not run.resumptions else "",
        command=shlex.join(_short(list(run.command))),
        started=run.started_utc,
        cpu=cpu,
        samples=samples,
        folder=into.as_posix(),
    )
    write(into / "README.md", page)
    return report


def shortened(header: Mapping[str, Any]) -> dict[str, Any]:
    """The run record with the last parts of its absolute paths alone."""
    return {name: _short(value) for name, value in header.items()}


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner) for inner in value]
    if isinstance(value, str) and value.startswith("/"):
        return str(PurePosixPath(*PurePosixPath(value).parts[1:][-PATH_PARTS:]))
    return value


def main(arguments: Sequence[str]) -> int:
    """Publish one run; 0, or 2 with one line where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m reports.example", description=str(__doc__).splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--into", type=Path, default=INTO, metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--most-mib", type=float, default=MOST_MIB, metavar="M", help="samples (default: %(default)s)")
    parser.add_argument("--price-per-core-hour", metavar="P", help="also what a million predictions cost")
    chosen = parser.parse_args(arguments)
    try:
        price = None if chosen.price_per_core_hour is None else read(chosen.price_per_core_hour)
        report = publish(chosen.run, chosen.into, most_mib=chosen.most_mib, price=price)
    except (JournalError, PriceError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in chosen.into.rglob("*") if path.is_file())
    print(f"{report}: {size / MIB:.1f} MiB in all")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
