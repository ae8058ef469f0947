#!/usr/bin/env python
"""Tell whether Flask, Bottle, the WSGI server or the execution mode decides how a TensorFlow model is served.

Every verb lives in a file of its own under `commands/`, parser and handler side by side; this file only picks one.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from types import ModuleType
from typing import Final

from commands.exits import run_program
from commands.options import with_values

_VERBS: Final = (
    "run",
    "worker",
    "serve",
    "check",
    "fuzz",
    "natives",
    "micro",
    "calibrate",
    "report",
    "compare",
    "pack",
    "list",
)

_EPILOG: Final = """\
examples:
  python bench.py                                    the default plan: verdicts, and an HTML report
  python bench.py run --plan smoke                   a minute's look
  python bench.py run --targets flask,bottle+granian --endpoints classify
  python bench.py worker --master HOST               load from this machine for a `run --expect-workers` on HOST
  python bench.py serve bottle+granian+function      one target, until Ctrl-C
  python bench.py check --targets flask,bottle       is it right, and are they alike?
  python bench.py fuzz requests                      generated requests, until they differ
  python bench.py micro --quick                      where each microsecond of a request goes
  python bench.py report reports/runs/RUN            draw a report again
  python bench.py compare reports/runs/BASE reports/runs/NEW
                                                     what became slower, beyond the noise
  python bench.py pack reports/runs/RUN              a run as one file, which report and compare open

exit codes: 0 fine; 1 a finding against a target; 2 usage; 3 the harness could not tell
"""


def main(arguments: list[str]) -> int:
    """Run one verb; its exit code."""
    parser = argparse.ArgumentParser(
        prog="bench.py",
        description=__doc__.splitlines()[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="verb")
    modules: dict[str, ModuleType] = {}
    for name in _VERBS:
        modules[name] = module = import_module(f"commands.{name}")
        summary = str(module.__doc__).splitlines()[0]
        child = verbs.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=module.EPILOG,
            formatter_class=argparse.RawTextHelpFormatter,
        )
        module.add_arguments(child)
    # No verb means the main job, with its options: `bench.py --plan smoke` is `bench.py run --plan smoke`.
    bare = not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"))
    chosen = parser.parse_args(with_values(["run", *arguments] if bare else arguments))
    return run_program("bench.py", lambda: modules[chosen.verb].main(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
