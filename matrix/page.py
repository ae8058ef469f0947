"""docs/versions.md: which versions conform, which do not, and where the article's code behaves otherwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matrix.found import Counts, Examined

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


_INTRO: Final = """\
# Which versions are known to work

`tox -m matrix` runs the core's tests and the conformance suite in every environment below, where any two versions of
two packages meet at least once, and then writes this page anew (`tox -e versions`). Any other combination runs by its
name, such as `tox -e py312-flask30-bottle013-tf221`; `tox -m grid` runs them all.

The last column counts the answers of the article's own code, in Flask and in Bottle, that are not those of
[the native table](native.md), which was observed with the locked versions."""

_HEAD: Final = (
    "| environment | Python | Flask (Werkzeug) | Bottle | TensorFlow | the core's tests | conformance | verdict"
    " | native answers that differ |\n|---|---|---|---|---|---|---|---|---|"
)
_FLOORS: Final = """\
## The lowest versions

What the environment `lowest` resolved every direct dependency to, and passed with. `pyproject.toml` allows nothing
lower: `tests/matrix/test_pins.py` fails for a bound that this list does not vouch for."""

LOWEST: Final = "lowest"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsRow:
    """One environment. `reason` says why there is nothing found; `changes` is None where no native was observed."""

    name: str
    found: Examined | None
    reason: str
    changes: tuple[Change, ...] | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """Why it is not there, was skipped or failed; empty where it conforms."""
        if self.found is None:
            return (self.reason,)
        return (f"skipped: {self.found.unfit}",) if self.found.unfit else self.found.reasons


def page(gathered: Sequence[VersionsRow]) -> str:
    """The whole document."""
    parts = [_INTRO, "\n".join((_HEAD, *map(_line, gathered)))]
    differing = [row for row in gathered if row.changes]
    if differing:
        parts.append("## What the article's code does otherwise")
        parts.append("\n".join(_changes(differing)))
    floors = next((row.found for row in gathered if row.name == LOWEST and row.found), None)
    if floors and floors.floors and not floors.reasons:
        lines = [f"| {name} | {version} |" for name, version in floors.floors.items()]
        parts.append("\n".join((_FLOORS, "", "| package | version |\n|---|---|", *lines)))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _line(row: VersionsRow) -> str:
    found = row.found
    verdict = "; ".join(row.remarks) or "conforms"
    if found is None:
        return _joined(f"`{row.name}`", *[""] * 6, verdict, "")
    versions = found.versions
    return _joined(
        f"`{row.name}`",
        versions["python"],
        f"{versions.get('flask', '')} ({versions.get('werkzeug', '')})",
        versions.get("bottle", ""),
        versions.get("tensorflow", ""),
        _counts(found.tests),
        _counts(found.cases),
        verdict,
        "not observed" if row.changes is None else str(len(row.changes)),
    )


def _counts(counts: Counts | None) -> str:
    if counts is None:
        return "not run"
    ran = counts.total - counts.skipped
    skipped = f", {counts.skipped} skipped" if counts.skipped else ""
    return f"{ran - counts.failed} of {ran}{skipped}"


def _changes(differing: Sequence[VersionsRow]) -> list[str]:
    """One line a different answer, with every environment that gives it."""
    where: dict[Change, list[str]] = {}
    for row in differing:
        for change in row.changes or ():
            where.setdefault(change, []).append(f"`{row.name}`")
    head = "| case | framework | locked versions | here | environments |\n|---|---|---|---|---|"
    return [
        head,
        *(
            _joined(f"`{change.case_id}`", change.framework, change.before, change.after, ", ".join(names))
            for change, names in where.items()
        ),
    ]


def _joined(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
