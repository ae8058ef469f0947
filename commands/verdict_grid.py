"""The verdicts of a run at one sight: a block a question, a line a load, a column an endpoint; A/A last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from commands.terminal import StandardOutput
from reports import tables, wording
from reports.comparisons import NOISE_AXIS
from reports.summary import Summary
from reports.summary.load_rows import ComparisonRow

_STYLES: Final[Mapping[str, str]] = {
    "faster": "green",
    "slower": "red",
    "equivalent": "cyan",
    "inconclusive": "yellow",
    "invalid": "dim",
}
_WORDS: Final[Mapping[str, str]] = {"equivalent": "equal", "inconclusive": "undecided", "invalid": "no verdict"}
_AXES: Final = ("framework", "mode", "server", "device")
_UNITS: Final = "Change in requests/s, on a schedule in the median response time, and the interval that it lies in"
_GAP: Final = 2


def leading(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Of each pair and endpoint the row at the most users, and the one at the highest rate; in their usual encoding."""
    found: dict[tuple[str, str, str, bool], ComparisonRow] = {}
    for row in rows:
        key = (row.baseline, row.candidate, row.endpoint, row.arrival == "closed")
        if key not in found or _rank(row) >= _rank(found[key]):
            found[key] = row
    return list(found.values())


def _rank(row: ComparisonRow) -> tuple[bool, float]:
    rates = [float(one) for one in re.findall(r"[0-9.]+", row.load)]
    return row.variant is None, row.users if row.arrival == "closed" else max(rates, default=0)


def print_grid(terminal: StandardOutput, summary: Summary, rows: Sequence[ComparisonRow]) -> None:
    """Print it within the terminal's width: the interval beside the change, or below it where there is no room."""
    endpoints = tables.endpoints(summary)
    load_width = max(len(_load(row)) for row in rows) + 2 * _GAP
    for beside in (True, False):
        cells = {id(row): _cell(row, beside=beside, signs=terminal.has_signs) for row in rows}
        told = {name: [line for row in rows if row.endpoint == name for line in cells[id(row)]] for name in endpoints}
        widths = [_GAP + max(len(line) for line in [f"/{name}", *told[name]]) for name in endpoints]
        if load_width + sum(widths) - _GAP <= terminal.width:
            break
    heads = [(f"/{name}", width, "bold") for name, width in zip(endpoints, widths, strict=True)]
    terminal.cells([("", load_width, ""), *heads])
    for question, loads in _blocks(summary, rows):
        terminal.line(question, "bold")
        for load, by_endpoint in loads.items():
            found = [by_endpoint.get(name) for name in endpoints]
            lines = [cells[id(row)] if row else [""] for row in found]
            for at in range(max(map(len, lines))):
                line = [
                    (said[at] if at < len(said) else "", width, _style(row) if at == 0 else "dim")
                    for row, said, width in zip(found, lines, widths, strict=True)
                ]
                terminal.cells([("  " + (load if at == 0 else ""), load_width, ""), *line])
    terminal.line("")
    if terminal.has_signs:
        terminal.prose("  ".join(f"{tables.SYMBOLS[verdict]} {_WORDS.get(verdict, verdict)}" for verdict in _STYLES))
    terminal.prose(f"{_UNITS}.")


def _blocks(
    summary: Summary, rows: Sequence[ComparisonRow]
) -> Iterator[tuple[str, dict[str, dict[str, ComparisonRow]]]]:
    """Each question with its rows by load and endpoint: by axis, and A/A last."""

    def place(row: ComparisonRow) -> int:
        if row.axis == NOISE_AXIS:
            return len(_AXES) + 1
        return _AXES.index(row.axis) if row.axis in _AXES else len(_AXES)

    targets = summary.target_by_id
    pairs: dict[tuple[str, str, str], dict[str, dict[str, ComparisonRow]]] = {}
    said = {}
    for row in sorted(rows, key=place):
        key = (row.axis, row.baseline, row.candidate)
        pairs.setdefault(key, {}).setdefault(_load(row), {})[row.endpoint] = row
        kept = wording.conditions(row.axis, targets[row.candidate]) if row.candidate in targets else ""
        question = tables.question(row, targets)
        said[key] = f"{question} ({kept})" if kept and row.axis != NOISE_AXIS else question
    for key, loads in pairs.items():
        yield said[key], loads


def _load(row: ComparisonRow) -> str:
    load = f"{row.users} user{'s' if row.users > 1 else ''}" if row.arrival == "closed" else row.load
    return f"{load}, {row.variant}" if row.variant else load


def _cell(row: ComparisonRow, *, beside: bool, signs: bool) -> list[str]:
    """The verdict's mark and the change, with the interval behind it or on a line of its own."""
    mark = "" if row.axis == NOISE_AXIS else f"{_mark(row.verdict, signs=signs)} "
    if row.ratio is None:
        return [mark.strip() or tables.change(row)]
    interval = tables.interval(row)
    # The unit stands behind the change: `+26 % [21, 31]`.
    short = "".join(sign for sign in interval.replace(" to ", ", ") if sign not in "+%\u00d7 ").replace(",", ", ")
    ends = [f"[{short}]"] if interval else []
    change = f"{mark}{tables.change(row)}"
    return [" ".join([change, *ends])] if beside else [change, *ends]


def _mark(verdict: str, *, signs: bool) -> str:
    return tables.SYMBOLS[verdict] if signs else _WORDS.get(verdict, verdict)


def _style(row: ComparisonRow | None) -> str:
    return "" if row is None or row.axis == NOISE_AXIS else _STYLES[row.verdict]
