"""The plots that there are, found by listing their folder, and each drawn for one summary."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from reports.records import Run

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


def draw_all(summary: Mapping[str, Any], run: Run) -> dict[str, Plot]:
    """Every plot that has data, by name. Imports matplotlib."""
    from reports import drawing  # noqa: PLC0415 - matplotlib is loaded only where something is drawn

    drawn = {}
    for name, module, figure in _figures(summary, run):
        alt = module.ALT(summary)
        svg = drawing.svg(figure, name.replace("_", "-"), module.TITLE, alt)
        drawn[name] = Plot(name=name, title=module.TITLE, note=module.NOTE, alt=alt, svg=svg)
    return drawn


def pictures(summary: Mapping[str, Any], run: Run) -> dict[str, bytes]:
    """Every plot that has data as PNG on white paper, by name. Imports matplotlib."""
    from reports import drawing  # noqa: PLC0415 - matplotlib is loaded only where something is drawn

    return {name: drawing.png(figure) for name, _, figure in _figures(summary, run)}


def _figures(summary: Mapping[str, Any], run: Run) -> Iterator[tuple[str, ModuleType, Figure]]:
    from reports import drawing  # noqa: PLC0415 - matplotlib is loaded only where something is drawn

    for name in names():
        module = importlib.import_module(f"reports.plots.{name}")
        with drawing.style():
            figure = module.draw(summary, run)
        if figure is not None:
            yield name, module, figure
