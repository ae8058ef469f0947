"""What a person sees: a live bar or plain lines on standard error while the harness works, then what it found."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from commands.exits import PlainOutput
from experiment.foreign_ground import plain
from experiment.progress import Bar

_REDRAW_S: Final = 0.25
"""Drawing costs milliseconds of a core that is being measured on, so it is rare."""

_PLAIN_LINE_S: Final = 5.0
_LEAST_PACE_SHARE: Final = 0.02
"""Of a piece of work that must be done before its pace says anything of the rest."""


class StandardError:
    """Standard error, as a person or as a log file reads it."""

    def __init__(self) -> None:
        # Past the plain stream: the bar's own steering must get through. Its texts are made plain before.
        past = sys.__stderr__ if isinstance(sys.stderr, PlainOutput) else None
        self._console = Console(file=past, stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(plain(text), markup=False, emoji=False)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """A bar for as long as the block runs."""
        if not self._console.is_terminal:
            yield _PlainBar(title)
            return
        columns = (
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", style="progress.remaining", markup=False),
            TextColumn("{task.fields[what]}", markup=False),
        )
        with Progress(*columns, console=self._console, auto_refresh=False, transient=True) as progress:
            yield _LiveBar(progress, progress.add_task(title, total=None, what="", left=""))


_PLAIN_SIGNS: Final = {0x2212: "-", 0x2013: "-", 0xD7: "x", 0xB1: "+/-", 0x202F: " ", 0x2019: "'"}
"""What stands for a sign that a terminal of few letters has not."""


class StandardOutput:
    """Standard output: in a terminal wrapped between words and coloured, in a pipe line by line as it is.

    `NO_COLOR` and `TERM=dumb` leave the colours out. `width` is in columns: the terminal's, or `COLUMNS`, else 80.
    """

    def __init__(self, file: IO[str] | None = None, width: int | None = None) -> None:
        # Rich would leave bold and dim in.
        colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
        # Past the plain stream, as above.
        past = sys.__stdout__ if file is None and isinstance(sys.stdout, PlainOutput) else file
        self._console = _Piped(file=past, width=width, color_system=colours, highlight=False, markup=False, emoji=False)
        self.width = self._console.width
        self.has_signs = self._console.encoding.startswith("utf")

    def prose(self, text: str) -> None:
        """A paragraph. A line with a command in it is never broken, so that it can be copied."""
        whole = not self._console.is_terminal or "python" in text
        self._console.print(self._shown(text), soft_wrap=whole)

    def line(self, text: str, style: str = "") -> None:
        """A line that is as long as it is."""
        self._console.print(self._shown(text), style=style, soft_wrap=True)

    def cells(self, cells: Sequence[tuple[str, int, str]]) -> None:
        """A line of a table: each text with its width and its style."""
        line = Text()
        for text, width, style in cells:
            shown = self._shown(text)
            line.append(shown, style).append(" " * (width - len(shown)))
        line.rstrip()
        self._console.print(line, soft_wrap=True)

    def _shown(self, text: str) -> str:
        # A name or a reason from outside may hold lines of its own.
        text = plain(" ".join(text.splitlines()))
        if self.has_signs:
            return text
        letters = self._console.encoding
        return text.translate(_PLAIN_SIGNS).encode(letters, "backslashreplace").decode(letters)


class _Piped(Console):
    def on_broken_pipe(self) -> None:
        """`bench.py report RUN | head` closes the pipe: said to `run_program`, where Rich would exit with 1."""
        raise BrokenPipeError


class _Left:
    """How long the rest takes: as whoever updates a bar knows it, else at the pace so far, once there is one."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def seconds(self, done: float, total: float, left_s: float | None) -> float | None:
        if left_s is not None or done < _LEAST_PACE_SHARE * total:
            return left_s
        return (time.monotonic() - self._started) / done * (total - done) if done else None


class _LiveBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._drawn = 0.0
        self._left = _Left()

    def update(self, done: float, total: float, what: str, left_s: float | None = None) -> None:
        seconds = self._left.seconds(done, total, left_s)
        left = "" if seconds is None else f"{int(seconds) // 60:d}:{int(seconds) % 60:02d}"
        self._progress.update(self._task, completed=done, total=total, what=plain(what), left=left)
        now = time.monotonic()
        if now - self._drawn >= _REDRAW_S or done >= total:
            self._drawn = now
            self._progress.refresh()


class _PlainBar:
    def __init__(self, title: str) -> None:
        self._title = title
        self._said = 0.0
        self._left = _Left()

    def update(self, done: float, total: float, what: str, left_s: float | None = None) -> None:
        now = time.monotonic()
        if now - self._said < _PLAIN_LINE_S and done < total:
            return
        self._said = now
        seconds = self._left.seconds(done, total, left_s)
        left = "" if seconds is None else f", {seconds:.0f} s left"
        print(f"{self._title}: {100 * done / total:3.0f} %{left}  {what}", file=sys.stderr, flush=True)
