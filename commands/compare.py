"""Compare two runs: what became faster or slower, beyond the noise; or draw a folder of runs as a history."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from experiment.errors import FINDING, HARNESS, OK, usage
from experiment.progress import plural
from servers.target import Target, TargetError

if TYPE_CHECKING:
    from experiment.records import Run
    from reports.runs_compared import History, RunsCompared

EPILOG: Final = """\
examples:
  python bench.py compare reports/runs/BASE reports/runs/NEW
  python bench.py compare BASE NEW --markdown >> "$GITHUB_STEP_SUMMARY"
  python bench.py compare BASE NEW --targets bottle,flask+granian --scenarios predict@16
  python bench.py compare BASE NEW --json | jq .verdict
  python bench.py compare --history reports/runs --svg history.svg

A regression is a cell that is slower beyond chance and beyond what the same code does against itself.
The fewer cells are asked for, the smaller a difference can be told: all cells share one error of 5 %.

A history is drawn from the runs of one machine and plan, those of the newest. A step needs six runs.

exit codes: 0 no regression, or a history; 1 a regression; 2 usage, or runs that may not be compared;
3 could not tell: a cell is inconclusive or invalid, a run is partial, or there are too few runs for any step
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR", help="two run folders: BASE, then NEW")
    parser.add_argument("--history", type=Path, metavar="DIR", help="a folder of runs: their trend, steps marked")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="where --history draws its plot: DIR/history.svg")
    parser.add_argument(
        "--targets", metavar="A,B", help="only these, as `run --targets` names them, or by their name of --url"
    )
    parser.add_argument("--scenarios", metavar="S,T", help="only these, as `predict@16`")
    parser.add_argument(
        "--across-machines", action="store_true", help="compare runs of different machines all the same"
    )
    parser.add_argument("--across-plans", action="store_true", help="compare runs of different plans all the same")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--markdown", action="store_true", help="print Markdown, fit for a pull-request comment")
    shape.add_argument("--json", action="store_true", help="print JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print the comparison; its exit code."""
    if arguments.history is not None:
        return _history(arguments)
    if arguments.svg is not None:
        raise usage("--svg is drawn by --history", hint="see `python bench.py compare --help`")
    if len(arguments.folders) != 2:
        raise usage("compare takes two run folders, BASE and NEW", hint="see `python bench.py compare --help`")
    base, new = (_read(folder) for folder in arguments.folders)
    if base.folder.resolve() == new.folder.resolve():
        raise usage("BASE and NEW are the same run", hint="measure a second time: `python bench.py run`")
    _refuse(base, new, arguments)
    from reports.between import between  # noqa: PLC0415 - kept out of --help
    from reports.between_text import lines, markdown  # noqa: PLC0415
    from reports.summary import to_json  # noqa: PLC0415

    result = between(base, new, _targets(arguments.targets, (base, new)), _scenarios(arguments.scenarios, (base, new)))
    if arguments.json:
        print(to_json(result))
    elif arguments.markdown:
        print(markdown(result), end="")
    else:
        print("\n".join(lines(result)))
    return exit_code(result)


def _history(arguments: argparse.Namespace) -> int:
    """Print the trend over the runs of one folder, and draw it."""
    from reports.history import alike, history  # noqa: PLC0415 - kept out of --help
    from reports.history_text import lines, markdown  # noqa: PLC0415
    from reports.summary import to_json  # noqa: PLC0415

    if arguments.folders:
        raise usage("--history takes one folder of runs and no other", hint="see `python bench.py compare --help`")
    holder: Path = arguments.history
    runs = [_read(path.parent) for path in sorted(holder.glob("*/journal.jsonl"))]
    if len(runs) < 2:
        raise usage(f"{holder} holds {plural(len(runs), 'run')}; a history needs two", hint="DIR holds run folders")
    kept, left_out = alike(runs, across_machines=arguments.across_machines, across_plans=arguments.across_plans)
    found = history(kept, _targets(arguments.targets, kept), _scenarios(arguments.scenarios, kept), left_out)
    drawn = _draw(found, arguments.svg or holder / "history.svg")
    if arguments.json:
        print(to_json(found))
    elif arguments.markdown:
        print(markdown(found), end="")
    else:
        print("\n".join(lines(found)))
    if drawn:
        print(f"plot: {drawn}", file=sys.stderr)
    return OK if any(row.judged for row in found.series) else HARNESS


def _draw(found: History, path: Path) -> Path | None:
    """The plot's file; None where no cell has a figure in two runs. Raises ExpectedError where it cannot be written."""
    from reports import drawing, history_plot  # noqa: PLC0415 - matplotlib is loaded only where something is drawn
    from reports.render import write  # noqa: PLC0415

    with drawing.style():
        figure = history_plot.draw(found)
    if figure is None:
        return None
    text = drawing.alone(drawing.svg(figure, "history", history_plot.TITLE, history_plot.alt(found)))
    try:
        write(path, text)
    except OSError as error:
        raise usage(f"{path} cannot be written: {error.strerror}", hint="name another file with --svg") from error
    return path


def exit_code(result: RunsCompared) -> int:
    """The whole verdict as an exit code."""
    return {"regression": FINDING, "fine": OK}.get(result.verdict, HARNESS)


def _read(folder: Path) -> Run:
    from experiment.journal import JournalError, read_run  # noqa: PLC0415 - kept out of --help

    try:
        return read_run(folder)
    except JournalError as error:
        raise usage(str(error), hint="DIR is a run folder, as `bench.py run` printed it") from error


def _refuse(base: Run, new: Run, arguments: argparse.Namespace) -> None:
    """Raise where the two may not be compared and nobody said that they are."""
    from reports.sameness import machine_differences, plan_differences  # noqa: PLC0415

    machines = machine_differences(base, new)
    if machines and not arguments.across_machines:
        raise usage(
            f"the runs come from different machines: {'; '.join(machines)}",
            hint="--across-machines does it all the same",
        )
    plans = plan_differences(base, new)
    if plans and not arguments.across_plans:
        raise usage(f"the runs follow different plans: {'; '.join(plans)}", hint="--across-plans does it all the same")


def _targets(named: str | None, runs: Sequence[Run]) -> list[str]:
    """The ids asked for, short names completed as `run --targets` does; empty for all. Raises ExpectedError."""
    known = {target.id for run in runs for target in run.targets}
    found = [name if name in known else _completed(name) for name in _names(named)]
    return _known(found, known, "target")


def _completed(name: str) -> str:
    try:
        return Target.parse(name).id
    except TargetError:
        return name


def _scenarios(named: str | None, runs: Sequence[Run]) -> list[str]:
    return _known(_names(named), {scenario.id for run in runs for scenario in run.scenarios}, "scenario")


def _names(named: str | None) -> list[str]:
    return [name.strip() for name in (named or "").split(",") if name.strip()]


def _known(found: list[str], known: set[str], what: str) -> list[str]:
    for name in found:
        if name not in known:
            raise usage(f"neither run has a {what} {name!r}", hint=f"they have {', '.join(sorted(known))}")
    return found
