"""One picture to share: the answer, the verdicts with the largest effects, and the machine that they are of."""

from __future__ import annotations

import io
import textwrap
from typing import Final

from matplotlib.figure import Figure

from reports import drawing
from reports.html import machine_line
from reports.plots import ratios
from reports.summary import Summary

FILE_NAME: Final = "share.png"
SIZE_PX: Final = (1200, 630)
"""What networks show of a link."""

_DPI: Final = 100
_PAPER, _INK, _QUIET = "#fdfdfb", "#1b1d21", "#50555f"
_MOST_LINES: Final = 11
_LINE: Final = 88
_MOST_OF_ANSWER: Final = 4


def draw(summary: Summary) -> bytes:
    """The card as a PNG of `SIZE_PX`."""
    with drawing.style():
        figure = Figure(figsize=(SIZE_PX[0] / _DPI, SIZE_PX[1] / _DPI), dpi=_DPI, facecolor=_PAPER)
        answer = textwrap.wrap(summary.headline, _LINE)
        if len(answer) > _MOST_OF_ANSWER:
            answer = [*answer[: _MOST_OF_ANSWER - 1], f"{answer[_MOST_OF_ANSWER - 1]} \u2026"]
        figure.text(0.03, 0.955, "\n".join(answer), color=_INK, fontsize=15.5, fontweight="bold", va="top")
        machine = f"{machine_line(summary)}, {summary.started_utc[:10]}. Other machines differ."
        figure.text(0.03, 0.03, f"Titrate. {machine}", color=_QUIET, fontsize=10.5, va="bottom")
        lines = _largest(summary)
        if lines:
            top = 0.9 - 0.048 * len(answer)
            axes = figure.add_axes((0.36, 0.135, 0.45, top - 0.135))
            axes.patch.set_alpha(0)
            ratios.paint(axes, summary, lines, fontsize=10.5)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, facecolor=_PAPER, metadata={"Software": None})
    return buffer.getvalue()


def _largest(summary: Summary) -> list[ratios.Line]:
    """The first lines of the picture of all verdicts, in its order: the largest of each question, as many as fit."""
    lines = ratios.lines(summary)
    titles = [place for place, (_, cells) in enumerate(lines) if not cells]
    kept: set[int] = set()
    # The first of every question, then the second of every, until the card is full.
    for depth in range(1, len(lines)):
        for title in titles:
            place = title + depth
            within = place < len(lines) and all(cells for _, cells in lines[title + 1 : place + 1])
            if within and len(kept | {title, place}) <= _MOST_LINES:
                kept |= {title, place}
    return [line for place, line in enumerate(lines) if place in kept]
