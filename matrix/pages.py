"""Reading the native table back from its page: what each framework did with each case. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_CASE, _FLASK, _BOTTLE, _CELLS = 0, 3, 4, 8
_FRAMEWORKS: Final = (("Flask", _FLASK), ("Bottle", _BOTTLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One case that a framework answers otherwise than it did: `before` in the page held against, `after` in this."""

    case_id: str
    framework: str
    before: str
    after: str


def rows(page: str) -> dict[str, tuple[str, ...]]:
    """The cells of every row of a native page, by case. Raises ValueError for a row of another shape."""
    found = {}
    for line in page.splitlines():
        if not line.startswith("| `"):
            continue
        # A cell's own bars are escaped, and an escaped one has no space before it that would split it.
        cells = tuple(line.removeprefix("| ").removesuffix(" |").split(" | "))
        if len(cells) != _CELLS:
            raise ValueError(f"no row of the native table: {line}")
        found[cells[_CASE].strip("`")] = cells
    return found


def changes(before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]) -> list[Change]:
    """What differs in cases that both have, in the order of `before`."""
    return [
        Change(case_id=case_id, framework=framework, before=cells[at], after=after[case_id][at])
        for case_id, cells in before.items()
        if case_id in after
        for framework, at in _FRAMEWORKS
        if cells[at] != after[case_id][at]
    ]
