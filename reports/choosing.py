"""The first screen's few choices: what the run's questions are about, and what was fastest. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reports.headline import leading_pairs, usual
from reports.tables import endpoints

Row = Mapping[str, Any]
Rates = Mapping[tuple[str, str], Row]

PARTS = ("framework", "server", "mode", "device")
KINDS: Mapping[str, str] = {"server": "servers", "mode": "modes", "device": "devices"}


def choices(summary: Row) -> list[dict[str, Any]]:
    """A row a choice: its `label`, why it is here if no question asks for it, `rates` and `costs` by endpoint.

    First those that the leading questions name, in their order. A question names one other server and one other mode;
    so the fastest of its kind follows, and the fastest of all, where it is none of these. Cells are at the most users.
    """
    rates = _busiest(summary)
    told = {(row["target"], row["endpoint"]): row for row in summary["costs"]}
    names = endpoints(summary)
    known = {target["id"]: target for target in summary["targets"] if not target["twin_of"]}
    asked = leading_pairs(summary["comparisons"], summary["targets"])
    named = [known[pair[0][side]] for pair in asked for side in ("baseline", "candidate") if pair[0][side] in known]
    found = {target["id"]: "" for target in named or list(known.values())[:1]}
    for target, note in _fastest(summary, known, rates, known[next(iter(found))] if found else None):
        found.setdefault(target, note)
    return [
        {
            "label": known[one]["label"],
            "note": note,
            "rates": {name: rates.get((one, name)) for name in names},
            "costs": {name: told.get((one, name)) for name in names},
        }
        for one, note in found.items()
        if any((one, name) in rates for name in names)
    ]


def _busiest(summary: Row) -> Rates:
    """The cell at the most users of every target and endpoint."""
    rates: dict[tuple[str, str], Row] = {}
    for row in usual(summary["results"]):
        place = (row["target"], row["endpoint"])
        if place not in rates or row["users"] > rates[place]["users"]:
            rates[place] = row
    return rates


def _fastest(summary: Row, known: Mapping[str, Row], rates: Rates, base: Row | None) -> list[tuple[str, str]]:
    """The fastest target of all, and of those that differ from `base` in one part alone, by throughput; with a note.

    Bare WSGI is a floor and a native target another application: neither can be chosen instead of another.
    """
    if base is None or not base["framework"]:
        return []
    overall = {
        one: score
        for one, target in known.items()
        if target["judged"] and target["framework"] not in (None, "wsgi") and (score := _score(summary, one, rates))
    }
    found = []
    for part, kind in KINDS.items():
        alike = [other for other in PARTS if other != part]
        beside = {
            one: score for one, score in overall.items() if all(known[one][other] == base[other] for other in alike)
        }
        if len(beside) > 1:
            found.append((max(beside, key=beside.__getitem__), f"fastest of the {kind}"))
    if len(overall) > 1:
        found.append((max(overall, key=overall.__getitem__), "fastest of all"))
    return found


def _score(summary: Row, target: str, rates: Rates) -> float | None:
    """The geometric mean of a target's throughputs; None where it lacks one that others have."""
    names = [name for name in endpoints(summary) if any(endpoint == name for _, endpoint in rates)]
    own = [rates.get((target, name)) for name in names]
    if not own or not all(row and row["throughput_rps"] and row["throughput_rps"]["median"] > 0 for row in own):
        return None
    return math.exp(sum(math.log(row["throughput_rps"]["median"]) for row in own if row) / len(own))
