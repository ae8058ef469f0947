"""What was observed of the targets before and beside the load, as data and sentences for the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports import wording
from reports.summary import Summary
from reports.summary.check_rows import AnswersAlike, TutorialCode


def topics(summary: Summary) -> list[tuple[str, list[str]]]:
    """The conformance matrix: each topic with a cell for each row of `summary.conformance`, in words."""
    rows = summary.conformance
    names = dict.fromkeys(topic for row in rows for topic in row.topics)
    return [(name, [_topic_cell(row.topics.get(name, {})) for row in rows]) for name in names]


def _topic_cell(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "\u2013"
    others = [f"{count} {verdict.replace('_', ' ')}" for verdict, count in sorted(counts.items()) if verdict != "right"]
    return ", ".join([f"{counts.get('right', 0)} of {total}", *others]) if counts.get("right") else ", ".join(others)


def start_up_sentence(summary: Summary) -> str:
    """From which to which target a start takes how long."""
    told = sorted((row.startup_s, row.target) for row in summary.startup if row.startup_s is not None)
    if not told:
        return "No start was timed."
    labels = {target.id: target.label for target in summary.targets}
    (least, first), (most, last) = told[0], told[-1]
    return (
        f"From its start to its first answer a server takes {wording.number(least)} s ({labels[first]}) to "
        f"{wording.number(most)} s ({labels[last]})."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Targets that answered so many cases byte for byte alike, in so many blocks."""

    targets: list[str]
    cases: int
    blocks: int


def alike(summary: Summary) -> list[Alike]:
    """Every group that was held against each other and answered alike in every block; the largest first."""
    groups: dict[tuple[str, ...], list[AnswersAlike]] = {}
    for row in summary.answers_alike:
        groups.setdefault(tuple(sorted(row.targets)), []).append(row)
    found = [
        Alike(targets=rows[0].targets, cases=min(row.cases for row in rows), blocks=len({row.block for row in rows}))
        for rows in groups.values()
        if len(rows[0].targets) > 1 and not any(row.differences for row in rows)
    ]
    return sorted(found, key=lambda one: -len(one.targets))


def tutorial_code(summary: Summary) -> TutorialCode | None:
    """What the run observed of the tutorial code, by severity; None where none was asked."""
    rows = [row for row in summary.conformance if not row.judged]
    if not rows:
        return None
    cases: dict[str, set[str]] = {}
    by_target = {}
    for row in rows:
        own: dict[str, set[str]] = {}
        for one in row.findings:
            if severity := one.get("severity"):
                own.setdefault(severity, set()).add(one["case"])
                cases.setdefault(severity, set()).add(one["case"])
        by_target[row.target] = {name: len(found) for name, found in own.items()}
    return TutorialCode(
        cases=max(sum(row.counts.values()) for row in rows),
        severities={name: len(found) for name, found in cases.items()},
        by_target=by_target,
    )


def tutorial_sentence(found: TutorialCode) -> str:
    """The same in words."""
    failed, wrong = (found.severities.get(name, 0) for name in ("server_error", "wrong_2xx"))
    silent = found.severities.get("silent_wrong_answer", 0)
    looks_right = f" and {silent} in a wrong answer that looks right" if silent else ""
    joint = ", " if looks_right else " and "
    return (
        f"Of {found.cases} requests to the tutorial code, {failed} end in a 500 or no answer{joint}{wrong} in a wrong "
        f"2xx{looks_right} in at least one framework."
    )
