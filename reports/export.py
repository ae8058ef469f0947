"""A run's results in other formats: its cells as CSV, its plots as PNG."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from experiment.foreign_ground import own_folder, write_file
from reports import gallery
from reports.summary import Summary
from reports.summary.measures import COLUMNS, Median

PLAIN = ("target", "endpoint", "scenario", "users", "arrival", "valid", "reason", "trials", "requests", "errors")
SINGLE = ("cpu_ms_per_request", "rss_mib", "startup_s")
SPREAD = ("median", "low", "high")


def cells_csv(summary: Summary) -> str:
    """One line a cell under a header, as RFC 4180; what is not known is empty; ms, and requests a second."""
    percentiles = [(kind, name) for kind in ("latency_ms", "response_ms") for name in COLUMNS]
    spreads = ["throughput_rps", *(f"{kind}_{name}" for kind, name in percentiles)]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["run_id", *PLAIN, *(f"{one}_{part}" for one in spreads for part in SPREAD), *SINGLE])
    for row in summary.results:
        figures = [row.throughput_rps, *(row.latencies(kind).at(name) for kind, name in percentiles)]
        told = [value for figure in figures for value in _spread(figure)]
        plain, single = ([getattr(row, name) for name in names] for names in (PLAIN, SINGLE))
        writer.writerow([_inert(value) for value in (summary.run_id, *plain, *told, *single)])
    return text.getvalue()


def write_csv(_run_dir: Path, summary: Summary, into: Path) -> list[Path]:
    """Write cells.csv into the folder of a report."""
    path = into / "cells.csv"
    write_file(path, cells_csv(summary))
    return [path]


def write_png(run_dir: Path, summary: Summary, into: Path) -> list[Path]:
    """Write every plot that has data as PNG beside its SVG. Raises JournalError."""
    from experiment.run_folder import read_run  # noqa: PLC0415 - only where plots are drawn

    paths = []
    own_folder(into / "plots")
    for name, picture in gallery.pictures(summary, read_run(run_dir)).items():
        paths.append(into / "plots" / f"{name}.png")
        write_file(paths[-1], picture)
    return paths


# Each is given the run, its summary and the report's folder, and gives the files. JSON and Markdown are of every
# report: asking for them says where they are.
FORMATS = {
    "csv": write_csv,
    "json": lambda _run_dir, _summary, into: [into / "summary.json"],
    "markdown": lambda _run_dir, _summary, into: [into / "summary.md"],
    "png": write_png,
}


def _inert(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def _spread(figure: Median | None) -> list[float | None]:
    if figure is None:
        return [None, None, None]
    return [figure.median, *(figure.ci95 or (None, None))]
