"""What the harness tells a person while it works: met by structure, so that a terminal, a log or a test can hear it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Bar(Protocol):
    """A piece of work with a known size."""

    def update(self, done: float, total: float, what: str, left_s: float | None = None) -> None:
        """So much of `total` is done, and `what` is under way; `left_s` is what the rest takes, if known."""


class Terminal(Protocol):
    """Where lines and bars go; `commands.terminal` has the one of standard error."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def bar(self, title: str) -> AbstractContextManager[Bar]:
        """A bar for as long as the block runs."""


def plural(count: int, noun: str) -> str:
    """`1 block`, `2 blocks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
