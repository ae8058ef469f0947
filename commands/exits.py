"""How every program here ends: by Ctrl-C, by an error that its user can mend, or well."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn

from experiment.errors import HARNESS, INTERRUPTED, OK, ExpectedError

TRACEBACK: Final = "TITRATE_TRACEBACK"
"""The variable that has an unexpected error shown whole."""

STOPS: Final = (signal.SIGINT, signal.SIGTERM)
"""What asks a program to end."""


def stop_as_by_ctrl_c() -> None:
    """Have SIGTERM raise KeyboardInterrupt, too, and SIGINT in the background, where a shell has it ignored."""
    for stop in STOPS:
        signal.signal(stop, _interrupt)


def _interrupt(_signal: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def run_program(name: str, work: Callable[[], int], faults: tuple[type[Exception], ...] = ()) -> int:
    """The exit code of `work`, which is told in one line and a hint where it ends otherwise.

    `faults` are the errors by which parts of the harness say that they failed. All others are bugs: the harness could
    not tell, which is never 1, for that would be a finding against a target.
    """
    try:
        code = work()
        # Here and not at exit, where a closed pipe could no longer be caught.
        sys.stdout.flush()
    except ExpectedError as error:
        _say(f"{name}: {error}")
        if error.hint:
            _say(f"hint: {error.hint}")
        return error.code
    except faults as error:
        _say(f"{name}: {error}")
        return HARNESS
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `bench.py list | head` closes the pipe early; that is no fault, nor is what the exit has left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:  # noqa: BLE001 - the last one who could tell it from a finding
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        _say(f"{name}: unexpected {type(error).__name__}: {error} ({_place(error)})")
        _say(f"hint: this is a fault of the harness, not of a target; {TRACEBACK}=1 shows the whole traceback")
        return HARNESS
    return code


def _say(text: str) -> None:
    """One line on standard error, whatever a server, a file or an argument has put into it."""
    line = " | ".join(part.strip() for part in text.splitlines() if part.strip())
    print("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line), file=sys.stderr)


def _place(error: Exception) -> str:
    """Where it arose: the innermost file and line."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - a name for a person
