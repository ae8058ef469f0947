"""docs/native.md: what one gets who just writes it in Flask, in Bottle, or in FastAPI. Pure.

Its rows hold no figure, time or address, so that the page changes only where a framework or a server does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.case import Case
from conformance.finding import Severity
from conformance.native_table import Divergence, consequence
from conformance.observation import SEVERITIES, Behaviour, Observation
from reports.wording import table

Seen = Mapping[str, Mapping[str, Observation]]
"""Observations of one framework: server to case id to what was seen."""

_INTRO: Final = """\
# What you get if you just write it

{sentence}

The tutorial code is the article's three endpoints in [Flask](../servers/apps/flask_native.py) and in
[Bottle](../servers/apps/bottle_native.py), as a reader would paste them, and in
[FastAPI](../servers/apps/fastapi_native.py), as its own documents write such endpoints, asked {cases} cases of the
contract on {servers}. FastAPI runs on uvicorn, which the others do not. Nothing stands between the client and the
framework here; the targets `flask` and `bottle` put one gate in front of both, and get none of these cases wrong.

`python3 bench.py natives` writes this page anew; `tox -e native` fails where a row would change.
What differs from server to server is said server by server; `dev` is the framework's own development server.

{versions}
"""

_UNSEEN: Final = "not installed"
_FEW: Final = 5
_WRONG_2XX: Final = frozenset({Behaviour.ACCEPTED, Behaviour.WRONG_ANSWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case on every framework. `severity` is the worst seen on any server, None where all are right.

    `cells` say what each did, in the order of the columns; `behaviours` are those of all of them on any server.
    """

    divergence: Divergence
    case: Case
    cells: tuple[str, ...]
    severity: Severity | None
    behaviours: frozenset[Behaviour]
    consequence: str

    def texts(self) -> tuple[str, ...]:
        """The row's cells, from left to right."""
        severity = "" if self.severity is None else self.severity.value.replace("_", " ")
        return (
            f"`{self.case.id}`",
            self.case.proves,
            _wanted(self.case),
            *self.cells,
            severity,
            self.consequence,
        )


def rows(divergences: Sequence[Divergence], cases: Mapping[str, Case], seen: Mapping[str, Seen]) -> list[Row]:
    """A row for each case of each divergence that was observed, in the order given.

    `seen` is by framework; one that could not run has nothing in it, and its column says so.
    """
    found = []
    for one in divergences:
        for name in one.cases:
            by_framework = {framework: _of(theirs, name) for framework, theirs in seen.items()}
            if all(own or not seen[framework] for framework, own in by_framework.items()):
                found.append(_row(one, cases[name], by_framework))
    return found


