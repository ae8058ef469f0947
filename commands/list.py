"""List targets, endpoints, scenarios, plans, cases and plots."""

from __future__ import annotations

import argparse
from typing import Final

from experiment.errors import OK

EPILOG: Final = """\
examples:
  python3 bench.py list                  how many there are of each
  python3 bench.py list all              everything
  python3 bench.py list targets          one id a line, for scripts
  python3 bench.py list cases | wc -l
"""

_ALL: Final = "all"
_SECTIONS: Final = ("targets", "endpoints", "scenarios", "plans", "cases", "plots")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    choices = (*_SECTIONS, _ALL)
    parser.add_argument("section", nargs="?", choices=choices, help="its entries, one a line (default: their number)")


def main(arguments: argparse.Namespace) -> int:
    """Print one section, or all, or how many entries each has."""
    if arguments.section is None:
        for section in _SECTIONS:
            print(f"{len(_lines(section)):4} {section:10} python3 bench.py list {section}")
        return OK
    if arguments.section != _ALL:
        print("\n".join(_lines(arguments.section)))
        return OK
    for number, section in enumerate(_SECTIONS):
        print(f"{chr(10) if number else ''}{section}")
        print("\n".join(f"  {line}" for line in _lines(section)))
    return OK


def _lines(section: str) -> list[str]:
    from conformance.cases import CASES
    from loadtests.plans import PLANS, SCENARIOS
    from reports.plots import names
    from servers.registry import ENDPOINTS
    from servers.target import grid

    match section:
        case "targets":
            return [target.id for target in grid()]
        case "endpoints":
            return list(ENDPOINTS)
        case "scenarios":
            return list(SCENARIOS)
        case "plans":
            return [
                f"{plan.name:9} {plan.blocks:2} blocks of {len(plan.scenarios)} scenarios, {plan.slices} slices of"
                f" {plan.slice_s:g} s each, {_minutes(plan.name)}"
                for plan in PLANS.values()
            ]
        case "cases":
            return [f"{case.id:44} {case.proves}" for case in CASES]
        case _:
            return names()


def _minutes(name: str) -> str:
    """How long a plan takes with its own targets, as this machine's last run tells."""
    from experiment.line_up import PLAN_TARGETS
    from experiment.pace import usual_pace
    from experiment.progress import plural
    from loadtests.plans import PLANS
    from servers.models.catalog import cache_dir

    # The first target is measured twice, against itself.
    targets = len(PLAN_TARGETS[name]) + 1
    minutes = max(1, round(usual_pace(cache_dir()).run_s(PLANS[name], targets) / 60))
    return f"about {plural(minutes, 'minute')} here for its {targets} targets"
