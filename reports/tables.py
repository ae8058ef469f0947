"""The report's tables and short texts as data, the same for the page and for Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiment.journal_records import BLOCKS
from experiment.progress import plural
from reports import wording
from reports.comparisons import CORE_TIME
from reports.deciding import in_words
from reports.headline_rows import busiest, usual
from reports.summary import Summary, TargetSummary
from reports.summary.ladder_rows import LadderSummary
from reports.summary.load_rows import ComparisonRow, EncodingRow, ResultRow
from reports.verdicts import WIDEST_MARGIN

SYMBOLS: Mapping[str, str] = {
    "faster": "\u25b2",
    "slower": "\u25bc",
    "equivalent": "=",
    "inconclusive": "?",
    "invalid": "\u2715",
}
METRICS: Mapping[str, str] = {
    "throughput": "throughput",
    "latency_p50": "median latency",
    "response_p50": "median response time",
}


COMPARED = (
    "Right answers a second of the time in which a target could have its cores: what other programs and machines took "
    "of them is left out, and what a target does to itself counts in full."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One compared pair, with its busiest throughput comparison on each endpoint.

    `invalid` is the one reason for which it has no verdict on any endpoint, else None.
    """

    axis: str
    invalid: str | None
    question: str
    conditions: str
    cells: list[ComparisonRow | None]


def endpoints(summary: Summary) -> list[str]:
    """The run's endpoints in its order."""
    return list(dict.fromkeys(scenario.endpoint for scenario in summary.scenarios))


def question(row: ComparisonRow, targets: Mapping[str, TargetSummary]) -> str:
    """What a comparison asks, e.g. `Bottle instead of Flask`."""
    first, second = targets.get(row.baseline), targets.get(row.candidate)
    if first is None or second is None:
        return f"{row.candidate} instead of {row.baseline}"
    if row.axis == "noise":
        return f"{first.label} against itself"
    text = f"{wording.part_name(row.axis, second, first)} instead of {wording.part_name(row.axis, first, second)}"
    return text[0].upper() + text[1:]


def topics(summary: Summary) -> list[tuple[str, list[str]]]:
    """The conformance matrix: each topic with a cell for each row of `summary.conformance`, in words."""
    rows = summary.conformance
    names = dict.fromkeys(topic for row in rows for topic in row.topics)
    return [(name, [_topic_cell(row.topics.get(name, {})) for row in rows]) for name in names]


def _topic_cell(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "\u2013"
    others = [f"{count} {verdict.replace('_', ' ')}" for verdict, count in sorted(counts.items()) if verdict != "right"]
    return ", ".join([f"{counts.get('right', 0)} of {total}", *others]) if counts.get("right") else ", ".join(others)


def change(row: ComparisonRow | EncodingRow) -> str:
    """The size of an effect; a dash without a ratio."""
    return "\u2013" if row.ratio is None else wording.change(row.ratio)


def interval(row: ComparisonRow | EncodingRow) -> str:
    """The interval of `change`, in the same unit."""
    return "" if row.ratio is None or row.ci95 is None else wording.interval(row.ratio, row.ci95)


def verdict_table(summary: Summary) -> list[PairRow]:
    """One row a compared pair, by axis; A/A pairs left out."""
    targets = summary.target_by_id
    rows = [row for row in usual(summary.comparisons) if row.metric == "throughput" and row.axis != "noise"]
    keys = list(dict.fromkeys((row.axis, row.baseline, row.candidate) for row in rows))
    first_axes = ("framework", "mode", "server", "device")
    keys.sort(key=lambda key: first_axes.index(key[0]) if key[0] in first_axes else len(first_axes))
    table = []
    for axis, baseline, candidate in keys:
        own = [row for row in rows if row.axis == axis]
        chosen = {row.endpoint: row for row in busiest(own, (baseline, candidate))}
        first = next(iter(chosen.values()))
        reasons = {row.reason if row.verdict == "invalid" else None for row in chosen.values()}
        table.append(
            PairRow(
                axis=axis,
                invalid=reasons.pop() if len(reasons) == 1 else None,
                question=question(first, targets),
                conditions=wording.conditions(axis, targets[candidate]) if candidate in targets else "",
                cells=[chosen.get(endpoint) for endpoint in endpoints(summary)],
            )
        )
    return table


def caveats(row: ResultRow, blocks: int) -> list[str]:
    """What to know of a cell before its figures are believed, one text each; `blocks` are those of the plan."""
    said = [row.reason] if row.reason else []
    if row.unstable_trials:
        said.append(f"not steady after its warm-up in {row.unstable_trials} of {row.trials} trials")
    if 0 < row.trials < blocks:
        said.append(f"{row.trials} of {plural(blocks, 'block')}")
    if row.errors:
        said.append(f"{plural(row.errors, 'request')} failed")
    if row.retraces:
        said.append(f"{plural(row.retraces, 'retrace')} while serving")
    return said


def trust(summary: Summary) -> list[tuple[str, str]]:
    """How far the answer may be trusted, as label and sentence: noise, blocks, validity, stops, what was not run."""
    noise, audit = summary.noise_floor, summary.audit
    if summary.ladder and not summary.results:
        return ladder_trust(summary.ladder)
    lines = []
    if noise.ratio_ci95:
        low, high = noise.ratio_ci95
        text = (
            f"The same code against itself comes out between {wording.signed_change(low)} and "
            f"{wording.signed_change(high)} on the noisiest endpoint. No smaller difference is called one."
        )
        if noise.reach and noise.reach > WIDEST_MARGIN:
            text += " This machine is noisy: run it again when nothing else works on it."
        lines.append(("Noise floor (A/A)", text))
    else:
        lines.append(
            (
                "Noise floor (A/A)",
                "Not known: no target was measured against itself, so nothing is called faster or slower.",
            )
        )
    done = len({entry.block for row in summary.results for entry in row.blocks})
    counted = f"{done} of {plural(summary.all_blocks, 'block')}, each with fresh processes."
    looked = _looked(summary)
    # After looks the comparisons have intervals of their own confidence, which the line on looks tells.
    whose = "Intervals of a target's own figures" if looked else "Intervals"
    unit = f"{whose} are 95 % over blocks; p-values are corrected by Holm for each question."
    lines.append(("Blocks", f"{counted} {unit}"))
    if any(row.figure == CORE_TIME for row in summary.comparisons):
        lines.append(("Compared", COMPARED))
    if summary.to_decide:
        lines.append(("Undecided", f"{in_words(summary.to_decide)}."))
    if looked:
        lines.append(("Looks", looked))
    if audit.invalid:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in audit.invalid_reasons.items())
        lines.append(("Validity", f"{audit.invalid} of {audit.trials} trials left out: {reasons}."))
    else:
        failed = f"{audit.errors} of {audit.requests} requests failed."
        lines.append(("Validity", f"All {audit.trials} trials are valid. {failed}"))
    if (every := summary.kept_every) > 1:
        text = f"This copy keeps one sample in {every}: percentiles are of those, throughput and CPU time of all."
        lines.append(("Samples", text))
    if stops := summary.resumed.times:
        anew = plural(summary.resumed.begun_anew, "measurement")
        text = f"The run was stopped and resumed {plural(stops, 'time')}; {anew} under way began anew."
        lines.append(("Resumed", text))
    absent = [f"{entry.what}: {entry.reason}" for entry in summary.not_run]
    absent += [f"{entry.target}: refused, {entry.reason}" for entry in summary.refused]
    lines.append(("Not run", "; ".join(absent) + "." if absent else "Nothing was left out."))
    return lines


