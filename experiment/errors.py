"""What can go wrong in an experiment that its user can do something about, and the exit code that tells a script."""

from __future__ import annotations

import errno
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


_HINTS: Final = {
    errno.ENOSPC: "make room, then go on with `run --resume`, or draw with `report`: what was measured is whole",
    errno.EDQUOT: "make room within your quota, then go on with `run --resume`: what was measured is whole",
    errno.EFBIG: "a limit on the size of files (`ulimit -f`) is too low",
    errno.EROFS: "name a folder that can be written to with --out",
    errno.EACCES: "name a folder that is yours with --out",
    errno.EPERM: "name a folder that is yours with --out",
    errno.ENOTDIR: "a file is where a folder belongs: move it away, or name another folder with --out",
    errno.EEXIST: "a file is where a folder belongs: move it away, or name another folder with --out",
    errno.EISDIR: "a folder is where a file belongs: move it away, or name another with --out",
    errno.ENOENT: "the folder must be there already: make it, or name another",
    errno.EMFILE: "allow more open files: `ulimit -n 1024`",
    errno.ENFILE: "the machine has no open files left; close some programs",
    errno.ENOMEM: "the machine is out of memory; close some programs, or measure fewer targets at once",
    errno.EAGAIN: "no more processes may be started: see `ulimit -u`",
}


def in_words(error: OSError) -> str:
    """What the system refused, and of which path."""
    said = error.strerror or str(error) or type(error).__name__
    paths = " -> ".join(str(path) for path in (error.filename, error.filename2) if path is not None)
    return f"{paths}: {said}" if paths else said


def hint_for(error: OSError) -> str:
    """What its user can do about it; empty where nobody knows."""
    if str(error.filename).startswith("/proc"):
        return "mount /proc: processes and cores are read there"
    if error.filename is None and error.errno == errno.ENOSPC:
        return "what is printed goes to a disk that is full"
    return _HINTS.get(error.errno or 0, "")


_OF_A_PLACE: Final = frozenset(
    (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENOENT,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    )
)


def unwritable(path: object, error: OSError, hint: str) -> ExpectedError:
    """That a file or folder which the user named cannot be written: a wrong command line, or the machine's fault."""
    if error.errno in _OF_A_PLACE:
        return usage(f"{path} cannot be written: {in_words(error)}", hint)
    return ExpectedError(f"{path} cannot be written: {in_words(error)}", hint=hint_for(error))


class NothingToMeasureError(ExpectedError):
    """No target may be measured, or none answers; the journal has each one's reason, so there is a report to draw."""


def usage(message: str, hint: str = "see `python3 bench.py --help`") -> ExpectedError:
    """A wrong command line."""
    return ExpectedError(message, hint=hint, code=USAGE)
