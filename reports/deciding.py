"""Why a comparison is undecided, and the command that would decide it, with the time that it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from experiment.progress import plural
from experiment.rounds import OpenPair, Pace, asked_again
from experiment.run_folder import Run
from loadtests.plans import PLANS
from reports import wording
from reports.comparisons import NOISE_AXIS, RESPONSE_P50, THROUGHPUT
from reports.summary.load_rows import ComparisonRow, ToDecide
from reports.verdicts import Verdict

FOLDER: Final = "RUN"
"""Stands for the run's folder in a command, which is read wherever the run has been carried to."""

ASKED: Final = (THROUGHPUT, RESPONSE_P50)
"""What a verdict is about: throughput in a closed loop, the median response time on a schedule."""

_SPARE: Final = 1.3
"""Blocks that are foretold from a spread that was seen may not be enough, and each look takes its share."""


def with_reasons(run: Run, rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """The rows; an undecided one says why, and in how many minutes it alone would be decided."""
    pace = _pace(run)
    return [
        replace(row, why=_why(row), minutes_needed=_minutes(run, pace, [row])) if is_open(row) else row for row in rows
    ]


def to_decide(run: Run, rows: Sequence[ComparisonRow]) -> ToDecide | None:
    """What would decide all that is undecided; None where nothing is, or the run is no plan's."""
    asked = [row for row in rows if is_asked(row) and row.ratio is not None]
    still = [row for row in asked if is_open(row)]
    if not still or run.plan not in PLANS:
        return None
    named = [row for row in still if row.blocks_needed]
    minutes = _minutes(run, _pace(run), named)
    at_most = f" --at-most {max(2, math.ceil(_SPARE * minutes))}m" if minutes else ""
    return ToDecide(
        undecided=len(still),
        pairs=len(asked),
        blocks=max((row.blocks_needed or 0 for row in named), default=None),
        minutes=minutes,
        command=f"python3 bench.py run --resume {FOLDER} --until decided{at_most}",
    )


def in_words(found: ToDecide, folder: str = FOLDER) -> str:
    """One sentence, with the command."""
    some = f"{found.undecided} of {plural(found.pairs, 'comparison')} undecided"
    command = found.command.replace(FOLDER, folder)
    if found.minutes is None:
        return f"{some}: more than a thousand blocks would be needed, so the difference hardly matters here"
    where = f" ({FOLDER} is this run\u2019s folder)" if folder == FOLDER else ""
    needed = f"about {plural(found.blocks or 0, 'more block')}, {plural(found.minutes, 'minute')}"
    return f"{some}: {needed}: {command}{where}"


def is_asked(row: ComparisonRow) -> bool:
    """Whether the row is a question: the A/A pair is none."""
    return row.axis != NOISE_AXIS and row.metric in ASKED


def is_open(row: ComparisonRow) -> bool:
    """Whether the row is undecided; the A/A pair never is."""
    return row.verdict == Verdict.INCONCLUSIVE and row.axis != NOISE_AXIS


def open_pair(row: ComparisonRow) -> OpenPair:
    """The pair of the row, for whoever measures it again."""
    return OpenPair(baseline=row.baseline, candidate=row.candidate, scenario=row.scenario)


def _why(row: ComparisonRow) -> str:
    """The family's p-value, the interval's width and the noise floor: what stands in the way."""
    _, (low, high) = row.effect
    said = [f"p {row.p_adjusted:.2g} with its family", f"±{wording.percent(math.sqrt(high / low) - 1)} % wide"]
    if row.noise_ci95:
        said.append(f"noise floor ±{wording.percent(row.noise_ci95[1] - 1)} %")
    return ", ".join(said)


def _pace(run: Run) -> Pace | None:
    return Pace.of(PLANS[run.plan], run.timings) if run.plan in PLANS else None


def _minutes(run: Run, pace: Pace | None, rows: Sequence[ComparisonRow]) -> int | None:
    """What so many more blocks of these take, with the A/A pair, without which there is no noise floor."""
    blocks = max((row.blocks_needed or 0 for row in rows), default=0)
    if pace is None or not blocks:
        return None
    twins = {one for target in run.targets if target.twin_of for one in (target.id, target.twin_of)}
    pairs = [open_pair(row) for row in rows if row.scenario in pace.trial_s]
    each_s = pace.block_s(asked_again(pairs, [target.id for target in run.targets], twins))
    return max(1, math.ceil(blocks * each_s / 60))
