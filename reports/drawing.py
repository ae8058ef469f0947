"""What all plots share: one colour a target, neutral ink, and SVG that reads on light and on dark paper.

Colours are those of Okabe and Ito 2008, "Color Universal Design", that keep a contrast of 3 : 1 on both papers;
the execution mode is told by the line, so that no reading rests on colour alone. Importing this imports
matplotlib.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from reports import lean_svg
from reports.latencies import NS_PER_MS, Nanoseconds
from reports.statistics import Floats
from reports.wording import NamedTarget

# A colour that no plot uses otherwise: it becomes `currentColor`, the ink of the page that shows the plot.
INK = "#010203"
QUIET = "#808080"
COLOURS: Mapping[str, str] = {
    "flask": "#0b7fc0",
    "bottle": "#d55e00",
    "wsgi": "#808080",
    "flask-native": "#3fa0d8",
    "bottle-native": "#d98a00",
}
SPARE = ("#009e73", "#c26d9e", "#8a7fd0", "#9a8a2f")
FASTER, SLOWER = "#009e73", "#d55e00"
MARKERS: Mapping[str, str] = {"gunicorn": "o", "waitress": "s", "granian": "D", "dev": "v"}
WIDTH_IN = 12.4
PNG_DPI = 160
LABEL_PT = 9.5
LEAST_BEYOND = 10
"""A quantile is drawn while so many samples lie beyond it."""
QUANTILE_TICKS = {0.5: "50 %", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %"}
CURVE_POINTS = 60

# Typed loosely: matplotlib lists every name of its settings in the type that it asks for.
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "titrate",
    "font.family": "sans-serif",
    # The one that matplotlib brings along and measures with in any case; it would look for others before every text.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0,
    "grid.color": QUIET,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
}
_MARK = "mark-"
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
# Alone in a browser or in a README the plot is its own page, and takes the reader's ink by itself.
ALONE = (
    "<style>:root{color:#1b1d21;font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif}"
    "@media (prefers-color-scheme:dark){:root{color:#e4e4df}}</style>"
)


def style() -> AbstractContextManager[None]:
    """The settings that every plot is drawn and written under: text made outside would be black on dark paper."""
    return mpl.rc_context(SETTINGS)


def figure(rows: int, columns: int, *, height_in: float, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """A transparent figure of the report's width, and its axes as rows of columns."""
    drawn = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    drawn.patch.set_alpha(0)
    grid = drawn.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.flat:
        axes.patch.set_alpha(0)
        axes.set_axisbelow(True)
    return drawn, [list(line) for line in grid]


def heading(axes: Axes, text: str) -> None:
    """A panel's title, in bold over its left edge."""
    axes.set_title(text, loc="left", fontsize=9.5, fontweight="bold")


def plain_numbers(axis: Axis) -> None:
    """Ticks as plain numbers, never as powers, and no smaller ticks between them."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "\u2212")))
    axis.set_minor_formatter(NullFormatter())


def milliseconds(axis: Axis) -> None:
    """A logarithmic axis of times, with enough plain ticks to read one wherever it begins."""
    axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.set_minor_locator(NullLocator())
    plain_numbers(axis)


def colour(target: NamedTarget, targets: Sequence[NamedTarget]) -> str:
    """The colour of a target: its framework's; a foreign server has one of its own."""
    name = target.framework or target.id
    if name in COLOURS:
        return COLOURS[name]
    others = list(
        dict.fromkeys(other for one in targets if (other := one.framework or one.id) not in COLOURS and not one.twin_of)
    )
    return SPARE[others.index(name) % len(SPARE)] if name in others else QUIET


def marker(target: NamedTarget) -> str:
    """The marker of a target: its server's."""
    return MARKERS.get(target.server or "", "o")


def line_style(target: NamedTarget) -> str:
    """Broken for a tutorial's code, in every plot, and full for everything else."""
    return "--" if (target.framework or "").endswith("-native") else "-"


def mark(artist: Artist, text: str, series: str = "") -> None:
    """Give what is drawn a value, shown where a reader points at it, and a series, which a page can switch off."""
    artist.set_gid(_MARK + json.dumps([text, series]).encode().hex())


def _marked(found: re.Match[str]) -> str:
    text, series = json.loads(bytes.fromhex(found[1]))
    named = f' data-series="{escape(series)}"' if series else ""
    return f'<g class="at"{named}>' + (f"<title>{escape(text)}</title>" if text else "")


def beside(
    axes: Axes, text: str, place: tuple[float, float], *, gap_pt: float = 6, fontsize: float = 8, **options: Any
) -> Annotation:
    """A text to the right of a place in the panel, level with it."""
    return axes.annotate(
        text, place, xytext=(gap_pt, 0), textcoords="offset points", va="center", fontsize=fontsize, **options
    )


