"""The answer in one sentence, by rule from the comparisons: decided or open, it says so with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiment.progress import plural
from reports import wording
from reports.headline_rows import busiest, usual
from reports.ladder_words import ladder_sentence
from reports.summary import Summary, TargetSummary
from reports.summary.check_rows import NothingValid
from reports.summary.load_rows import ComparisonRow

Targets = Mapping[str, TargetSummary]
# The question first, then what may decide more than it does.
QUESTIONS = ("framework", "mode", "server", "device", "native", "floor")
MOST_CLAUSES = 2


def headline(summary: Summary) -> str:
    """The answer for an engineer who reads one sentence of the whole report."""
    pairs = leading_pairs(summary.comparisons, summary.targets)
    if summary.ladder and not summary.results:
        return _opening(summary) + ladder_sentence(summary.ladder)
    opening = _opening(summary)
    if summary.nothing_valid:
        return opening + _why_nothing(summary.nothing_valid)
    if not pairs:
        return opening + _without_comparison(summary)
    targets = summary.target_by_id
    clauses = []
    for index, rows in enumerate(pairs[:MOST_CLAUSES]):
        subject = targets[rows[0].candidate]
        said = _clause(rows, targets)
        if index == 0:
            users = sorted({row.users for row in rows})
            where = wording.conditions(rows[0].axis, subject)
            loads = f"{' or '.join(map(str, users))} {'user' if users == [1] else 'users'}"
            here = ", ".join(part for part in (where, loads) if part)
            said = f"{'On' if summary.complete else 'on'} this machine ({here}) {said}"
        clauses.append(said)
    return opening + "; ".join(clauses) + "."


def leading_pairs(comparisons: Sequence[ComparisonRow], targets: Sequence[TargetSummary]) -> list[list[ComparisonRow]]:
    """For every question its leading pair, as one throughput row an endpoint: the one with the most users.

    The leading pair is the one on gunicorn with the compiled model where there is one, else the run's first.
    """
    known = {target.id: target for target in targets}
    found = []
    axes = [*QUESTIONS, *(row.axis for row in comparisons if row.axis not in (*QUESTIONS, "noise"))]
    for axis in dict.fromkeys(axes):
        rows = [row for row in usual(comparisons) if row.axis == axis and row.metric == "throughput"]
        pairs = list(dict.fromkeys((row.baseline, row.candidate) for row in rows))
        if not pairs:
            continue
        pair = min(pairs, key=lambda one: (_unusual(axis, known.get(one[1])), pairs.index(one)))
        found.append(busiest(rows, pair))
    return found


def _unusual(axis: str, target: TargetSummary | None) -> int:
    usual = {"server": "gunicorn", "mode": "function", "device": "cpu"}
    return sum(getattr(target, part, None) != value for part, value in usual.items() if part != axis)


def _opening(summary: Summary) -> str:
    if summary.complete:
        return ""
    done = len({entry.block for row in summary.results for entry in row.blocks})
    return f"From a partial run ({done} of {plural(summary.all_blocks, 'block')}): "


def _without_comparison(summary: Summary) -> str:
    measured = [row for row in usual(summary.results) if row.valid]
    targets = summary.target_by_id
    if not measured:
        return _on_schedule(summary, targets)
    best = max(measured, key=lambda row: row.users)
    name = wording.part_name("framework", targets[best.target])
    interval = best.rate.ci95
    spread = f" ({wording.number(interval[0])} to {wording.number(interval[1])})" if interval else ""
    return (
        f"Nothing was compared: on this machine {name} serves /{best.endpoint} at "
        f"{wording.number(best.rate.median)} requests/s{spread} "
        f"with {plural(best.users, 'user')}."
    )


def _why_nothing(found: NothingValid) -> str:
    """No answer, and the commonest reason with its share."""
    share = f"{found.times} of {found.of} trials or targets ({wording.percent(found.share)} %)"
    return f"Nothing was measured, so there is no answer: for {share} because {found.reason.rstrip('.')}."


def _on_schedule(summary: Summary, targets: Targets) -> str:
    """What there is to say where nothing was measured in a closed loop."""
    told = ((row, median) for row in summary.results if row.valid and (median := row.response_ms.p50))
    first, median = next(told, (None, None))
    if first is None or median is None:
        return "Nothing was measured, so there is no answer."
    return (
        f"Nothing was compared in a closed loop: on this machine {targets[first.target].label} answers "
        f"/{first.endpoint} at {first.load} in {wording.number(median.median)} ms, "
        f"the median from when a request is due."
    )


def _clause(rows: Sequence[ComparisonRow], targets: Targets) -> str:
    """One question's answer: `Bottle serves /predict 11 % faster than Flask (...) and ...`."""
    axis = rows[0].axis
    subject = targets[rows[0].candidate]
    base = targets[rows[0].baseline]
    candidate = wording.part_name(axis, subject, base)
    baseline = wording.part_name(axis, base, subject)
    if all(row.verdict == "invalid" for row in rows):
        reasons = list(dict.fromkeys(row.reason for row in rows))
        more = f" (and {plural(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
        return f"there is no verdict on {candidate} against {baseline}: {reasons[0]}{more}"
    framework = wording.part_name("framework", subject)
    condition = "" if candidate.startswith(framework) or not subject.framework else f"with {framework}, "
    if all(row.verdict == "inconclusive" for row in rows):
        spans = [f"/{row.endpoint} {wording.interval(*row.effect)}" for row in rows]
        most = max(rows, key=lambda row: row.blocks_needed or 0)
        return f"{condition}{candidate} against {baseline} is undecided ({', '.join(spans)}; {most.reason})"
    # What is decided comes first, with its interval; what is open is only named, and the table below has its figures.
    open_ends = [f"/{row.endpoint}" for row in rows if row.verdict == "inconclusive"]
    groups: dict[object, list[ComparisonRow]] = {}
    # Equal endpoints are told together, under the widest of their margins.
    for row in sorted(rows, key=lambda row: row.verdict == "invalid"):
        if row.verdict != "inconclusive":
            groups.setdefault("same" if row.verdict == "equivalent" else row.endpoint, []).append(row)
    said = []
    for index, group in enumerate(groups.values()):
        widest = max(group, key=lambda row: row.margin or 0)
        endpoints = wording.listed([f"/{row.endpoint}" for row in group])
        said.append(f"{endpoints} {_phrase(widest, '' if index else baseline)}")
    undecided = f", {wording.listed(open_ends)} undecided" if open_ends else ""
    return f"{condition}{candidate} serves {wording.listed(said)}{undecided}"


def _phrase(row: ComparisonRow, baseline: str) -> str:
    """What became of one endpoint, said after its name; the first one names the baseline."""
    if row.verdict in ("faster", "slower"):
        return wording.effect(*row.effect, baseline)
    if row.verdict == "equivalent":
        level = f"as fast as {baseline}" if baseline else "the same"
        return f"{level} (within {wording.percent(row.margin or 0)} %)"
    return f"without a verdict ({row.reason})"
