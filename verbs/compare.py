"""Compare two runs: what became faster or slower, beyond the noise; or draw a folder of runs as a history."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from servers.target import Target, TargetError
from verbs.exits import FINDING, HARNESS, OK, usage

if TYPE_CHECKING:
    from reports.records import Run

EPILOG: Final = """\
examples:
  python bench.py compare reports/runs/BASE reports/runs/NEW
  python bench.py compare BASE NEW --markdown >> "$GITHUB_STEP_SUMMARY"
  python bench.py compare BASE NEW --targets bottle,flask+granian --scenarios predict@16
  python bench.py compare BASE NEW --json | jq .verdict

A regression is a cell that is slower beyond chance and beyond what the same code does against itself.
The fewer cells are asked for, the smaller a difference can be told: all cells share one error of 5 %.

exit codes: 0 no regression; 1 a regression; 2 usage, or runs that may not be compared;
3 could not tell: a cell is inconclusive or invalid, or a run is partial
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR", help="two run folders: BASE, then NEW")
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
    if len(arguments.folders) != 2:
        raise usage("compare takes two run folders, BASE and NEW", hint="see `python bench.py compare --help`")
    base, new = (_read(folder) for folder in arguments.folders)
    if base.folder.resolve() == new.folder.resolve():
        raise usage("BASE and NEW are the same run", hint="measure a second time: `python bench.py run`")
    _refuse(base, new, arguments)
    from reports.between import between  # noqa: PLC0415 - kept out of --help
    from reports.between_text import lines, markdown  # noqa: PLC0415

    result = between(base, new, _targets(arguments.targets, (base, new)), _scenarios(arguments.scenarios, (base, new)))
    if arguments.json:
        print(json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False))
    elif arguments.markdown:
        print(markdown(result), end="")
    else:
        print("\n".join(lines(result)))
    return exit_code(result)


def exit_code(result: Mapping[str, Any]) -> int:
    """The whole verdict as an exit code."""
    return {"regression": FINDING, "fine": OK}.get(result["verdict"], HARNESS)


def _read(folder: Path) -> Run:
    from reports.journal import JournalError, read_run  # noqa: PLC0415 - kept out of --help

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
