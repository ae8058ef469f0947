"""Every plot that has data, drawn for one summary. Importing this imports matplotlib."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing
from reports.parallel_drawing import Share, alone
from reports.plots import names
from reports.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One drawn plot: its file's name, heading, what to know about it, and its SVG element."""

    name: str
    title: str
    note: str
    alt: str
    svg: str


def draw_all(summary: Summary, run: Run, share: Share = alone) -> dict[str, Plot]:
    """Every plot that has data, by name."""
    return {plot.name: plot for plot in share(_draw, names(), summary, run) if plot is not None}


def _draw(name: str, summary: Summary, run: Run) -> Plot | None:
    module, figure = _figure(name, summary, run)
    if figure is None:
        return None
    alt = module.ALT(summary)
    svg = drawing.svg(figure, name.replace("_", "-"), module.TITLE, alt)
    return Plot(name=name, title=module.TITLE, note=module.NOTE, alt=alt, svg=svg)


def pictures(summary: Summary, run: Run) -> dict[str, bytes]:
    """Every plot that has data as PNG on white paper, by name."""
    drawn = ((name, _figure(name, summary, run)[1]) for name in names())
    return {name: drawing.png(figure) for name, figure in drawn if figure is not None}


def _figure(name: str, summary: Summary, run: Run) -> tuple[ModuleType, Figure | None]:
    """A plot's module, and its figure if it has data."""
    module = importlib.import_module(f"reports.plots.{name}")
    with drawing.style():
        return module, module.draw(summary, run)
