"""Compare two runs: what became faster or slower, beyond the noise; or draw a folder of runs as a history."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands import values
from experiment.errors import FINDING, HARNESS, OK, unwritable, usage
from experiment.progress import plural
from servers.target import Target, TargetError

if TYPE_CHECKING:
    from experiment.run_folder import Run
    from reports.runs_compared import History, RunsCompared

EPILOG: Final = """\
examples:
  python3 bench.py compare reports/runs/BASE reports/runs/NEW
  python3 bench.py compare BASE NEW --markdown >> "$GITHUB_STEP_SUMMARY"
  python3 bench.py compare base.zip new.zip                archives by `bench.py pack`; folders and archives mix
  python3 bench.py compare BASE NEW --targets bottle,flask+granian --scenarios predict@16
  python3 bench.py compare BASE NEW --json | jq .verdict
  python3 bench.py compare --history reports/runs --svg history.svg

A regression is a cell that is slower beyond chance and beyond what the same code does against itself.
The fewer cells are asked for, the smaller a difference can be told: all cells share one error of 5 %.

A history is drawn from the runs of one machine and plan, those of the newest. A step needs six runs.

exit codes: 0 no regression, or a history; 1 a regression; 2 usage, or runs that may not be compared;
3 could not tell: a cell is inconclusive or invalid, a run is partial, or there are too few runs for any step
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "runs", type=values.source, nargs="*", metavar="RUN", help="two run folders or archives: BASE, then NEW"
    )
    parser.add_argument(
        "--history", type=values.folder, metavar="DIR", help="a folder of runs and archives: their trend, steps marked"
    )
    parser.add_argument(
        "--svg", type=values.path, metavar="FILE", help="where --history draws its plot: DIR/history.svg"
    )
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
        raise usage("--svg is drawn by --history", hint="see `python3 bench.py compare --help`")
    if len(arguments.runs) != 2:
        raise usage("compare takes two runs, BASE and NEW", hint="see `python3 bench.py compare --help`")
    if arguments.runs[0].resolve() == arguments.runs[1].resolve():
        raise usage("BASE and NEW are the same run", hint="measure a second time: `python3 bench.py run`")
    with ExitStack() as stack:
        base, new = (_read(path, stack) for path in arguments.runs)
        return _compare(base, new, arguments)


def _compare(base: Run, new: Run, arguments: argparse.Namespace) -> int:
    _refuse(base, new, arguments)
    from msgspec.structs import replace

    from reports.between import between
    from reports.runs_in_words import comparison_lines, comparison_markdown
    from reports.summary import to_json

    result = between(base, new, _targets(arguments.targets, (base, new)), _scenarios(arguments.scenarios, (base, new)))
    # An archive's own folder is gone after this, so a side is told by what the user named.
    base_path, new_path = map(str, arguments.runs)
    result = replace(result, base=replace(result.base, folder=base_path), new=replace(result.new, folder=new_path))
    if arguments.json:
        print(to_json(result))
    elif arguments.markdown:
        print(comparison_markdown(result), end="")
    else:
        print("\n".join(comparison_lines(result)))
    return exit_code(result)


def _history(arguments: argparse.Namespace) -> int:
    """Print the trend over the runs of one folder, and draw it."""
    if arguments.runs:
        raise usage("--history takes one folder of runs and no other", hint="see `python3 bench.py compare --help`")
    with ExitStack() as stack:
        runs = [_read(path, stack) for path in _runs_in(arguments.history)]
        return _trend(runs, arguments)


def _runs_in(holder: Path) -> list[Path]:
    """Its run folders and archives, by name; an archive beside the folder that it was made of is left out."""
    folders = [path.parent for path in holder.glob("*/journal.jsonl")]
    return sorted([*folders, *(path for path in holder.glob("*.zip") if path.with_suffix("") not in folders)])


def _trend(runs: Sequence[Run], arguments: argparse.Namespace) -> int:
    from reports.history import alike, history
    from reports.runs_in_words import history_lines, history_markdown
    from reports.summary import to_json

    holder: Path = arguments.history
    if len(runs) < 2:
        raise usage(
            f"{holder} holds {plural(len(runs), 'run')}; a history needs two", hint="DIR holds run folders and archives"
        )
    kept, left_out = alike(runs, across_machines=arguments.across_machines, across_plans=arguments.across_plans)
    found = history(kept, _targets(arguments.targets, kept), _scenarios(arguments.scenarios, kept), left_out)
    drawn = _draw(found, arguments.svg or holder / "history.svg")
    if arguments.json:
        print(to_json(found))
    elif arguments.markdown:
        print(history_markdown(found), end="")
    else:
        print("\n".join(history_lines(found)))
    if drawn:
        print(f"plot: {drawn}", file=sys.stderr)
    return OK if any(row.judged for row in found.series) else HARNESS


def _draw(found: History, path: Path) -> Path | None:
    """The plot's file; None where no cell has a figure in two runs. Raises ExpectedError where it cannot be written."""
    from experiment.foreign_ground import write_file
    from reports import drawing, history_plot

    with drawing.style():
        figure = history_plot.draw(found)
    if figure is None:
        return None
    text = drawing.alone(drawing.svg(figure, "history", history_plot.TITLE, history_plot.alt(found)))
    try:
        write_file(path, text)
    except OSError as error:
        raise unwritable(path, error, "name another file with --svg") from error
    return path


def exit_code(result: RunsCompared) -> int:
    """The whole verdict as an exit code."""
    return {"regression": FINDING, "fine": OK}.get(result.verdict, HARNESS)


def _read(path: Path, stack: ExitStack) -> Run:
    """The run of a folder or archive, whose samples can be read until `stack` is closed."""
    from experiment.archive import opened
    from experiment.journal import JournalError
    from experiment.run_folder import read_run

    try:
        return read_run(stack.enter_context(opened(path)))
    except JournalError as error:
        raise usage(
            str(error), hint="RUN is a run folder, as `bench.py run` printed it, or an archive of one"
        ) from error


def _refuse(base: Run, new: Run, arguments: argparse.Namespace) -> None:
    """Raise where the two may not be compared and nobody said that they are."""
    from reports.sameness import machine_differences, plan_differences

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
