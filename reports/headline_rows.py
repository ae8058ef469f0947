"""Which rows speak for an endpoint: closed loops in its usual encoding, at the most users. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, TypeVar

from reports.summary import TargetSummary
from reports.summary.load_rows import ComparisonRow, ResultRow

QUESTIONS: Final = ("framework", "mode", "server", "device")
"""The choices that anybody has, the first of which names the baseline."""

AnyRow = TypeVar("AnyRow", ComparisonRow, ResultRow)
AnyPlace = TypeVar("AnyPlace", bound=Hashable)


def usual(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """The closed loops in their endpoint's usual encoding: no line mixes two encodings or kinds of load."""
    return [row for row in rows if row.variant is None and row.arrival == "closed"]


def busiest(rows: Sequence[ComparisonRow], pair: tuple[str, str]) -> list[ComparisonRow]:
    """One row an endpoint for that pair: the one with the most users, in the endpoint's usual encoding."""
    own = (row for row in usual(rows) if (row.baseline, row.candidate) == pair)
    return list(at_most_users(own, lambda row: row.endpoint).values())


def busiest_cells(rows: Iterable[ResultRow]) -> dict[tuple[str, str], ResultRow]:
    """One usual cell a target and endpoint: the one with the most users."""
    return at_most_users(usual(rows), lambda row: (row.target, row.endpoint))


def at_most_users(rows: Iterable[AnyRow], place_of: Callable[[AnyRow], AnyPlace]) -> dict[AnyPlace, AnyRow]:
    """Of the rows of each place, the first with the most users; by the place, in the rows' order."""
    found: dict[AnyPlace, AnyRow] = {}
    for row in rows:
        place = place_of(row)
        if place not in found or row.users > found[place].users:
            found[place] = row
    return found


def speeds(comparisons: Iterable[ComparisonRow]) -> list[ComparisonRow]:
    """The throughputs of closed loops at the most users of a pair and endpoint; the A/A pair is none of them."""
    rows = [row for row in usual(comparisons) if row.metric == "throughput" and row.axis != "noise"]
    return list(at_most_users(rows, lambda row: (row.axis, row.baseline, row.candidate, row.endpoint)).values())


def leading_pairs(comparisons: Sequence[ComparisonRow], targets: Sequence[TargetSummary]) -> list[list[ComparisonRow]]:
    """For every question its leading pair, as one throughput row an endpoint: the one with the most users.

    The leading pair is the one on gunicorn with the TensorFlow graph where there is one, else the run's first.
    """
    known = {target.id: target for target in targets}
    rows = speeds(comparisons)
    found = []
    for axis in dict.fromkeys([*QUESTIONS, "native", "floor", *(row.axis for row in rows)]):
        pairs = list(dict.fromkeys((row.baseline, row.candidate) for row in rows if row.axis == axis))
        if pairs:
            pair = min(pairs, key=lambda one: (_unusual(axis, known.get(one[1])), pairs.index(one)))
            found.append(busiest([row for row in rows if row.axis == axis], pair))
    return found


def _unusual(axis: str, target: TargetSummary | None) -> int:
    usual_parts = {"server": "gunicorn", "mode": "function", "device": "cpu"}
    return sum(getattr(target, part, None) != value for part, value in usual_parts.items() if part != axis)
