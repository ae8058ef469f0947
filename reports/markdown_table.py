"""Markdown's tables, and text on one line of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of those rows."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that does not end its cell either."""
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Text on one line that starts no markup: reasons come from outside."""
    return " ".join(str(text).split()).replace("<", "&lt;")
