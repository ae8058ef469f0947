"""How every program here ends: by Ctrl-C, by an error that its user can mend, or well."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

from experiment.errors import HARNESS, INTERRUPTED, OK, ExpectedError

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

    `faults` are the errors by which parts of the harness say that they failed. All others are bugs, and raised.
    """
    try:
        code = work()
        # Here and not at exit, where a closed pipe could no longer be caught.
        sys.stdout.flush()
    except ExpectedError as error:
        print(f"{name}: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.code
    except faults as error:
        print(f"{name}: {error}", file=sys.stderr)
        return HARNESS
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `bench.py list | head` closes the pipe early; that is no fault, nor is what the exit has left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code
