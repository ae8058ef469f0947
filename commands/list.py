"""What there is: targets, endpoints, scenarios, plans, cases, plots."""

from __future__ import annotations

import argparse
from typing import Final

from experiment.errors import OK

EPILOG: Final = """\
examples:
  python bench.py list                  everything
  python bench.py list targets          one id a line, for scripts
  python bench.py list cases | wc -l
"""

_SECTIONS: Final = ("targets", "endpoints", "scenarios", "plans", "cases", "plots")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("section", nargs="?", choices=_SECTIONS, help="only this section, without its heading")


def main(arguments: argparse.Namespace) -> int:
    """Print the sections."""
    lines = {
        "targets": _targets,
        "endpoints": _endpoints,
        "scenarios": _scenarios,
        "plans": _plans,
        "cases": _cases,
        "plots": _plots,
    }
    if arguments.section:
        print("\n".join(lines[arguments.section]()))
        return OK
    for number, section in enumerate(_SECTIONS):
        print(f"{chr(10) if number else ''}{section}")
        print("\n".join(f"  {line}" for line in lines[section]()))
    return OK


def _targets() -> list[str]:
    from servers.target import grid

    return [target.id for target in grid()]


def _endpoints() -> list[str]:
    from servers.registry import ENDPOINTS

    return list(ENDPOINTS)


def _scenarios() -> list[str]:
    from loadtests.plans import SCENARIOS

    return list(SCENARIOS)


def _plans() -> list[str]:
    from loadtests.plans import PLANS

    return [
        f"{plan.name:9} {plan.blocks:2} blocks of {len(plan.scenarios)} scenarios, {plan.slices} slices of"
        f" {plan.slice_s:g} s each"
        for plan in PLANS.values()
    ]


def _cases() -> list[str]:
    from conformance.cases import CASES

    return [f"{case.id:44} {case.proves}" for case in CASES]


def _plots() -> list[str]:
    from reports.plots import names

    return names()
