"""Where a request's time goes: one bar a framework, from the server's share to the encoder's."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.ladder_summary import SEGMENTS
from reports.ladder_words import SEGMENT_WORDS, usual
from reports.summary import Summary
from reports.summary.ladder_rows import WaterfallRow

TITLE = "Where a request\u2019s time goes"
NOTE = (
    "Microseconds of one request over HTTP, one at a time, each segment a median of paired calls. Server is what HTTP "
    "adds to the WSGI call, framework what the WSGI call adds to the codec. The line is the end-to-end time."
)
ROW_IN = 0.3
# Segments are no targets, and have none of their colours; the codec's three are tones of one.
COLOURS = ("#8a7fd0", "#c26d9e", "#bdb15e", "#9a8a2f", "#009e73", "#7d7026")


def _rows(summary: Summary) -> list[WaterfallRow]:
    return usual(summary.ladder.waterfalls) if summary.ladder else []


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every segment, in words."""
    said = [
        f"{row.framework} on /{row.endpoint}: "
        + ", ".join(f"{SEGMENT_WORDS[name]} {wording.number(one.value)}" for name, one in row.segments.items())
        + f", remainder {wording.number(row.remainder_us)}, in all {wording.number(row.total_us.value)}"
        for row in _rows(summary)
    ]
    return f"Microseconds of a request by segment. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure, a panel an endpoint; None without a ladder."""
    rows = _rows(summary)
    if not rows:
        return None
    endpoints = list(dict.fromkeys(row.endpoint for row in rows))
    panels = {name: [row for row in rows if row.endpoint == name] for name in endpoints}
    heights = [len(own) + 2.0 for own in panels.values()]
    height_in = ROW_IN * sum(heights) + 0.5
    figure, grid = drawing.figure(len(panels), 1, height_in=height_in, height_ratios=heights)
    for line, (endpoint, own) in zip(grid, panels.items(), strict=True):
        axes = line[0]
        drawing.heading(axes, f"/{endpoint}, {own[0].mode}, {own[0].encoding}")
        for place, row in enumerate(own):
            left = 0.0
            for name, colour in zip(SEGMENTS, COLOURS, strict=True):
                width = max(0.0, row.segments[name].value)
                label = SEGMENT_WORDS[name] if place == 0 and endpoint == endpoints[0] else None
                bars = axes.barh(place, width, left=left, color=colour, height=0.7, label=label)
                told = f"{wording.framework_name(row.framework)}, /{endpoint}: {SEGMENT_WORDS[name]}"
                drawing.mark(bars[0], f"{told} {wording.number(width)} \u00b5s")
                left += width
            total = row.total_us.value
            axes.plot([total, total], [place - 0.42, place + 0.42], color=drawing.INK, linewidth=1.4)
            drawing.beside(axes, wording.whole(total), (max(total, left), place), fontsize=9)
        drawing.name_rows(axes, [wording.framework_name(row.framework) for row in own])
        axes.margins(x=0.1)
        axes.set_xlim(left=0)
        axes.grid(axis="x")
        drawing.plain_numbers(axes.xaxis)
    grid[-1][0].set_xlabel("\u00b5s a request")
    figure.legend(loc="outside upper center", ncols=len(SEGMENTS), frameon=False, fontsize=8)
    return figure
