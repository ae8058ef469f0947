"""A history in words: lines for a terminal, Markdown for a page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from experiment.progress import plural
from reports import wording
from reports.comparisons import LATENCIES
from reports.runs_compared import History, Series, SeriesRun
from reports.wording import one_line, table


def lines(found: History) -> list[str]:
    """The runs, then a line a cell, those with a step first, then what was left out."""
    rows = _ordered(found.series)
    column = max((len(row.target) for row in rows), default=0)
    names = [f"{row.target:{column}}  {row.scenario}" for row in rows]
    width = max(map(len, names), default=0)
    told = [f"run {index}: {_run(run)}" for index, run in enumerate(found.runs)]
    told += [
        "",
        *(f"{name:{width}}  {_trend(row):20} {_said(row, found)}" for name, row in zip(names, rows, strict=True)),
    ]
    told += [f"left out: {one.run_id}: {one.reason}" for one in found.left_out]
    return told


def markdown(found: History) -> str:
    """A table a cell."""
    rows = [[f"`{row.target}`", row.scenario, _trend(row), _said(row, found)] for row in _ordered(found.series)]
    runs = [f"{index}. {one_line(_run(run))}" for index, run in enumerate(found.runs)]
    out = [f"- left out: {one_line(one.run_id)}: {one_line(one.reason)}" for one in found.left_out]
    parts = ["\n".join(runs), table(["target", "scenario", "last against first", "steps"], rows), "\n".join(out)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _ordered(rows: Sequence[Series]) -> list[Series]:
    return sorted(rows, key=lambda row: not row.steps)


def _run(run: SeriesRun) -> str:
    commit = f" commit {run.commit[:12]}" if run.commit else ""
    partial = f" (partial: {run.partial_reason})" if run.partial_reason else ""
    return f"{run.run_id} {run.started_utc}{commit}{partial}"


def _trend(row: Series) -> str:
    """The last run against the first, above 0 % where it is faster."""
    if len(row.points) < 2:
        return "\u2013"
    ratio = row.points[-1].figure / row.points[0].figure
    return wording.change(1 / ratio if row.metric in LATENCIES else ratio)


def _said(row: Series, found: History) -> str:
    if not row.judged:
        more = found.least_runs - len(row.points)
        return f"{plural(more, 'more run')} needed to tell a step"
    if not row.steps:
        return "no step"
    return ", ".join(f"{wording.change(step.ratio)} from run {step.run} on" for step in row.steps)
