"""Exit codes, the error that carries one, and how every program here ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

OK: Final = 0
FINDING: Final = 1
"""A target is wrong, or slower than it was."""
USAGE: Final = 2
HARNESS: Final = 3
"""The harness could not tell: invalid, inconclusive, or its own fault."""
INTERRUPTED: Final = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""
STOPS: Final = (signal.SIGINT, signal.SIGTERM)
"""What asks a program to end."""


class ExpectedError(Exception):
    """A failure the user can do something about: one line, a hint, and the exit code."""

    def __init__(self, message: str, *, hint: str = "", code: int = HARNESS) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def usage(message: str, hint: str = "see `python bench.py --help`") -> ExpectedError:
    """A wrong command line."""
    return ExpectedError(message, hint=hint, code=USAGE)


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
