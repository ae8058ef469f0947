"""How every program here ends, by Ctrl-C, by an error that its user can mend, or well; and how it prints.

What is printed may have come from a server or from a file of somebody else's, and the terminal may know few letters:
what would steer a terminal, and what it cannot show, is written as an escape that can be read, and that JSON reads too.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn, TextIO

from experiment.errors import HARNESS, INTERRUPTED, OK, ExpectedError, hint_for, in_words
from experiment.foreign_ground import escaped, plain

_ESCAPED: Final = "titrate_escaped"
_LONGEST: Final = 300

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


def _in_place(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return escaped(error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPED, _in_place)


class PlainOutput(io.TextIOWrapper):
    """A stream that takes any text, whatever is in it and whatever the terminal can show."""

    def write(self, text: str) -> int:
        """Write it, escaped."""
        super().write(plain(text))
        return len(text)


def print_plainly() -> None:
    """Have all that this process prints be plain."""
    sys.stdout, sys.stderr = _plain_stream(sys.stdout), _plain_stream(sys.stderr)


def _plain_stream(stream: TextIO | None) -> TextIO:
    if stream is None:
        # Closed by whoever started this process: what is printed goes nowhere, as it would have.
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open as standard output does
    buffering = stream.line_buffering if isinstance(stream, io.TextIOWrapper) else False
    return PlainOutput(
        stream.buffer, encoding=stream.encoding, errors=_ESCAPED, line_buffering=buffering, write_through=True
    )


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
        _tell(name, error)
        return HARNESS
    return code


def _tell(name: str, error: Exception) -> None:
    """What the machine refused; or, of anything else, that it is a fault of the harness, and where to read it whole."""
    if isinstance(error, OSError):
        said, hint = in_words(error), hint_for(error)
    elif isinstance(error, MemoryError):
        said, hint = "there is not enough memory", "close some programs, or measure fewer targets at once"
    else:
        told = traceback.format_exc()
        if os.environ.get(TRACEBACK):
            print(told, file=sys.stderr)
        words = " ".join(str(error).split())[:_LONGEST]
        said = f"unexpected {type(error).__name__}: {words} ({_place(error)})"
        hint = f"this is a fault of the harness, not of a target; please report it with {_kept(told)}"
    _say(f"{name}: {said}")
    if hint:
        _say(f"hint: {hint}")


def _kept(told: str) -> str:
    """Where the whole of an unexpected error is to be read: in a file, or above where none can be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors=_ESCAPED, prefix="titrate-fault-", suffix=".txt", delete=False
        ) as file:
            file.write(told)
    except OSError:
        print(told, file=sys.stderr)
        return "the lines above"
    return f"the traceback in {file.name}"


def _say(text: str) -> None:
    """One line on standard error, whatever a server, a file or an argument has put into it."""
    line = " | ".join(part.strip() for part in text.splitlines() if part.strip())
    print("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line), file=sys.stderr)


def _place(error: Exception) -> str:
    """Where it arose: the innermost file and line."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - a name for a person
