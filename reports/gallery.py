"""The plots that there are, found by listing their folder, and each drawn for one summary."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from experiment.run_folder import Run
from reports.parallel_drawing import Share, alone
from reports.summary import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parent / "plots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One drawn plot: its file's name, heading, what to know about it, and its SVG element."""

    name: str
    title: str
    note: str
    alt: str
    svg: str


def names() -> list[str]:
    """The plots' module names, sorted. Imports none of them."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def draw_all(summary: Summary, run: Run, share: Share = alone) -> dict[str, Plot]:
    """Every plot that has data, by name. Imports matplotlib."""
    return {plot.name: plot for plot in share(_draw, names(), summary, run) if plot is not None}


def _draw(name: str, summary: Summary, run: Run) -> Plot | None:
    from reports import drawing  # noqa: PLC0415 - matplotlib is loaded only where something is drawn

    module, figure = _figure(name, summary, run)
    if figure is None:
        return None
    alt = module.ALT(summary)
    svg = drawing.svg(figure, name.replace("_", "-"), module.TITLE, alt)
    return Plot(name=name, title=module.TITLE, note=module.NOTE, alt=alt, svg=svg)


def pictures(summary: Summary, run: Run) -> dict[str, bytes]:
    """Every plot that has data as PNG on white paper, by name. Imports matplotlib."""
    from reports import drawing  # noqa: PLC0415 - matplotlib is loaded only where something is drawn

    drawn = ((name, _figure(name, summary, run)[1]) for name in names())
    return {name: drawing.png(figure) for name, figure in drawn if figure is not None}


def _figure(name: str, summary: Summary, run: Run) -> tuple[ModuleType, Figure | None]:
    """A plot's module, and its figure if it has data."""
    from reports import drawing  # noqa: PLC0415 - matplotlib is loaded only where something is drawn

    module = importlib.import_module(f"reports.plots.{name}")
    with drawing.style():
        return module, module.draw(summary, run)
