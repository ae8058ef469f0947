"""What to serve a user's own model with, and what that takes beside: by rule, from verdicts alone. Pure.

`Serve it with Bottle on Granian in LiteRT: 3.1 times Flask on gunicorn`. The largest of many ratios is named, so it
counts only where its p-value stays below 0.05 after a further correction for all the choices (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from experiment.progress import plural
from reports import wording
from reports.fastest import is_faster, pair_of, turned
from reports.headline_rows import at_most_users, busiest_cells, usual
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import ComparisonRow
from reports.verdicts import Verdict

_MODES: Final = {
    "eager": "in eager execution",
    "function": "in mode function",
    "frozen": "as a frozen graph",
    "xla": "in XLA",
    "lite": "in LiteRT",
}
_USUAL: Final = ("flask", "gunicorn", "function")


def advice(summary: Summary) -> str:
    """The answer to "what serves my model best?"; empty for a run of ours, or where no choice was compared."""
    if summary.model is None:
        return ""
    base, rows = choices(summary.comparisons, summary.first_targets, str(summary.model["name"]))
    if base is None or not rows:
        return ""
    best = _best(rows)
    beside = _beside(summary, base.id, best.candidate if best else base.id, rows[0].endpoint)
    return f"{recommendation(base, rows, summary.target_by_id)} {beside}".strip()


def choices(
    comparisons: Sequence[ComparisonRow], targets: Sequence[TargetSummary], endpoint: str
) -> tuple[TargetSummary | None, list[ComparisonRow]]:
    """What others are held against, and every choice's throughput against it on `endpoint`, at the most users."""
    chosen = [one for one in targets if one.judged and one.framework not in (None, "wsgi")]
    chosen.sort(key=lambda one: (one.framework, one.server, one.mode) != _USUAL)
    names = {one.id for one in chosen}
    speeds = [
        row
        for row in usual(comparisons)
        if (row.metric, row.endpoint) == ("throughput", endpoint) and {row.baseline, row.candidate} <= names
    ]
    for base in chosen:
        own = [turned(row) if row.candidate == base.id else row for row in speeds if base.id in pair_of(row)]
        if own:
            return base, list(at_most_users(own, lambda row: row.candidate).values())
    return None, []


def recommendation(base: TargetSummary, rows: Sequence[ComparisonRow], known: Mapping[str, TargetSummary]) -> str:
    """The sentence: what to serve it with, how much that brings, and what stays open."""
    reference, best = stack_name(base), _best(rows)
    undecided = [row for row in rows if row.verdict == Verdict.INCONCLUSIVE]
    rest = f"; {len(undecided)} of {plural(len(rows), 'choice')} undecided" if undecided else ""
    if best is not None:
        found = known[best.candidate]
        against = stack_name(base, beside=found)
        return f"Serve it with {stack_name(found)}: {_times(best, against)}{rest}."
    told = [row for row in rows if row.verdict != Verdict.INVALID]
    if not told:
        return f"There is no verdict on what serves it best: {rows[0].reason}."
    if len(undecided) == len(rows):
        highest = max(undecided, key=lambda row: row.ratio or 0)
        return (
            f"What serves it best is undecided: {stack_name(known[highest.candidate])} came out highest, "
            f"{_times(highest, reference)}."
        )
    return f"Serve it with {reference}: nothing that was compared is shown to be faster{rest}."


def stack_name(target: TargetSummary, beside: TargetSummary | None = None) -> str:
    """`Bottle on Granian in LiteRT`; the mode is left out where `beside` has the same, or another that says enough."""
    framework = wording.framework_name(target.framework or target.id)
    server = wording.part_name("server", target)
    usual_mode = beside is not None and target.mode == "function"
    mode = "" if usual_mode else _MODES.get(target.mode or "", f"in mode {target.mode}")
    device = f"on {target.device}" if target.device not in (None, "cpu") else ""
    return " ".join(part for part in (framework, f"on {server}", mode, device) if part)


def _best(rows: Sequence[ComparisonRow]) -> ComparisonRow | None:
    faster = [row for row in rows if is_faster(row, len(rows))]
    return max(faster, key=lambda row: row.ratio or 0, default=None)


def _times(row: ComparisonRow, reference: str) -> str:
    ratio, (low, high) = row.effect
    if ratio >= wording.FACTOR_FROM:
        return f"{ratio:.1f} times {reference} ({low:.1f} to {high:.1f})"
    return f"{ratio:.2f} times {reference} ({low:.2f} to {high:.2f})"


def _beside(summary: Summary, base: str, chosen: str, endpoint: str) -> str:
    """Start-up, memory and price of the choice, each with that of what it is held against."""
    cells = busiest_cells(summary.results)
    starts = {row.target: row.startup_s for row in summary.startup}
    costs = {row.target: row for row in summary.costs if row.endpoint == endpoint}
    names = [chosen] if chosen == base else [chosen, base]
    memory = [cells[one, endpoint].rss_mib if (one, endpoint) in cells else None for one in names]
    prices = [costs.get(one) for one in names]
    money = all(price is None or price.cost_per_million for price in prices) and any(prices)
    spent = [
        None if price is None else (price.cost_per_million or price.core_hours_per_million).median for price in prices
    ]
    unit = "" if money else " core hours"
    said = [
        _said("it starts in", [starts.get(one) for one in names], " s"),
        _said("takes", memory, " MiB"),
        _said("a million predictions cost", spent, unit),
    ]
    told = ", ".join(part for part in said if part)
    return f"{told[0].upper()}{told[1:]}." if told else ""


def _said(what: str, figures: Sequence[float | None], unit: str) -> str:
    if figures[0] is None:
        return ""
    against = f" (against {wording.number(figures[1])})" if len(figures) > 1 and figures[1] is not None else ""
    return f"{what} {wording.number(figures[0])}{unit}{against}"