def page(
    found: Sequence[Row],
    divergences: Sequence[Divergence],
    frameworks: Sequence[str],
    servers: Sequence[str],
    versions: Mapping[str, str],
) -> str:
    """The whole document; `frameworks` are the columns of its rows."""
    columns = ("case", "asked", "the contract", *frameworks, "severity", "for a user")
    said = ", ".join(f"{name} {number}" for name, number in versions.items())
    listed = f"{', '.join(servers[:-1])} and {servers[-1]}" if len(servers) > 1 else servers[0]
    intro = _INTRO.format(
        cases=len(found), servers=listed, versions=f"Observed with {said}.", sentence=in_one_sentence(found)
    )
    parts = [intro, _counts(found), _worst(found)]
    for one in divergences:
        own = [row.texts() for row in found if row.divergence is one]
        if own:
            parts.append(f"## {one.id} {one.what}\n\n{table(columns, own)}")
    untold = [(one.id, one.what, one.untold) for one in divergences if one.untold]
    parts.append(f"## Told by no case\n\n{table(('', 'what', 'because'), untold)}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def in_one_sentence(found: Sequence[Row]) -> str:
    """What the cases come to: how many end in a 500, and how many in a 2xx that is wrong."""
    failed = sum(Behaviour.SERVER_ERROR in row.behaviours for row in found)
    wrong = sum(bool(row.behaviours & _WRONG_2XX) for row in found)
    return (
        f"**Of {len(found)} requests to the tutorial code, {failed} end in a 500 and {wrong} in a wrong 2xx "
        "in at least one framework.**"
    )


def _worst(found: Sequence[Row]) -> str:
    """The worst row of each of the divergences that weigh most, with what it means."""
    by_divergence: dict[str, Row] = {}
    for row in sorted(found, key=_weight, reverse=True):
        by_divergence.setdefault(row.divergence.id, row)
    heads = ("", "what", "case", "severity", "for a user")
    lines = [
        (f"{row.divergence.id}", row.divergence.what, f"`{row.case.id}`", *row.texts()[-2:])
        for row in list(by_divergence.values())[:_FEW]
    ]
    return f"## The five worst\n\n{table(heads, lines)}" if lines else ""


def _weight(row: Row) -> tuple[int, int]:
    """How bad a row is: by its severity, then by how many ways it goes wrong."""
    return (-1 if row.severity is None else list(Severity).index(row.severity), len(row.behaviours))


def changed(old: str, new: str) -> list[str]:
    """The lines that differ, `-` before the old and `+` before the new ones; versions are no difference."""
    before, after = _lines(old), _lines(new)
    gone = [f"- {line}" for line in before if line not in set(after)]
    return gone + [f"+ {line}" for line in after if line not in set(before)]


def versions_line(text: str) -> str:
    """What a page says that it was observed with."""
    return next((line for line in text.splitlines() if line.startswith("Observed with ")), "Observed with nothing.")


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("Observed with ")]


def _counts(found: Sequence[Row]) -> str:
    counts = Counter(row.severity for row in found)
    kinds = [(one.value.replace("_", " "), str(counts[one])) for one in sorted(Severity, reverse=True)]
    return table(("the worst that one of them does", "cases"), [*kinds, ("right", str(counts[None]))])


def _of(seen: Seen, case_id: str) -> dict[str, Observation]:
    return {server: observed[case_id] for server, observed in seen.items() if case_id in observed}


def _row(divergence: Divergence, case: Case, seen: Mapping[str, Mapping[str, Observation]]) -> Row:
    worst = {framework: max(own.values(), key=lambda one: one.rank).behaviour for framework, own in seen.items() if own}
    weights = [SEVERITIES[behaviour] for behaviour in worst.values() if behaviour in SEVERITIES]
    return Row(
        divergence=divergence,
        case=case,
        cells=tuple(_cell(own) if own else _UNSEEN for own in seen.values()),
        severity=max(weights, default=None),
        behaviours=frozenset(one.behaviour for own in seen.values() for one in own.values()),
        consequence=_consequences({name: consequence(case, one, divergence) for name, one in worst.items()}, worst),
    )


def _consequences(texts: Mapping[str, str], worst: Mapping[str, Behaviour]) -> str:
    """What is alike for all is said once; otherwise each is named that is not right."""
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    by_text: dict[str, list[str]] = {}
    for name, text in texts.items():
        if worst[name] is not Behaviour.RIGHT:
            by_text.setdefault(text, []).append(name)
    return " ".join(f"{' and '.join(names)}: {text}" for text, names in by_text.items())


def _cell(seen: Mapping[str, Observation]) -> str:
    """What was seen, once where all servers agree, else by server."""
    by_text: dict[str, list[str]] = {}
    for server, one in seen.items():
        text = f"{one.text} (right)" if one.behaviour is Behaviour.RIGHT else one.text
        by_text.setdefault(text, []).append(server)
    if len(by_text) == 1:
        return next(iter(by_text))
    return "; ".join(f"{', '.join(servers)}: {text}" for text, servers in by_text.items())


def _wanted(case: Case) -> str:
    expects = case.expects
    return f"{expects.status} {expects.code or ''}".strip()
