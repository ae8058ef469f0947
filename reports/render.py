"""From a run folder to its report: summary.json, summary.md, plots/*.svg and report.html, from what it holds alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from experiment.foreign_ground import own_folder, write_file
from experiment.run_folder import read_run
from reports.parallel_drawing import helped
from reports.plots import names
from reports.summary import Summary, to_json

MANY_TRIALS = 1_000
"""From so many on, a second process saves more time than it takes to start."""


_HOME: Final = re.compile(r"(?<![\w.~/-])(?:/(?:home|Users)/[^/\s'\",:\\]+|/root)(?=[/\s'\",:]|$)")
"""The folder of a user, whose name a report tells nobody."""


def render(
    run_dir: Path, price_per_core_hour: float | None = None, into: Path | None = None, *, keep_paths: bool = False
) -> Path:
    """Draw the report of `run_dir` again and return report.html's path; a price stands for the recorded one.

    Users' folders are cut to `~` unless `keep_paths`. It is drawn in `run_dir` unless `into` names another folder,
    which is made if missing. Every file appears whole or not at all. Raises JournalError where the folder holds no
    readable journal, and OSError.
    """
    # SciPy, Jinja2 and matplotlib are loaded only where a report is drawn.
    from reports import drawing, gallery  # noqa: PLC0415
    from reports.html import page  # noqa: PLC0415
    from reports.markdown import markdown  # noqa: PLC0415
    from reports.summarising import summarise  # noqa: PLC0415

    run = read_run(run_dir)
    with helped(worthwhile=len(run.trials) >= MANY_TRIALS) as share:
        summary = summarise(run, price_per_core_hour, share)
        if not keep_paths:
            summary = msgspec.json.decode(_HOME.sub("~", to_json(summary)), type=Summary)
        plots = gallery.draw_all(summary, run, share)
    into = into or run_dir
    into.mkdir(parents=True, exist_ok=True)
    write_file(into / "summary.json", to_json(summary) + "\n")
    write_file(into / "summary.md", markdown(summary))
    folder = own_folder(into / "plots")
    for name in names():
        path = folder / f"{name}.svg"
        if name in plots:
            write_file(path, drawing.alone(plots[name].svg))
        else:
            # A plot of an earlier drawing that has no data now would tell of another run.
            path.unlink(missing_ok=True)
    report = into / "report.html"
    write_file(report, page(summary, plots))
    return report
