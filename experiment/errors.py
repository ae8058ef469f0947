"""What can go wrong in an experiment that its user can do something about, and the exit code that tells a script."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FINDING: Final = 1
"""A target is wrong, or slower than it was."""
USAGE: Final = 2
HARNESS: Final = 3
"""The harness could not tell: invalid, inconclusive, or its own fault."""
INTERRUPTED: Final = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""


class ExpectedError(Exception):
    """A failure the user can do something about: one line, a hint, and the exit code."""

    def __init__(self, message: str, *, hint: str = "", code: int = HARNESS) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class NothingToMeasureError(ExpectedError):
    """No target may be measured, or none answers; the journal has each one's reason, so there is a report to draw."""


def usage(message: str, hint: str = "see `python bench.py --help`") -> ExpectedError:
    """A wrong command line."""
    return ExpectedError(message, hint=hint, code=USAGE)
