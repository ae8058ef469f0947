"""Which rows speak for an endpoint: closed loops in its usual encoding, at the most users. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from reports.summary.load_rows import ComparisonRow, ResultRow

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
