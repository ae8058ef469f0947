#!/usr/bin/env python3
"""Tell whether Flask, Bottle, the WSGI server or the execution mode decides how a TensorFlow model is served.

Every verb lives in a file of its own under `commands/`, parser and handler side by side; this file only picks one. It
parses on Python 3.7, and imports what needs more only after `commands.setting_up` has looked.
"""

from __future__ import annotations

import sys

from commands import setting_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import ModuleType
    from typing import Any

    from commands.command_line import CommandLine

_VERBS = (
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
    "test",
)

_EPILOG = """\
examples:
  python3 bench.py                                    the default plan: verdicts, and an HTML report
  python3 bench.py run --plan smoke                   a minute's look
  python3 bench.py run --targets flask,bottle+granian --endpoints classify
  python3 bench.py worker --master HOST               load from this machine for a `run --expect-workers` on HOST
  python3 bench.py serve bottle+granian+function      one target, until Ctrl-C
  python3 bench.py check --targets flask,bottle       is it right, and are they alike?
  python3 bench.py fuzz requests                      generated requests, until they differ
  python3 bench.py micro --quick                      where each microsecond of a request goes
  python3 bench.py report reports/runs/RUN            draw a report again
  python3 bench.py compare reports/runs/BASE reports/runs/NEW
                                                     what became slower, beyond the noise
  python3 bench.py pack reports/runs/RUN              a run as one file, which report and compare open
  python3 bench.py test                               what a change must pass

The first start fetches the packages of uv.lock into .venv, by itself; any Python from 3.7 may start it.
--no-setup, or TITRATE_NO_SETUP=1, runs with the packages of this Python, and fetches nothing.

exit codes: 0 fine; 1 a finding against a target; 2 usage; 3 the harness could not tell
"""


def main(arguments: list[str]) -> int:
    """Run one verb; its exit code."""
    from commands.exits import run_program
    from experiment.errors import ExpectedError

    def work() -> int:
        try:
            module, chosen = parsed(arguments)
            code: int = module.main(chosen)
        except ModuleNotFoundError as error:
            message, hint = setting_up.lacking(error)
            raise ExpectedError(message, hint=hint) from error
        return code

    return run_program("bench.py", work)


def parsed(arguments: list[str]) -> tuple[ModuleType, argparse.Namespace]:
    """The module of the verb that the words name, and what they ask of it. Raises ExpectedError."""
    from commands.options import with_values
    from commands.values import readable

    parser, verbs, modules = command_line()
    # No verb means the main job, with its options: `bench.py --plan smoke` is `bench.py run --plan smoke`.
    bare = not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"))
    words, rest = (["run", *arguments] if bare else arguments), []
    if words[0] == "test" and words[1:2] not in (["-h"], ["--help"]):
        # What follows is for tox to read.
        words, rest = words[:1], words[1:]
    chosen = parser.read(readable(with_values(words)), verbs)
    chosen.words = rest
    return modules[chosen.verb], chosen


def command_line() -> tuple[CommandLine, dict[str, argparse.ArgumentParser], dict[str, ModuleType]]:
    """The parser, that of each verb with its options, and the verbs' modules."""
    from importlib import import_module

    from commands.command_line import CommandLine

    parser = CommandLine(prog="bench.py", description=str(__doc__).splitlines()[0], epilog=_EPILOG)
    verbs = parser.add_subparsers(dest="verb", metavar="verb")
    modules: dict[str, ModuleType] = {}
    for name in _VERBS:
        modules[name] = module = import_module(f"commands.{name}")
        summary = str(module.__doc__).splitlines()[0]
        module.add_arguments(verbs.add_parser(name, help=summary, description=summary, epilog=module.EPILOG))
    return parser, dict(verbs.choices), modules


def fetched(**options: Any) -> int:
    """The exit code of making the environment: imported only then, since the second start is to be quick."""
    from commands.fetching import fetch

    return fetch(**options)


def plain_main(arguments: list[str]) -> int:
    """The same, with all that is printed made plain: what comes from outside steers no terminal."""
    from commands.exits import print_plainly

    print_plainly()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(plain_main(setting_up.enter(sys.argv[1:], parsed, fetched)))