def _looked(summary: Summary) -> str:
    """What looking again has cost the verdicts, and why it ended; empty for a run with its planned blocks alone."""
    levels = [row.level for row in summary.comparisons if row.level is not None and row.axis != "noise"]
    if not levels or (summary.until == BLOCKS and not summary.looks):
        return ""
    seen = f"Looked at {plural(max(1, len(summary.looks)), 'time')} as blocks came in, and p-values pay for every look"
    paid = f"intervals of comparisons are of {_confidence(max(levels))} to {_confidence(min(levels))} %"
    reason = summary.looks[-1].reason if summary.looks else None
    return f"{seen}: {paid}.{f' No more blocks followed: {reason}.' if reason else ''}"


def _confidence(level: float) -> str:
    return f"{100 * (1 - level):.4g}"


def ladder_trust(ladder: LadderSummary) -> list[tuple[str, str]]:
    """How far a climb of the ladder may be trusted: its noise, its order of rungs, what does not add up."""
    lines = []
    if ladder.noise:
        low, high = (wording.signed_change(end) for end in ladder.noise.ci95)
        text = f"The same application twice comes out between {low} and {high} of itself on the WSGI rung."
        lines.append(("Noise (A/A)", text))
    wrong = ladder.inconsistent
    lines.append(
        ("Rungs", f"{'; '.join(wrong)}." if wrong else "Each rung costs at least what the one beneath it does.")
    )
    left = [abs(row.remainder_share) for row in ladder.waterfalls]
    if left:
        lines.append(("Remainder", f"The segments add up to the whole to within {wording.percent(max(left))} %."))
    if ladder.instructions and ladder.instructions.skipped:
        lines.append(("Not run", f"Exact counts: {ladder.instructions.skipped}."))
    return lines


def cost_sentences(summary: Summary) -> list[str]:
    """Where the choice stops to matter: one sentence for each two frameworks that differ in added latency."""
    labels = {target.id: target.label for target in summary.targets}
    sentences = []
    for row in summary.break_evens:
        more = f"{labels[row.slow]} adds {wording.number(row.difference_us)} \u00b5s more than {labels[row.fast]}"
        most = f"{wording.percent(row.share)} % of any request over {wording.number(row.request_ms)} ms"
        sentences.append(f"On /{row.endpoint}, {more}: less than {most}.")
    return sentences


def command_line(summary: Summary) -> str:
    """The command that repeats the run."""
    return " ".join(summary.command)
