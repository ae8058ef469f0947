"""Which choice is fastest here, and against what: every choice held against the run's baseline, decided or left out.

A run compares targets that differ in one part. Here those are compared too that differ in several, by the same blocks
and the same rules (`reports/comparisons.py`). The largest of many is chosen, so a difference counts only where its
p-value stays below 0.05 after a further correction for all the choices (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from experiment.journal_records import ComparisonRecord, varied_of
from experiment.run_folder import Run
from reports import comparisons, statistics, wording
from reports.headline_rows import QUESTIONS, at_most_users, usual
from reports.summary import TargetSummary
from reports.summary.load_rows import ComparisonRow, FastestRow, ResultRow
from reports.verdicts import Verdict

Targets = Mapping[str, TargetSummary]


_NO_CHOICE: Final = ("native", "floor", "stack", comparisons.NOISE_AXIS)
_STACK: Final = frozenset({"framework", "server", "mode"})


def fastest(
    run: Run, targets: Sequence[TargetSummary], results: Sequence[ResultRow], compared: Sequence[ComparisonRow]
) -> list[FastestRow]:
    """One row an endpoint, at its most users: what is decidedly faster than the baseline there, most first."""
    known = {target.id: target for target in targets}
    base = baseline_of(compared, known)
    if base is None:
        return []
    own = [turned(row) if row.candidate == base else row for row in _speeds(compared) if base in pair_of(row)]
    held = {row.candidate for row in own}
    others = [one for one in known.values() if one.id not in held and _axis(known[base], one)]
    asked = [ComparisonRecord(baseline=base, candidate=one.id, axis=_axis(known[base], one)) for one in others]
    rows = [row for row in own if row.candidate in known and is_choice(known[row.candidate])]
    rows += _speeds(_compared(run, results, asked))
    count = len({row.candidate for row in rows})
    found = []
    for endpoint in dict.fromkeys(row.endpoint for row in rows):
        here = at_most_users([row for row in rows if row.endpoint == endpoint], lambda row: row.candidate).values()
        most = max(row.users for row in here)
        alike = [row for row in here if row.users == most]
        faster = sorted((row for row in alike if is_faster(row, count)), key=lambda row: row.ratio or 0, reverse=True)
        open_ = any(row.verdict in (Verdict.INCONCLUSIVE, Verdict.INVALID) for row in alike)
        level = _level_with(run, results, known, faster)
        found.append(FastestRow(baseline=base, endpoint=endpoint, users=most, faster=faster, level=level, open=open_))
    return found


def baseline_of(compared: Iterable[ComparisonRow], known: Targets) -> str | None:
    """The target that the run's first question starts from; None where no choice was compared."""
    rows = [row for row in _speeds(compared) if row.axis not in _NO_CHOICE and {*pair_of(row)} <= known.keys()]
    order = {name: place for place, name in enumerate(QUESTIONS)}
    first = min(rows, key=lambda row: (order.get(row.axis, len(order)), _unusual(row, known)), default=None)
    return first.baseline if first else None


def is_choice(target: TargetSummary) -> bool:
    """Whether somebody could choose it: bare WSGI is a floor, a tutorial's code another application."""
    return target.judged and target.twin_of is None and target.framework != "wsgi"


def _unusual(row: ComparisonRow, known: Targets) -> int:
    usual_parts = {"server": "gunicorn", "mode": "function", "device": "cpu"}
    target = known[row.baseline]
    return sum(getattr(target, part) != value for part, value in usual_parts.items() if part != row.axis)


def _speeds(rows: Iterable[ComparisonRow]) -> list[ComparisonRow]:
    """The throughputs of closed loops in an endpoint's usual encoding."""
    return [row for row in usual(rows) if row.metric == comparisons.THROUGHPUT and row.axis != comparisons.NOISE_AXIS]


def pair_of(row: ComparisonRow) -> tuple[str, str]:
    """Baseline and candidate."""
    return (row.baseline, row.candidate)


def _axis(base: TargetSummary, other: TargetSummary) -> str:
    """The axis on which the two may be compared; empty where they differ in more than a choice can be."""
    if other.id == base.id or not is_choice(other) or varied_of(base.id) != varied_of(other.id):
        return ""
    apart = [part for part in wording.PARTS if wording.part_of(base, part) != wording.part_of(other, part)]
    if len(apart) == 1:
        return apart[0]
    return "stack" if apart and set(apart) <= _STACK else ""


def _compared(run: Run, results: Sequence[ResultRow], asked: Sequence[ComparisonRecord]) -> list[ComparisonRow]:
    """Those pairs, under the run's own noise floor."""
    if not asked:
        return []
    itself = [one for one in run.comparisons if one.axis == comparisons.NOISE_AXIS]
    return comparisons.compare(run, results, [*itself, *asked])[0]


def turned(row: ComparisonRow) -> ComparisonRow:
    """The same comparison with its sides changed over."""
    other = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    verdict = Verdict(row.verdict)
    return replace(
        row,
        baseline=row.candidate,
        candidate=row.baseline,
        ratio=1 / row.ratio if row.ratio else None,
        ci95=(1 / row.ci95[1], 1 / row.ci95[0]) if row.ci95 else None,
        verdict=other.get(verdict, verdict).value,
    )


def is_faster(row: ComparisonRow, choices: int) -> bool:
    """Whether it is faster, whichever of so many choices was picked for being so."""
    paid = row.p_adjusted is not None and row.p_adjusted * choices < statistics.SIGNIFICANCE
    return row.verdict == Verdict.FASTER and paid


def _level_with(run: Run, results: Sequence[ResultRow], known: Targets, faster: Sequence[ComparisonRow]) -> list[str]:
    """Which of the faster ones are not decidedly slower than the first of them."""
    if not faster:
        return []
    first, *others = (row.candidate for row in faster)
    axes = {one: _axis(known[first], known[one]) for one in others}
    asked = [ComparisonRecord(baseline=first, candidate=one, axis=axis) for one, axis in axes.items() if axis]
    rows = [row for row in _speeds(_compared(run, results, asked)) if row.scenario == faster[0].scenario]
    slower = {row.candidate for row in rows if row.verdict == Verdict.SLOWER}
    return [one for one in others if one not in slower]
