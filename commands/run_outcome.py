"""What a run says on standard output, and its exit code."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from commands.terminal import StandardError, StandardOutput
from commands.verdict_grid import leading, print_grid
from experiment.errors import FINDING, HARNESS, OK
from experiment.progress import plural
from reports.deciding import ASKED, in_words
from reports.headline_rows import leading_pairs
from reports.ladder_words import counted_rows
from reports.ladder_words import usual as waterfalls
from reports.render import render
from reports.summary import Summary, read_summary
from reports.summary.ladder_rows import LadderSummary
from reports.summary.load_rows import CapacityRow, ComparisonRow
from reports.tables import ladder_trust

_SETTLED: Final = ("faster", "slower", "equivalent")
_MOST_REASONS: Final = 6
"""So many undecided comparisons say why in the terminal, that the answer above them stays in sight."""


def draw_and_print(
    folder: Path,
    price_per_core_hour: float | None = None,
    into: Path | None = None,
    *,
    keep_paths: bool = False,
    show: bool = False,
) -> Summary:
    """Draw the report of a run folder, there or in `into`; print its verdicts and where it is. Raises JournalError.

    `show` opens the page in a browser.
    """
    report = render(folder, price_per_core_hour, into, keep_paths=keep_paths)
    summary = read_summary(report.parent)
    terminal = StandardOutput()
    print_outcome(terminal, summary, str(folder))
    page = report.resolve().as_uri()
    terminal.line(f"report: {page}")
    if show and not webbrowser.open(page):
        StandardError().say("no browser could be opened")
    return summary


def print_outcome(terminal: StandardOutput, summary: Summary, folder: str) -> None:
    """The answer, the grid of verdicts, and what is undecided, was searched, refused or left out."""
    terminal.prose(summary.headline)
    for one in summary.bullets:
        terminal.prose(f"- {one.label}: {one.text}")
    asked = [row for row in summary.comparisons if row.metric in ASKED]
    rows = leading(asked)
    if rows:
        terminal.line("")
        print_grid(terminal, summary, rows)
    if others := len(asked) - len(rows):
        terminal.prose(f"{plural(others, 'more comparison')}, under less load and in other encodings, in the report.")
    for line in remarks(summary, rows, folder):
        terminal.prose(line)


def remarks(summary: Summary, rows: Sequence[ComparisonRow], folder: str) -> list[str]:
    """What the grid has no room for, a line each."""
    lines = [f"no verdict: {_pair(row)} {row.scenario}: {row.reason}" for row in rows if row.ratio is None]
    still = [row for row in rows if row.why]
    lines += [f"undecided: {_pair(row)} {row.scenario}: {row.why}{_more(row)}" for row in still[:_MOST_REASONS]]
    if len(still) > _MOST_REASONS:
        lines.append(f"undecided: {len(still) - _MOST_REASONS} more; the report says why")
    if summary.to_decide:
        lines.append(in_words(summary.to_decide, folder))
    lines += [_capacity(row) for row in summary.capacity]
    lines += [f"refused: {entry.target}: {entry.reason}" for entry in summary.refused]
    lines += [f"not compared: {name} answers the same request in different ways" for name in summary.answers_vary]
    lines += [f"not run: {entry.what}: {entry.reason}" for entry in summary.not_run]
    if summary.ladder:
        lines += ladder_lines(summary.ladder)
    if summary.wall_s and summary.measuring_s:
        share = summary.measuring_s / summary.wall_s
        lines += [f"{summary.wall_s:.0f} s in all, {100 * share:.0f} % of it under load"]
    return ["", *lines] if lines else []


def ladder_lines(ladder: LadderSummary) -> list[str]:
    """Where each endpoint's time goes, break-evens, exact counts, and how far the climb is to be trusted."""
    lines = []
    for row in waterfalls(ladder.waterfalls):
        pieces = ", ".join(f"{name} {one.value:.0f}" for name, one in row.segments.items())
        total = f"{row.total_us.value:.0f} us: {pieces}, remainder {row.remainder_us:.0f}"
        lines.append(f"/{row.endpoint:17} {row.framework:8} {total}")
    lines += [
        f"/{row.endpoint:17} {row.framework:8} {row.instructions:,} instructions, {over:+,} over wsgi"
        for row, over in counted_rows(ladder.instructions)
    ]
    return lines + [f"{label}: {text}" for label, text in ladder_trust(ladder)]


def exit_code(summary: Summary) -> int:
    """1 if a target was refused, 3 if the run is partial, has no figure or its first question is open, else 0.

    Where there is no figure, who was refused because no right answer came is no finding: only a case that is wrong is.
    """
    if summary.nothing_valid:
        return FINDING if any(entry.cases for entry in summary.refused) else HARNESS
    if summary.refused:
        return FINDING
    if not summary.complete:
        return HARNESS
    questions = leading_pairs(summary.comparisons, summary.targets)
    if questions and not any(row.verdict in _SETTLED for row in questions[0]):
        return HARNESS
    return OK if any(row.valid for row in summary.results) else HARNESS


def _capacity(row: CapacityRow) -> str:
    """What one target can take: `flask+gunicorn+function+cpu predict: p99=50ms up to 812 requests/s`."""
    place = f"capacity: {row.target} {row.endpoint}, {row.slo}"
    if row.rate_rps is None or row.saturated_rps is None:
        return f"{place}: not found ({row.reason})"
    found = f"{row.rate_rps.median:.0f} requests/s, saturated at {row.saturated_rps.median:.0f}"
    # A block that was left out, because a worker was lost in it for example.
    return f"{place}: {found}" + (f" ({row.reason})" if row.reason else "")


def _more(row: ComparisonRow) -> str:
    """How long more blocks of this comparison alone would take."""
    return f"; some {plural(row.minutes_needed, 'minute')} more decide it" if row.minutes_needed else ""


def _pair(row: ComparisonRow) -> str:
    """Candidate against baseline, what they share left out: `bottle/flask +gunicorn+function+cpu`."""
    baseline, candidate = row.baseline.split("+"), row.candidate.split("+")
    if len(baseline) != len(candidate) or sum(a != b for a, b in zip(baseline, candidate, strict=True)) > 1:
        return f"{row.candidate} / {row.baseline}"
    parts = [b if a == b else f"{b}/{a}" for a, b in zip(baseline, candidate, strict=True)]
    return "+".join(parts)
