"""The first screen's few choices: what the run's questions are about, and what had the highest throughput. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.headline_rows import busiest_cells, leading_pairs
from reports.summary import Summary, TargetSummary
from reports.summary.load_rows import ComparisonRow, CostRow, ResultRow
from reports.tables import endpoints
from reports.wording import PARTS, part_of

Rates = Mapping[tuple[str, str], ResultRow]
"""The cell at the most users, by target and endpoint."""

KINDS: Mapping[str, str] = {"server": "servers", "mode": "modes", "device": "devices"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice: its label, in what it came out highest (`note`), its rates and costs by endpoint."""

    label: str
    note: str
    rates: Mapping[str, ResultRow | None]
    costs: Mapping[str, CostRow | None]


def choices(summary: Summary) -> list[Choice]:
    """A row a choice, the one with the highest throughputs first.

    They are those that the leading questions name. A question names one other server and one other mode; so the highest
    of its kind is there too, and the highest of all, where it is none of these. A median that is highest is no verdict:
    those have their own table. Cells are those at the most users.
    """
    rates = busiest_cells(summary.results)
    told = {(row.target, row.endpoint): row for row in summary.costs}
    names = endpoints(summary)
    known = {target.id: target for target in summary.first_targets}
    asked = leading_pairs(summary.comparisons, summary.targets)
    named = [side for first, *_ in asked for side in (first.baseline, first.candidate) if side in known]
    notes: dict[str, list[str]] = {one: [] for one in named or list(known)[:1]}
    for one, kind in _highest(known, rates, asked):
        notes.setdefault(one, []).append(kind)
    scores = _scores(rates)
    return [
        Choice(
            label=known[one].label,
            note=f"highest of {' and of '.join(kinds)}" if kinds else "",
            rates={name: rates.get((one, name)) for name in names},
            costs={name: told.get((one, name)) for name in names},
        )
        for one, kinds in sorted(notes.items(), key=lambda item: -scores.get(item[0], 0.0))
        if any((one, name) in rates for name in names)
    ]


def _highest(
    known: Mapping[str, TargetSummary], rates: Rates, asked: Sequence[Sequence[ComparisonRow]]
) -> list[tuple[str, str]]:
    """Who has the highest throughput, and of what: of the leading question's servers, modes and devices, and of all.

    Bare WSGI is a floor and a native target another application: neither can be chosen instead of another.
    """
    scores = {
        one: score
        for one, score in _scores(rates).items()
        if one in known and known[one].judged and known[one].framework not in (None, "wsgi")
    }
    found = []
    for question, *_ in asked:
        part, base = question.axis, known.get(question.baseline)
        if part not in KINDS or base is None:
            continue
        alike = [other for other in PARTS if other != part]
        beside = [one for one in scores if all(part_of(known[one], other) == part_of(base, other) for other in alike)]
        if len(beside) > 1:
            found.append((max(beside, key=lambda one: scores[one]), f"the {KINDS[part]}"))
    if len(scores) > 1:
        found.append((max(scores, key=lambda one: scores[one]), "all with a framework"))
    return found


def _scores(rates: Rates) -> dict[str, float]:
    """The geometric mean of each target's throughputs, of those that have one everywhere, at the most users."""
    most: dict[str, int] = defaultdict(int)
    for (_, endpoint), row in rates.items():
        most[endpoint] = max(most[endpoint], row.users)
    logs: dict[str, list[float]] = defaultdict(list)
    for (target, endpoint), row in rates.items():
        median = row.throughput_rps.median if row.throughput_rps else None
        if median and row.users == most[endpoint]:
            logs[target].append(math.log(median))
    return {target: math.exp(sum(own) / len(own)) for target, own in logs.items() if len(own) == len(most)}
