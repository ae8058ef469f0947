"""What the ladder and the choices come to, in sentences: one place for page, Markdown and terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from reports import wording
from reports.summary import Summary
from reports.summary.ladder_rows import (
    CountedFunction,
    CountedRow,
    ExactCounts,
    LadderSummary,
    ModelBreakEven,
    ModelThreshold,
    WaterfallRow,
)
from reports.summary.load_rows import ChoiceShare, WhatMatters

ClimbedRow = TypeVar("ClimbedRow", WaterfallRow, ModelBreakEven)
US_PER_MS = 1000.0
SMALL_REST = 0.02

METRIC_WORDS: Mapping[str, str] = {"throughput": "throughput", "p99": "the 99th percentile of latency"}
CHOICE_WORDS: Mapping[str, str] = {
    "framework": "the framework",
    "server": "the WSGI server",
    "mode": "the execution mode",
    "encoding": "the encoding",
    "threads": "the number of threads",
    "device": "the device",
    "interpreter": "the interpreter and what is installed in it",
}
SEGMENT_WORDS: Mapping[str, str] = {
    "server": "server and socket",
    "framework": "framework",
    "validation": "validation",
    "decode": "decode",
    "inference": "inference",
    "encode": "encode",
}


def matters_sentence(rows: Sequence[WhatMatters]) -> str:
    """Which choice explains most of what differs between the targets of this run; empty where that is not known."""
    row = next((one for one in rows if one.metric == "throughput"), None)
    if row is None or not row.shares:
        return ""
    first, *others = row.shares
    opening = f"{wording.capital(CHOICE_WORDS[first.choice].removeprefix('the '))} explains {_share(first)}"
    said = [f"{opening} of the variation in throughput", *(f"{CHOICE_WORDS[o.choice]} {_share(o)}" for o in others)]
    left = row.unexplained
    rest = f"; {wording.percent(left)} % is interaction and noise" if left > SMALL_REST else ""
    return f"{', '.join(said)}{rest}."


def _share(one: ChoiceShare) -> str:
    low, high = map(wording.percent, one.ci95)
    return f"{wording.percent(one.share)} % ({low} to {high})"


def framework_matters(summary: Summary, endpoint: str) -> str:
    """Up to which model the choice of framework changes a request by a hundredth; empty where nothing tells."""
    rows = [row for row in usual(summary.ladder.break_evens) if row.endpoint == endpoint] if summary.ladder else []
    for row in rows:
        low, high = row.difference_us.ci95
        limit = min(row.thresholds, key=lambda one: one.share, default=None)
        if limit and limit.model_us.value > 0 and not low <= 0 <= high:
            return (
                f"the framework matters below a model of {_ms(limit.model_us.value)} "
                f"({wording.percent(limit.share)} % of a request)"
            )
    for other in summary.break_evens:
        if other.endpoint == endpoint:
            share = wording.percent(other.share)
            return f"the framework is less than {share} % of a request over {wording.number(other.request_ms)} ms"
    return ""


def usual(rows: Sequence[ClimbedRow]) -> list[ClimbedRow]:
    """Rows of one mode, the compiled one where there is one, each endpoint in its first encoding."""
    modes = [row.mode for row in rows]
    mode = "function" if "function" in modes else next(iter(modes), "")
    chosen: dict[tuple[str, str], ClimbedRow] = {}
    for row in rows:
        if row.mode == mode:
            chosen.setdefault((row.endpoint, getattr(row, "framework", "")), row)
    return list(chosen.values())


def ladder_sentence(ladder: LadderSummary) -> str:
    """The ladder's answer in one sentence: what Flask instead of Bottle does to a request, beside its model's time."""
    rows = usual(ladder.break_evens)
    if not rows:
        return "The ladder has no Flask and Bottle over HTTP to compare."
    candidate, baseline = (wording.framework_name(one) for one in (rows[0].candidate, rows[0].baseline))
    said = [f"/{row.endpoint} by {_change(row)} at a model of {_ms(row.model_us.value)}" for row in rows]
    return (
        f"On this machine, one request at a time, {candidate} instead of {baseline} changes the time of a request to "
        f"{wording.listed(said)}."
    )


def break_even_sentences(ladder: LadderSummary) -> list[str]:
    """Every endpoint's change at its own model, and every threshold with its interval."""
    return [
        f"/{row.endpoint} ({row.mode}, {row.encoding}): {wording.framework_name(row.candidate)} instead of "
        f"{wording.framework_name(row.baseline)} changes a request by {_change(row)} at this model, which takes "
        f"{_ms(row.model_us.value)}; "
        + ", ".join(f"by less than {wording.percent(one.share)} % {_from_on(one)}" for one in row.thresholds)
        + "."
        for row in ladder.break_evens
    ]


def _change(row: ModelBreakEven) -> str:
    low, high = row.change.ci95
    change = wording.signed_change(1 + row.change.value)
    return f"{change} ({wording.signed_change(1 + low)} to {wording.signed_change(1 + high)})"


def _ms(microseconds: float) -> str:
    return f"{wording.number(microseconds / US_PER_MS)} ms"


def _from_on(threshold: ModelThreshold) -> str:
    value = threshold.model_us.value
    low, high = threshold.model_us.ci95
    if high <= 0:
        return "with any model"
    if value <= 0:
        return f"with nearly any model (from at most {_ms(high)} on)"
    return f"from a model of {_ms(value)} on ({wording.number(max(low, 0.0) / US_PER_MS)} to {_ms(high)})"


def threshold_words(threshold: ModelThreshold) -> str:
    """From which model on, for a table: a time in ms with its interval, or that any model will do."""
    low, high = threshold.model_us.ci95
    if high <= 0:
        return "any model"
    value = wording.number(max(threshold.model_us.value, 0.0) / US_PER_MS)
    return f"{value} ({wording.number(max(low, 0.0) / US_PER_MS)} to {wording.number(high / US_PER_MS)})"


def counted_rows(counts: ExactCounts | None) -> list[tuple[CountedRow, int]]:
    """The exact counts, each with its instructions over the floor's; empty where nothing was counted."""
    rows = (counts and counts.rows) or []
    floor = {row.endpoint: row.instructions for row in rows if row.framework == "wsgi"}
    return [(row, row.instructions - floor.get(row.endpoint, row.instructions)) for row in rows]


def tax_functions(counts: ExactCounts | None, framework: str, endpoint: str, most: int = 8) -> list[CountedFunction]:
    """The Python functions of one request that the floor's request does not run, most bytecodes first."""
    rows = {(row.framework, row.endpoint): row.functions for row in (counts and counts.rows) or []}
    bare = {(one.module, one.function) for one in rows.get(("wsgi", endpoint), [])}
    own = rows.get((framework, endpoint), [])
    return [one for one in own if (one.module, one.function) not in bare][:most]
