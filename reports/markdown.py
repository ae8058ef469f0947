"""summary.md: the answer, how far to trust it and the figures, for a pull request or a terminal. Pure."""

from __future__ import annotations

import re

from reports import choosing, costs, tables, wording
from reports.ladder_summary import SEGMENTS
from reports.ladder_words import break_even_sentences, counted_rows
from reports.outline import is_loaded
from reports.summary import Summary
from reports.summary.ladder_rows import LadderSummary
from reports.summary.load_rows import ComparisonRow, CostRow
from reports.summary.measures import COLUMNS, Median
from reports.wording import one_line, table


def markdown(summary: Summary) -> str:
    """The whole text, ending in a newline."""
    loaded = is_loaded(summary)
    parts = [
        "# What decides how the model is served?",
        f"**{one_line(summary.headline)}**",
        _banner(summary),
        "\n".join(f"- **{one.label}.** {one_line(one.text)}" for one in summary.bullets),
        *(["## Verdicts", _verdicts(summary)] if loaded else []),
        "## How far to trust it",
        "\n".join(f"- **{label}.** {one_line(text)}" for label, text in tables.trust(summary)),
        *_choices(summary),
        *(["## Figures", _figures(summary)] if loaded else []),
        *_capacity(summary),
        *(["## The ladder", _ladder(summary.ladder)] if summary.ladder else []),
        "## Repeat it",
        _fenced(tables.command_line(summary)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _fenced(text: str) -> str:
    """A text as it is, on one line that nothing in it can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{' '.join(text.split())}\n{fence}"


def _banner(summary: Summary) -> str:
    if summary.complete:
        return ""
    reason = one_line(summary.partial_reason or "")
    return f"> **This run is partial:** {reason}. Everything below comes from the part that was done."


def _ladder(ladder: LadderSummary) -> str:
    """Where a request's time goes, from which model on the framework is moot, and what was counted."""
    heads = ["endpoint", "framework", "mode", "encoding", *SEGMENTS, "remainder", "in all \u00b5s"]
    rows = [
        [
            f"/{row.endpoint}",
            row.framework,
            row.mode,
            row.encoding,
            *(wording.number(row.segments[name].value) for name in SEGMENTS),
            f"{wording.number(row.remainder_us)} ({wording.percent(row.remainder_share)} %)",
            wording.number(row.total_us.value),
        ]
        for row in ladder.waterfalls
    ]
    counted = [
        [
            f"/{row.endpoint}",
            row.framework,
            f"{row.instructions:,}",
            f"{over:+,}",
            f"{row.bytecodes:,}",
        ]
        for row, over in counted_rows(ladder.instructions)
    ]
    parts = [
        table(heads, rows) if rows else "",
        "\n".join(f"- {one_line(text)}" for text in break_even_sentences(ladder)),
        table(["endpoint", "framework", "instructions", "over the floor", "bytecodes"], counted) if counted else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _choices(summary: Summary) -> list[str]:
    """What each choice brings and costs, and what that leaves out; nothing where there is no CPU time to tell of."""
    rows = [
        [
            f"{row.label} ({row.note})" if row.note else row.label,
            *(_spent(row.costs[name]) for name in tables.endpoints(summary)),
        ]
        for row in choosing.choices(summary)
        if any(row.costs.values())
    ]
    if not rows:
        return []
    price = summary.price_per_core_hour
    unit = f"cost of a billion at {price:g} a core hour" if price else "core hours of CPU time for a million"
    said = f"The fastest first: {unit}. Not in it: {costs.LEFT_OUT}."
    heads = ["choice", *(f"/{name}" for name in tables.endpoints(summary))]
    return ["## What predictions cost", said, table(heads, rows)]


def _spent(row: CostRow | None) -> str:
    if row is None:
        return "\u2013"
    return _figure(costs.spent(row))


def _figure(told: Median | None) -> str:
    """A median with its interval, or a dash."""
    if told is None:
        return wording.number(None)
    low_high = told.ci95
    spread = f" ({wording.number(low_high[0])} to {wording.number(low_high[1])})" if low_high else ""
    return f"{wording.number(told.median)}{spread}"


def _verdicts(summary: Summary) -> str:
    """One row a pair, one column an endpoint, each at the most users measured."""
    rows = []
    for entry in tables.verdict_table(summary):
        where = f"{entry.question} ({entry.conditions})" if entry.conditions else entry.question
        rows.append([where, *(_verdict(cell) for cell in entry.cells)])
    if not rows:
        return "Nothing was compared."
    return table(["candidate instead of baseline", *(f"/{name}" for name in tables.endpoints(summary))], rows)


def _verdict(row: ComparisonRow | None) -> str:
    if row is None:
        return "\u2013"
    if row.ratio is None:
        return f"{row.verdict}: {row.reason}"
    return f"{row.verdict} {tables.change(row)} ({tables.interval(row)})"


def _figures(summary: Summary) -> str:
    rows = []
    for row in summary.results:
        latencies = [row.latency_ms.at(name) for name in COLUMNS]
        rows.append(
            [
                f"`{row.target}`",
                row.scenario,
                _figure(row.throughput_rps),
                *(wording.number(entry.median if entry else None) for entry in latencies),
                wording.number(row.cpu_ms_per_request),
                str(row.errors),
            ]
        )
    if not rows:
        return "Nothing was measured."
    heads = ["target", "scenario", "requests/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "CPU ms", "errors"]
    return table(heads, rows)


def _capacity(summary: Summary) -> list[str]:
    """What each target can take, where it was searched."""
    if not summary.capacity:
        return []
    rows = [
        [
            f"`{row.target}`",
            f"/{row.endpoint}",
            row.slo,
            wording.number(row.rate_rps.median if row.rate_rps else None),
            wording.number(row.saturated_rps.median if row.saturated_rps else None),
            row.reason or "",
        ]
        for row in summary.capacity
    ]
    heads = ["target", "endpoint", "promise", "requests/s that keep it", "saturated at", "notes"]
    return ["## Capacity", table(heads, rows)]
