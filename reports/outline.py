"""Which sections the page has, in the order in which they are read: those with something to show. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from reports.summary import Summary

# The file in sections/, where it has one, is named as its heading's anchor; the text is that of the contents.
TITLES: Mapping[str, str] = {
    "verdicts": "Verdicts",
    "trust": "Trust",
    "costs": "Costs",
    "matters": "What matters",
    "throughput": "Throughput",
    "offered": "Load",
    "latency": "Latency",
    "cost": "Framework",
    "capacity": "Capacity",
    "encodings": "Encodings",
    "ladder": "Ladder",
    "modes": "Mode",
    "grid": "Matrix",
    "conformance": "Conformance",
    "resources": "Resources",
    "timeline": "Time",
    "generator": "Generator",
    "treatment": "Treatment",
}
ALWAYS: Mapping[str, str] = {"machine": "Machine", "repeat": "Repeat it"}
LOADED = ("verdicts", "treatment", "throughput", "latency", "conformance", "resources", "generator")


class PlotSection(NamedTuple):
    """A section that is a heading and one plot, with sentences before it if there are any, and no file of its own."""

    plot: str
    heading: str


PLOT_SECTIONS: Mapping[str, PlotSection] = {
    "cost": PlotSection("framework_cost", "The framework\u2019s cost"),
    "matters": PlotSection("what_matters", "What matters most"),
    "offered": PlotSection("offered_load", "Response time against offered load"),
    "modes": PlotSection("modes", "Execution mode"),
    "grid": PlotSection("grid", "The matrix"),
    "timeline": PlotSection("timeline", "The run in time"),
}
FOLDED = ("cost", "grid", "modes")
"""Sections whose plot says again what a table says."""

BY_MEMBER: Mapping[str, str] = {
    "capacity": "capacity",
    "encodings": "encodings",
    "ladder": "ladder",
}


def is_loaded(summary: Summary) -> bool:
    """Whether this is a run under load, and not a climb of the ladder alone."""
    return bool(summary.results) or not summary.ladder


def sections(summary: Summary, plots: Collection[str]) -> list[str]:
    """The names of the sections, in order, without those that every page ends with."""
    shown = {name for name, section in PLOT_SECTIONS.items() if section.plot in plots}
    shown |= {name for name, member in BY_MEMBER.items() if getattr(summary, member)}
    shown |= set(LOADED) if is_loaded(summary) else set()
    shown |= {"trust"} | ({"costs"} if summary.costs else set())
    return [name for name in TITLES if name in shown]


def contents(names: Collection[str]) -> list[tuple[str, str]]:
    """The page's contents: anchor and text."""
    return [*((name, TITLES[name]) for name in names), *ALWAYS.items()]
