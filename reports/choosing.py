"""The first screen's few choices: what the run's questions are about, and what had the highest throughput. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reports.headline import at_most_users, leading_pairs, usual
from reports.tables import endpoints
from reports.wording import PARTS

Row = Mapping[str, Any]
Rates = Mapping[tuple[str, ...], Row]
"""The cell at the most users, by target and endpoint."""

KINDS: Mapping[str, str] = {"server": "servers", "mode": "modes", "device": "devices"}


def choices(summary: Row) -> list[dict[str, Any]]:
    """A row a choice: its `label`, in what it came out highest (`note`), `rates` and `costs` by endpoint.

    First those that the leading questions name, in their order. A question names one other server and one other mode;
    so the highest of its kind follows, and the highest of all, where it is none of these. A median that is highest is
    no verdict: those have their own table. Cells are those at the most users.
    """
    rates = at_most_users(usual(summary["results"]), "target", "endpoint")
    told = {(row["target"], row["endpoint"]): row for row in summary["costs"]}
    names = endpoints(summary)
    known = {target["id"]: target for target in summary["targets"] if not target["twin_of"]}
    asked = leading_pairs(summary["comparisons"], summary["targets"])
    named = [pair[0][side] for pair in asked for side in ("baseline", "candidate") if pair[0][side] in known]
    notes: dict[str, list[str]] = {one: [] for one in named or list(known)[:1]}
    for one, kind in _highest(known, rates, asked):
        notes.setdefault(one, []).append(kind)
    return [
        {
            "label": known[one]["label"],
            "note": f"highest of {' and of '.join(kinds)}" if kinds else "",
            "rates": {name: rates.get((one, name)) for name in names},
            "costs": {name: told.get((one, name)) for name in names},
        }
        for one, kinds in notes.items()
        if any((one, name) in rates for name in names)
    ]


def _highest(known: Mapping[str, Row], rates: Rates, asked: Sequence[Sequence[Row]]) -> list[tuple[str, str]]:
    """Who has the highest throughput, and of what: of the leading question's servers, modes and devices, and of all.

    Bare WSGI is a floor and a native target another application: neither can be chosen instead of another.
    """
    scores = {
        one: score
        for one, score in _scores(rates).items()
        if one in known and known[one]["judged"] and known[one]["framework"] not in (None, "wsgi")
    }
    found = []
    for question, *_ in asked:
        part, base = question["axis"], known.get(question["baseline"])
        if part not in KINDS or base is None:
            continue
        alike = [other for other in PARTS if other != part]
        beside = [one for one in scores if all(known[one].get(other) == base.get(other) for other in alike)]
        if len(beside) > 1:
            found.append((max(beside, key=scores.__getitem__), f"the {KINDS[part]}"))
    if len(scores) > 1:
        found.append((max(scores, key=scores.__getitem__), "all with a framework"))
    return found


def _scores(rates: Rates) -> dict[str, float]:
    """The geometric mean of each target's throughputs, of those that have one everywhere, at the most users."""
    most: dict[str, int] = defaultdict(int)
    for (_, endpoint), row in rates.items():
        most[endpoint] = max(most[endpoint], row["users"])
    logs: dict[str, list[float]] = defaultdict(list)
    for (target, endpoint), row in rates.items():
        median = (row["throughput_rps"] or {}).get("median")
        if median and row["users"] == most[endpoint]:
            logs[target].append(math.log(median))
    return {target: math.exp(sum(own) / len(own)) for target, own in logs.items() if len(own) == len(most)}
