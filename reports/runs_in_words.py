"""Two runs compared, or a series of them, in words: lines for a terminal, Markdown for a pull request. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from experiment.progress import plural
from reports import wording
from reports.between import RunVerdict
from reports.comparisons import LATENCIES, THROUGHPUT
from reports.runs_compared import CellRow, History, RunsCompared, RunSide, Series, SeriesRun
from reports.sameness import shortened
from reports.wording import one_line, table

ORDER = ("slower", "faster", "invalid", "inconclusive", "equivalent")
LOUD = ("slower", "faster", "invalid")


def headline(result: RunsCompared) -> str:
    """What happened, in one line with its number: the machine, or the worst of the regressions, or nothing."""
    kinds = [f"{result.counts[name]} {name}" for name in ORDER if result.counts.get(name)]
    said = f" ({', '.join(kinds)})" if kinds else ""
    worst = ordered(result.cells)[:1] if result.verdict == RunVerdict.REGRESSION else []
    most = [f": {row.target} {row.scenario} {_change(row)}" for row in worst if row.verdict == "slower"]
    return f"{result.verdict}: {result.reason}{''.join(most)}{said}"


def cautions(result: RunsCompared) -> list[str]:
    """What a reader must know beside the cells: partial runs, other machines or plans, a shift of everything."""
    found = [
        f"{name} ({side.run_id}) is partial: {side.partial_reason}"
        for name, (side, _) in result.sides.items()
        if not side.complete
    ]
    found += [f"different machines: {one}" for one in result.machine_differences]
    found += [f"different plans: {one}" for one in result.plan_differences]
    for name, (_, alone) in result.sides.items():
        if alone:
            named = shortened([f"{target} {scenario}" for target, scenario in alone])
            found.append(f"only in {name}: {', '.join(named)}")
    ratios = [row.ratio for row in result.cells if row.ratio]
    if moved := result.machine_changed:
        each = [f"{one.name} {wording.change(one.ratio)}" for one in moved.moves]
        found.append(f"by target: {', '.join(shortened(each))}")
        found.append("a change of the code that all targets share would look the same")
    elif len(ratios) > 2 and (min(ratios) > 1 or max(ratios) < 1):
        shift = wording.signed_change(result.median_ratio or 1)
        found.append(
            f"all {len(ratios)} cells moved the same way (median {shift}), though not by as much: the machine, or"
            " something that every target shares"
        )
    elif len({row.target for row in result.cells}) == 1:
        found.append("one target alone: a machine that became faster or slower looks the same")
    return found


def comparison_lines(result: RunsCompared) -> list[str]:
    """For a terminal: what happened, what would tell, what changed, a line a cell, the worst first, then cautions."""
    rows = ordered(result.cells)
    column = max((len(row.target) for row in rows), default=0)
    names = [f"{row.target:{column}}  {row.scenario}" for row in rows]
    width = max(map(len, names), default=0)
    told = [headline(result)]
    told += ["measure both in one run:", *(f"  {one}" for one in result.measure_both)] if result.measure_both else []
    told += [f"BASE {_who(result.base)}", f"NEW  {_who(result.new)}"]
    told += [f"changed: {one}" for one in shortened(result.changes)]
    told += [""] if rows else []
    told += [f"{name:{width}}  {_change(row):26} {_verdict(row)}" for name, row in zip(names, rows, strict=True)]
    told += ["", *(f"note: {one}" for one in found)] if (found := cautions(result)) else []
    return told


def comparison_markdown(result: RunsCompared) -> str:
    """For a pull-request comment: what happened, then the cells that say so, worst first; all else folded away."""
    rows = ordered(result.cells)
    loud = [] if result.machine_changed else [row for row in rows if row.verdict in LOUD]
    calm = [row for row in rows if row not in loud]
    title = {RunVerdict.REGRESSION.value: "Regression", RunVerdict.FINE.value: "No regression"}
    commands = "\n".join(result.measure_both)
    folded = {
        _counted(calm, "other " if loud else ""): _table(calm) if calm else "",
        "What else changed between the runs": "\n".join(f"- {one_line(one)}" for one in shortened(result.changes)),
    }
    parts = [
        f"### {title.get(result.verdict, 'Could not tell')}",
        f"**{one_line(headline(result).partition(': ')[2])}**",
        f"Measure both in one run:\n\n```\n{commands}\n```" if commands else "",
        _table(loud) if loud else "",
        "\n".join(f"> **Note.** {one_line(one)}  " for one in cautions(result)),
        *(_folded(name, body) for name, body in folded.items() if body),
        _legend(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _counted(rows: Sequence[CellRow], word: str) -> str:
    """So many cells, and what they came to."""
    counts = {name: sum(row.verdict == name for row in rows) for name in ORDER}
    kinds = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"{plural(len(rows), f'{word}cell')}: {kinds}"


def _legend(result: RunsCompared) -> str:
    base, new = (one_line(_who(side)) for side, _ in result.sides.values())
    family = plural(result.family_size, "cell")
    return (
        f"<sub>BASE `{base}`, NEW `{new}`. Above 0 % NEW is faster; intervals are of 95 %;"
        f" p-values are corrected over {family}.</sub>"
    )


def ordered(rows: Sequence[CellRow]) -> list[CellRow]:
    """The rows as a reader wants them: slower first, the largest change first among its like."""
    return sorted(rows, key=lambda row: (ORDER.index(row.verdict), -abs(wording.distance(row.ratio or 1.0))))


def _table(rows: Sequence[CellRow]) -> str:
    heads = ["target", "scenario", "BASE", "NEW", "change (95 %)", "verdict"]
    return table(
        heads,
        [
            [
                f"`{row.target}`",
                row.scenario,
                _figure(row, row.base),
                _figure(row, row.new),
                _change(row),
                _verdict(row),
            ]
            for row in rows
        ],
    )


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _figure(row: CellRow, median: float | None) -> str:
    if median is None:
        return "\u2013"
    return f"{wording.number(median)} {'/s' if row.metric == THROUGHPUT else 'ms'}"


def _change(row: CellRow) -> str:
    if row.ratio is None or row.ci95 is None:
        return "\u2013"
    return f"{wording.change(row.ratio)} ({wording.interval(row.ratio, row.ci95)})"


def _verdict(row: CellRow) -> str:
    return f"{row.verdict}: {row.reason}" if row.reason else str(row.verdict)


def _who(side: RunSide) -> str:
    commit = f", commit {side.commit[:12]}" if side.commit else ""
    return f"{side.run_id} ({side.started_utc}{commit})"


def history_lines(found: History) -> list[str]:
    """The runs, then a line a cell, those with a step first, then what was left out."""
    rows = _ordered(found.series)
    column = max((len(row.target) for row in rows), default=0)
    names = [f"{row.target:{column}}  {row.scenario}" for row in rows]
    width = max(map(len, names), default=0)
    told = [f"run {index}: {_run(run)}" for index, run in enumerate(found.runs)]
    told += [
        "",
        *(f"{name:{width}}  {_trend(row):20} {_said(row, found)}" for name, row in zip(names, rows, strict=True)),
    ]
    told += [f"left out: {one.run_id}: {one.reason}" for one in found.left_out]
    return told


def history_markdown(found: History) -> str:
    """A table a cell."""
    rows = [[f"`{row.target}`", row.scenario, _trend(row), _said(row, found)] for row in _ordered(found.series)]
    runs = [f"{index}. {one_line(_run(run))}" for index, run in enumerate(found.runs)]
    out = [f"- left out: {one_line(one.run_id)}: {one_line(one.reason)}" for one in found.left_out]
    parts = ["\n".join(runs), table(["target", "scenario", "last against first", "steps"], rows), "\n".join(out)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _ordered(rows: Sequence[Series]) -> list[Series]:
    return sorted(rows, key=lambda row: not row.steps)


def _run(run: SeriesRun) -> str:
    commit = f" commit {run.commit[:12]}" if run.commit else ""
    partial = f" (partial: {run.partial_reason})" if run.partial_reason else ""
    return f"{run.run_id} {run.started_utc}{commit}{partial}"


def _trend(row: Series) -> str:
    """The last run against the first, above 0 % where it is faster."""
    if len(row.points) < 2:
        return "\u2013"
    ratio = row.points[-1].figure / row.points[0].figure
    return wording.change(1 / ratio if row.metric in LATENCIES else ratio)


def _said(row: Series, found: History) -> str:
    if not row.judged:
        more = found.least_runs - len(row.points)
        return f"{plural(more, 'more run')} needed to tell a step"
    if not row.steps:
        return "no step"
    return ", ".join(f"{wording.change(step.ratio)} from run {step.run} on" for step in row.steps)
