"""What a person sees while the harness works: a live bar in a terminal, plain lines anywhere else. All on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from commands.exits import PlainOutput
from experiment.foreign_ground import plain
from experiment.progress import Bar

_REDRAW_S: Final = 0.25
"""Drawing costs milliseconds of a core that is being measured on, so it is rare."""

_PLAIN_LINE_S: Final = 5.0


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
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[what]}", markup=False),
        )
        with Progress(*columns, console=self._console, auto_refresh=False, transient=True) as progress:
            yield _LiveBar(progress, progress.add_task(title, total=None, what=""))


class _LiveBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._drawn = 0.0

    def update(self, done: float, total: float, what: str) -> None:
        self._progress.update(self._task, completed=done, total=total, what=plain(what))
        now = time.monotonic()
        if now - self._drawn >= _REDRAW_S or done >= total:
            self._drawn = now
            self._progress.refresh()


class _PlainBar:
    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._said = 0.0

    def update(self, done: float, total: float, what: str) -> None:
        now = time.monotonic()
        if now - self._said < _PLAIN_LINE_S and done < total:
            return
        self._said = now
        gone = now - self._started
        left = f", {gone / done * (total - done):.0f} s left" if done else ""
        print(f"{self._title}: {100 * done / total:3.0f} %{left}  {what}", file=sys.stderr, flush=True)
