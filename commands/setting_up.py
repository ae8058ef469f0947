"""Go on in the environment that `bench.py` needs, which is made first where it is missing.

Here and in `commands.fetching` everything is standard library and parses on Python 3.7: it runs before there is
anything else. What is imported here, every start from outside the environment pays for.
"""

from __future__ import annotations

import os
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FORBID_OPTION = "--no-setup"
FORBID_VARIABLE = "TITRATE_NO_SETUP"
OLDEST, NEWEST = (3, 11), (3, 13)
"""The Pythons of `requires-python`."""

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = os.path.join(ROOT, ".venv")
KEPT = os.path.join(ROOT, ".cache", "setup")
"""uv, where this project fetched it; the state of the environment; what uv said."""

BEGUN, DONE = "begun", "done"

_STATE = os.path.join(KEPT, "state")
_STALE, _NONE = "stale", ""


def enter(words: list[str], parse: Callable[[list[str]], object], fetch: Callable[..., int]) -> list[str]:
    """The command line, for this process to obey; from a Python that lacks packages, another process takes over.

    `parse` refuses a wrong command line before anything is fetched in vain, `fetch` is that of `commands.fetching`.
    Raises SystemExit where there can be no environment.
    """
    if FORBID_OPTION in words or os.environ.get(FORBID_VARIABLE):
        return [word for word in words if word != FORBID_OPTION]
    state, suits = _state(), OLDEST <= sys.version_info[:2] <= NEWEST
    python = os.path.join(ENVIRONMENT, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(ENVIRONMENT):
        if state == DONE or (state == _NONE and not _lacks(words)):
            return words
    elif suits and not _lacks(words):
        return words
    elif state in (DONE, _NONE) and os.path.exists(python):
        _replace_this_process(python)
    if sys.version_info[:2] >= OLDEST:
        _check(words, parse)
    code = fetch(again=state == _STALE, suits=suits, note=_note)
    if code:
        raise SystemExit(code)
    _replace_this_process(python)
    return words


def lacking(error: ModuleNotFoundError) -> tuple[str, str]:
    """What a package comes to that is missing in spite of all, and a hint; a module of ours is a bug, and raised."""
    package = str(error.name).partition(".")[0]
    if os.path.isdir(os.path.join(ROOT, package)):
        raise error
    hint = f"without {FORBID_OPTION} and {FORBID_VARIABLE}, `python3 bench.py` fetches what it needs"
    return f"{sys.executable} has no package {package!r}", hint


def _check(words: list[str], parse: Callable[[list[str]], object]) -> None:
    """End with the error of a wrong command line, or with the help that was asked for."""
    from commands.exits import run_program

    def work() -> int:
        parse(words)
        return 0

    code = run_program("bench.py", work)
    if code:
        raise SystemExit(code)


def _replace_this_process(python: str) -> None:
    os.execv(python, [python, *sys.argv])  # noqa: S606 - a list, and no shell wanted


def _state() -> str:
    """How far the environment has come: begun, done, done for another `uv.lock`, or made by somebody else."""
    try:
        with open(_STATE, encoding="ascii") as file:
            said = file.read().split()
    except FileNotFoundError:
        return _NONE
    if said[:1] == [DONE]:
        return DONE if said[1:] == [_lock()] else _STALE
    return BEGUN


def _note(state: str) -> None:
    """Write down that the environment is begun, or done."""
    os.makedirs(KEPT, exist_ok=True)
    with open(_STATE, "w", encoding="ascii") as file:
        file.write(f"{state} {_lock()}\n")


def _lock() -> str:
    with open(os.path.join(ROOT, "uv.lock"), "rb") as file:
        return f"{zlib.crc32(file.read()):08x}"


def _lacks(words: list[str]) -> bool:
    """Whether this Python is without one of the packages that the command needs, by their metadata's folders."""
    return not _needed(words[:1]) <= _installed()


def _needed(verb: list[str]) -> set[str]:
    """The names in `pyproject.toml`: of the dependencies, for a server of those that its group names too."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        text = file.read()
    needed = _listed(text, "\ndependencies = [\n")
    if verb == ["serve"]:
        return needed & _listed(text, "\nserve = [\n")
    return needed | {"tox"} if verb == ["test"] else needed


def _listed(text: str, opening: str) -> set[str]:
    """The names of a list of requirements, one a line. tomllib takes as long as all the rest, and is new in 3.11."""
    lines = text.split(opening, 1)[1].split("\n]", 1)[0].splitlines()
    quoted = [line.split('"')[1] for line in lines if line.lstrip().startswith('"')]
    return {one.replace(">", "<").replace("=", "<").replace("[", "<").split("<")[0] for one in quoted}


def _installed() -> set[str]:
    found = set()
    for folder in sys.path:
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.endswith((".dist-info", ".egg-info")):
                    found.add(name.split("-")[0].lower().replace("_", "-"))
    return found