def name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """One label a row, from the top down."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions moved as little as makes neighbours `gap` apart, in the order given."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    groups: list[list[int]] = []
    centres: list[float] = []
    for index in order:
        groups.append([index])
        centres.append(positions[index])
        # Two groups that touch become one around their common mean, and may then touch the one below.
        while len(groups) > 1 and centres[-1] - centres[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2:
            merged = groups[-2] + groups[-1]
            groups[-2:] = [merged]
            centres[-2:] = [sum(positions[one] for one in merged) / len(merged)]
    moved = list(positions)
    for group, centre in zip(groups, centres, strict=True):
        for place, index in enumerate(group):
            moved[index] = centre + gap * (place - (len(group) - 1) / 2)
    return moved


def end_labels(axes: Axes, ends: Sequence[tuple[float, str, str]], at: float, *, switched: bool = False) -> None:
    """Each line's name beside its end at `at`, with its colour: (height, name, colour), heights as log10 on a log axis.

    Names that would touch are moved apart. The axis is widened to hold them. Where series can be switched off, their
    names go with them.
    """
    if not ends:
        return
    is_log = axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    reach = math.log10(high / low) if is_log else high - low
    figure = axes.figure
    if not isinstance(figure, Figure):
        raise TypeError("a plot's panels lie in the figure itself")
    rows = max(1, len({one.get_position().y0 for one in figure.axes}))
    # A line of letters in data units: its points over those of a panel, which is most of its share of the figure.
    panel_pt = 0.62 * 72 * figure.get_figheight() / rows
    heights = spread([end for end, _, _ in ends], reach * LABEL_PT / panel_pt)
    bottom, top = (math.log10(low), math.log10(high)) if is_log else (low, high)
    inside = max(bottom - min(heights), 0.0) - max(max(heights) - top, 0.0)
    heights = [height + inside for height in heights]
    for height, (_, name, colour) in zip(heights, ends, strict=True):
        level = 10**height if is_log else height
        # Letters are in ink, which has the contrast of text on either paper; a swatch has the colour.
        swatch = beside(axes, "\u25a0", (at, level), gap_pt=6, color=colour, annotation_clip=False)
        label = beside(axes, name, (at, level), gap_pt=15, annotation_clip=False)
        for one in (swatch, label) if switched else ():
            mark(one, "", name)


def decades(low: float, high: float) -> float:
    """How far two values lie apart on a logarithmic axis, in powers of ten."""
    return math.log10(high / low)


def last_quantile(samples: int) -> float:
    """The furthest quantile that so many samples carry."""
    return 1 - LEAST_BEYOND / samples


def quantile_curve(ordered: Nanoseconds) -> tuple[Floats, Floats]:
    """Places on the axis and milliseconds, from the median on, of sorted samples."""
    at = 1 - np.geomspace(0.5, 1 - last_quantile(ordered.size), CURVE_POINTS)
    ranks = np.minimum(ordered.size - 1, (at * ordered.size).astype(np.int64))
    return 1 / (1 - at), ordered[ranks] / NS_PER_MS


def quantile_place(quantile: float) -> float:
    """Where a quantile lies on the axis of HDR histograms, over 1 / (1 - q) as Gil Tene's HdrHistogram plots them.

    Quantiles are spaced by what lies beyond them, so that each nine has the same width.
    """
    return 1 / (1 - quantile)


def quantile_scale(axes: Axes, furthest: float) -> None:
    """The axis of quantiles up to `furthest`, its ticks named by their share of requests."""
    axes.set_xscale("log")
    kept = {quantile: text for quantile, text in QUANTILE_TICKS.items() if quantile <= furthest}
    axes.set_xticks([quantile_place(quantile) for quantile in kept], list(kept.values()), minor=False)
    axes.set_xticks([], minor=True)


def svg(drawn: Figure, name: str, title: str, alt: str) -> str:
    """The figure as one SVG element for a page: named, described, in the page's ink, with ids of its own."""
    buffer = io.StringIO()
    with style():
        # Figure.savefig would draw twice: once for the layout alone, and again for the picture, which has it from here.
        # Typed loosely: matplotlib tells no types of its method.
        canvas: Any = FigureCanvasSVG(drawn)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    # What has a group of its own in the file is what was marked.
    marked = re.sub(rf'<g id="{_MARK}([0-9a-f]+)">', _marked, buffer.getvalue().replace(INK, "currentColor"))
    text = lean_svg.lean(marked, name)
    head, body = text.split(">", 1)
    view = re.search(r'viewBox="([^"]+)"', head)
    if view is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    return (
        f'<svg class="plot-{name}" viewBox="{view[1]}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(alt)}</desc>{body}'
    )


def png(drawn: Figure) -> bytes:
    """The figure as a PNG on white paper, sharp enough for print."""
    buffer = io.BytesIO()
    with style():
        drawn.savefig(buffer, format="png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def alone(inline: str) -> str:
    """The same SVG as a file: with the namespaces that a page implies, and its own ink for light and dark."""
    head, body = inline.split(">", 1)
    head = head.replace("<svg", f"<svg {NAMESPACES}", 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}>{ALONE}{body}'
