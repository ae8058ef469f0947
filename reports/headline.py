"""The answer: one line with the largest decided effect and what to do, then a bullet a question. Pure.

Terminal, `summary.md` and page print both as they are here. No advice comes out of an undecided comparison: what is
fastest is so after correction for all choices (`reports/fastest.py`), and choices whose gains cannot be told apart are
named together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiment.progress import plural
from reports import wording
from reports.advice import advice
from reports.fastest import Targets, is_choice
from reports.headline_rows import QUESTIONS, speeds, usual
from reports.ladder_words import framework_matters, ladder_sentence, matters_sentence
from reports.summary import Bullet, Summary
from reports.summary.check_rows import NothingValid
from reports.summary.load_rows import ComparisonRow, FastestRow
from reports.verdicts import Verdict

DIFFERENT = (Verdict.FASTER, Verdict.SLOWER)
DECIDED = (*DIFFERENT, Verdict.EQUIVALENT)
CHOICE_WORDS: Mapping[str, str] = {name: f"the {name}" for name in (*QUESTIONS, "interpreter")}


def headline(summary: Summary) -> str:
    """The first line, for an engineer who reads nothing else."""
    opening = _opening(summary)
    if summary.ladder and not summary.results:
        return opening + ladder_sentence(summary.ladder)
    if summary.nothing_valid:
        return opening + _why_nothing(summary.nothing_valid)
    if not speeds(summary.comparisons):
        return opening + _without_comparison(summary)
    if own := advice(summary):
        return opening + own
    rows = sorted(summary.fastest, key=lambda row: _most(row).ratio or 0 if row.faster else 0, reverse=True)
    if rows and rows[0].faster:
        return opening + " ".join(part for part in (_fastest(rows, summary), _advice(rows[0], summary)) if part)
    return opening + _no_faster(rows, summary)


def bullets(summary: Summary) -> list[Bullet]:
    """One a question, by its largest decided pair; then how much each choice explains."""
    rows = speeds(summary.comparisons)
    axes = sorted(dict.fromkeys(row.axis for row in rows), key=lambda axis: _place(axis, rows))
    found = [Bullet(label=wording.axis_title(axis), text=_question(axis, rows, summary)) for axis in axes]
    explained = matters_sentence(summary.what_matters)
    return found + ([Bullet(label="What explains the differences", text=explained)] if explained else [])


def _opening(summary: Summary) -> str:
    if summary.complete:
        return ""
    done = len({entry.block for row in summary.results for entry in row.blocks})
    return f"From a partial run ({done} of {plural(summary.all_blocks, 'block')}): "


def _most(row: FastestRow) -> ComparisonRow:
    return row.faster[0]


def _fastest(rows: Sequence[FastestRow], summary: Summary) -> str:
    """Who is fastest on each endpoint, the largest gain first: `Bottle on Granian, 3.6 times Flask on gunicorn`."""
    targets = summary.target_by_id
    base = targets[rows[0].baseline]
    by_name: dict[str, list[FastestRow]] = {}
    for row in rows:
        if row.faster:
            by_name.setdefault(_most(row).candidate, []).append(row)
    several = len(rows) > 1
    said = []
    for index, (name, own) in enumerate(by_name.items()):
        gains = []
        for place, row in enumerate(own):
            against = "" if index or place else wording.target_name(base)
            on = f" on /{row.endpoint}" if several and not index else ""
            gains.append(f"{wording.times(_most(row).effect[0], against)}{on}")
        where = f"on {wording.listed([f'/{row.endpoint}' for row in own])} " if index else ""
        said.append(f"{where}{wording.target_name(targets[name], base)}, {wording.listed(gains)}{_level(own, targets)}")
    rest = [f"/{row.endpoint}" for row in rows if not row.faster]
    if rest:
        shown = "is shown to be" if any(row.open for row in rows if not row.faster) else "is"
        said.append(f"on {wording.listed(rest)} nothing {shown} faster")
    return f"Fastest here, at {plural(rows[0].users, 'user')}: {'; '.join(said)}."


def _level(rows: Sequence[FastestRow], targets: Targets) -> str:
    base = targets[rows[0].baseline]
    names = [wording.target_name(targets[one], base) for one in dict.fromkeys(one for row in rows for one in row.level)]
    return f" (not shown to be faster than {wording.listed(names)})" if names else ""


def _advice(row: FastestRow, summary: Summary) -> str:
    """What to change first, by the largest decided gain of each choice alone on that endpoint; empty without one."""
    best: dict[str, ComparisonRow] = {}
    for one in row.faster:
        if one.axis != "stack":
            best.setdefault(one.axis, one)
    steps: list[list[ComparisonRow]] = []
    for one in best.values():
        # Gains whose intervals overlap cannot be put in an order.
        if steps and one.effect[1][1] >= min(other.effect[1][0] for other in steps[-1]):
            steps[-1].append(one)
        else:
            steps.append([one])
    limit = framework_matters(summary, row.endpoint) if "framework" in best else ""
    if limit and len(best) > 1 and [one.axis for one in steps[-1]] == ["framework"]:
        steps.pop()
    kept = _keep(row, max((one.effect[0] for one in best.values()), default=1.0), summary)
    if not steps:
        return kept
    names = [" or ".join(CHOICE_WORDS.get(one.axis, one.axis) for one in step) for step in steps]
    alone = len(names) == 1 and not (limit and steps[-1][0].axis != "framework")
    said = ", then ".join([f"Change {names[0]}{'' if alone else ' first'}", *names[1:]])
    ends = f"; {limit.replace('the framework', 'it') if alone else limit}" if limit else ""
    return " ".join(part for part in (f"{said}{ends}.", kept) if part)


def _keep(row: FastestRow, gain: float, summary: Summary) -> str:
    """What the baseline has already, where leaving it would cost more than any change alone brings; empty otherwise."""
    targets = summary.target_by_id
    worse = []
    for one in speeds(summary.comparisons):
        if one.endpoint != row.endpoint or one.axis not in QUESTIONS or one.verdict not in DIFFERENT:
            continue
        faster, slower = (one.candidate, one.baseline)[:: 1 if one.verdict == Verdict.FASTER else -1]
        if faster == row.baseline and is_choice(targets[slower]):
            worse.append((max(one.effect[0], 1 / one.effect[0]), one.axis, slower))
    most, axis, other = max(worse, default=(0.0, "", ""))
    if most <= gain:
        return ""
    own, instead = (wording.part_name(axis, targets[name]) for name in (row.baseline, other))
    return f"Keep {own}: {wording.times(most, instead)}."


def _no_faster(rows: Sequence[FastestRow], summary: Summary) -> str:
    """What there is to say where nothing is decidedly faster than the baseline, or no choice was compared."""
    targets = summary.target_by_id
    compared = speeds(summary.comparisons)
    told = [row for row in compared if row.verdict in DIFFERENT]
    open_ = [row for row in compared if row.verdict == Verdict.INCONCLUSIVE]
    if rows and not any(row.open for row in rows) and any(row.verdict in DECIDED for row in compared):
        best = wording.target_name(targets[rows[0].baseline])
        return f"Nothing here is faster than {best}, at {plural(rows[0].users, 'user')}: there is nothing to change."
    if told and not rows:
        row = max(told, key=lambda one: abs(_log(one)))
        return f"Largest difference here, at {plural(row.users, 'user')}: {_said_of(row, targets)}."
    if open_:
        row = max(open_, key=lambda one: abs(_log(one)))
        spans = f"/{row.endpoint} {wording.interval(*row.effect)}, {plural(row.users, 'user')}"
        more = f", and {plural(len(open_) - 1, 'other comparison')}" if len(open_) > 1 else ""
        return f"Undecided: {_against(row, targets)} is undecided ({spans}; {row.reason}){more}."
    row = next(row for row in compared if row.verdict == Verdict.INVALID)
    return f"Nothing is decided: there is no verdict on {_against(row, targets)}: {row.reason}."


def _against(row: ComparisonRow, targets: Targets) -> str:
    one, other = targets.get(row.candidate), targets.get(row.baseline)
    if one is None or other is None:
        return f"{row.candidate} against {row.baseline}"
    return f"{wording.part_name(row.axis, one, other)} against {wording.part_name(row.axis, other, one)}"


def _said_of(row: ComparisonRow, targets: Targets) -> str:
    one, other = _names(row, targets)
    return f"{one} serves /{row.endpoint} {wording.effect(*row.effect, other)}"


def _names(row: ComparisonRow, targets: Targets) -> tuple[str, str]:
    """What candidate and baseline are called beside each other."""
    one, other = targets[row.candidate], targets[row.baseline]
    return wording.part_name(row.axis, one, other), wording.part_name(row.axis, other, one)


def _log(row: ComparisonRow) -> float:
    return wording.distance(row.ratio) if row.ratio else 0.0


def _place(axis: str, rows: Sequence[ComparisonRow]) -> tuple[int, float]:
    """Choices first, the largest decided effect first among them."""
    largest = max((abs(_log(row)) for row in rows if row.axis == axis and row.verdict in DIFFERENT), default=0.0)
    return (0 if axis in QUESTIONS else 1, -largest)


def _question(axis: str, rows: Sequence[ComparisonRow], summary: Summary) -> str:
    """One question's answer: its largest decided pair; beside it the one under the baseline's own conditions."""
    targets = summary.target_by_id
    own = [row for row in rows if row.axis == axis]
    told = sorted((row for row in own if row.verdict in DIFFERENT), key=lambda row: -abs(_log(row)))
    if not told:
        return _not_different(own, targets)
    pairs = [(told[0].baseline, told[0].candidate)]
    base = summary.fastest[0].baseline if summary.fastest else ""
    if near := [row for row in told if base in (row.baseline, row.candidate)]:
        pairs.append((near[0].baseline, near[0].candidate))
    said = [_pair(pairs[0], own, targets)]
    if len(dict.fromkeys(pairs)) > 1:
        said.append(_beside(near[0], told[0], targets))
    still = sum(row.verdict == Verdict.INCONCLUSIVE for row in own)
    left = f" ({still} of {plural(len(own), 'comparison')} undecided)" if still else ""
    return f"{'; '.join(said)}{left}."


def _pair(pair: tuple[str, str], rows: Sequence[ComparisonRow], targets: Targets) -> str:
    own = [row for row in rows if (row.baseline, row.candidate) == pair]
    own.sort(key=lambda row: -abs(_log(row)) if row.verdict in DIFFERENT else 1)
    first = own[0]
    said = [f"{wording.change(first.effect[0])} on /{first.endpoint} ({wording.interval(*first.effect)})"]
    said += [f"{_short(row)} on /{row.endpoint}" for row in own[1:]]
    names = _names(first, targets)
    where = wording.conditions(first.axis, targets[first.candidate])
    return f"{wording.capital(names[0])} instead of {names[1]}{f' ({where})' if where else ''}: {', '.join(said)}"


def _beside(row: ComparisonRow, first: ComparisonRow, targets: Targets) -> str:
    """A second pair by its largest endpoint: by its conditions alone where the same two parts are compared."""
    pairs = [_names(one, targets) for one in (row, first)]
    where = wording.conditions(row.axis, targets[row.candidate])
    size = f"{wording.change(row.effect[0])} on /{row.endpoint} ({wording.interval(*row.effect)})"
    if pairs[0] == pairs[1]:
        return f"{size} with {where}"
    said = f"{pairs[0][0]} instead of {pairs[0][1]}"
    return f"{said}{f' ({where})' if where else ''}: {size}"


def _short(row: ComparisonRow) -> str:
    if row.verdict in DIFFERENT:
        return wording.change(row.effect[0])
    if row.verdict == Verdict.EQUIVALENT:
        return f"the same within {wording.percent(row.margin or 0)} %"
    return "undecided" if row.verdict == Verdict.INCONCLUSIVE else "without a verdict"


def _not_different(rows: Sequence[ComparisonRow], targets: Targets) -> str:
    """A question without a decided difference: equal, open, or not to be compared."""
    open_ = [row for row in rows if row.verdict == Verdict.INCONCLUSIVE]
    if open_:
        row = max(open_, key=lambda one: abs(_log(one)))
        return f"Undecided: {_against(row, targets)}, /{row.endpoint} {wording.interval(*row.effect)}; {row.reason}."
    equal = [row for row in rows if row.verdict == Verdict.EQUIVALENT]
    if equal:
        row = max(equal, key=lambda one: one.margin or 0)
        ends = wording.listed(list(dict.fromkeys(f"/{one.endpoint}" for one in equal)))
        within = wording.percent(row.margin or 0)
        return f"{wording.capital(_against(row, targets))}: the same within {within} % on {ends}."
    return f"There is no verdict on {_against(rows[0], targets)}: {rows[0].reason}."


def _without_comparison(summary: Summary) -> str:
    measured = [row for row in usual(summary.results) if row.valid]
    targets = summary.target_by_id
    if not measured:
        return _on_schedule(summary, targets)
    best = max(measured, key=lambda row: row.users)
    name = wording.part_name("framework", targets[best.target])
    interval = best.rate.ci95
    spread = f" ({wording.number(interval[0])} to {wording.number(interval[1])})" if interval else ""
    return (
        f"Nothing was compared: on this machine {name} serves /{best.endpoint} at "
        f"{wording.number(best.rate.median)} requests/s{spread} "
        f"with {plural(best.users, 'user')}."
    )


def _why_nothing(found: NothingValid) -> str:
    """No answer, and the commonest reason with its share."""
    share = f"{found.times} of {found.of} trials or targets ({wording.percent(found.share)} %)"
    return f"Nothing was measured, so there is no answer: for {share} because {found.reason.rstrip('.')}."


def _on_schedule(summary: Summary, targets: Targets) -> str:
    """What there is to say where nothing was measured in a closed loop."""
    told = ((row, median) for row in summary.results if row.valid and (median := row.response_ms.p50))
    first, median = next(told, (None, None))
    if first is None or median is None:
        return "Nothing was measured, so there is no answer."
    return (
        f"Nothing was compared in a closed loop: on this machine {targets[first.target].label} answers "
        f"/{first.endpoint} at {first.load} in {wording.number(median.median)} ms, "
        f"the median from when a request is due."
    )
