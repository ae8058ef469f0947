"""Whether two runs differ because the machine did: everything that was measured moved the same way by about as much.

A target of one run and the same target of another are apart in time, and a machine that others share can be three times
as fast a day later. Code seldom does that to all targets at once, and a change of one target's code does it to none of
the others. So the targets are each other's control, all of both runs, whichever of them were asked for; where there is
one target alone, the load generator's reach against a server that answers a constant is.
"""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Mapping, Sequence
from typing import Final

from experiment.run_folder import Run
from reports import independent
from reports.comparisons import LATENCIES, THROUGHPUT
from reports.runs_compared import CellRow, CommonMove, TargetMove
from reports.sides import Sides, metric_of, places, scenario_of
from reports.verdicts import LEAST_MARGIN, Verdict

Side = Mapping[int, float]
"""A cell's figures by block."""

_ABOUT: Final = 2.0
"""As much: the largest move is at most so many times the smallest, as logarithms; or all agree within their noise."""

_CEILING: Final = "the load generator against a server that answers a constant"


def machine_change(sides: tuple[Sides, Sides], rows: Sequence[CellRow]) -> CommonMove | None:
    """What everything moved by, where that is why `rows` differ; None where none is decided, or one the other way."""
    ceilings = tuple(one.run.generator.ceiling_rps if one.run.generator else None for one in sides)
    moved = common_move(target_moves(_figures(sides)), (ceilings[0], ceilings[1]))
    if moved is None or all(row.verdict == Verdict.EQUIVALENT for row in rows):
        return None
    against = Verdict.SLOWER if moved.ratio > 1 else Verdict.FASTER
    return None if any(row.verdict == against for row in rows) else moved


def measure_both(base: Run, rows: Sequence[CellRow]) -> list[str]:
    """The commands that measure what moved most, of both commits, in one run."""
    told = [row for row in rows if row.ratio]
    worst = max(told, key=lambda row: abs(math.log(row.ratio or 1)), default=None)
    git = base.environment.git
    commit = git.commit[:12] if git and git.commit else "BASE"
    target = worst.target if worst else base.targets[0].id
    return [
        f"git worktree add ../base {commit}",
        f"(cd ../base && python3 bench.py serve {target} --port 8001) &",
        f"python3 bench.py serve {target} --port 8002 &",
        "python3 bench.py run --url base=http://127.0.0.1:8001 --url new=http://127.0.0.1:8002",
    ]


def _figures(sides: tuple[Sides, Sides]) -> dict[tuple[str, str], tuple[str, Side, Side]]:
    """Metric and figures by block of every cell that both runs have, whichever were asked for.

    Throughputs alone, where there are any: on a schedule a machine that is faster by half answers sooner by some other
    share.
    """
    found: dict[tuple[str, str], tuple[str, Side, Side]] = {}
    for target, scenario in places(sides[0].run):
        try:
            before, after = (own.of(target, scenario_of(own.run, scenario)) for own in sides)
            found[target, scenario] = (metric_of(scenario_of(sides[0].run, scenario)), before, after)
        except ValueError:
            # One of the two has no fair figure here; the cell itself says why.
            continue
    closed = {place: cell for place, cell in found.items() if cell[0] == THROUGHPUT}
    return closed or found


def target_moves(cells: Mapping[tuple[str, str], tuple[str, Side, Side]]) -> list[TargetMove]:
    """By how much each target moved, over all its cells; `cells` has metric, BASE and NEW by target and scenario.

    A block's cells are taken together first, for what disturbs a block disturbs all of them.
    """
    found = []
    for target in dict.fromkeys(target for target, _ in cells):
        own = [cell for (name, _), cell in cells.items() if name == target]
        sides = [_by_block([(metric, pair[side]) for metric, *pair in own]) for side in (0, 1)]
        try:
            moved = independent.independent_ratio(*sides)
        except ValueError:
            # Too few blocks, or none that vary: this target tells nothing of the machine.
            continue
        found.append(TargetMove(name=target, ratio=moved.ratio, ci95=(moved.low, moved.high)))
    return found


def _by_block(cells: Sequence[tuple[str, Side]]) -> list[float]:
    """The geometric mean over cells of every block that all have; a latency by its inverse."""
    blocks = set.intersection(*(set(values) for _, values in cells))
    signs = [(-1 if metric in LATENCIES else 1, values) for metric, values in cells]
    return [math.exp(plain.fmean(sign * math.log(values[block]) for sign, values in signs)) for block in sorted(blocks)]


def common_move(moves: Sequence[TargetMove], ceilings: tuple[float | None, float | None]) -> CommonMove | None:
    """What all moved by, where they moved alike and further than targets that count as equal do; None otherwise."""
    witnesses = list(moves)
    if len(witnesses) == 1 and all(ceilings):
        before, after = (float(one or 0.0) for one in ceilings)
        ratio = after / before
        witnesses.append(TargetMove(name=_CEILING, ratio=ratio, ci95=(ratio, ratio)))
    if len(witnesses) < 2:
        return None
    logs = [math.log(one.ratio) for one in witnesses]
    centre = plain.median(logs)
    sign = math.copysign(1.0, centre)
    least, most = min(sign * one for one in logs), max(sign * one for one in logs)
    # One that may not have moved shows that the machine is the same.
    all_moved = all(not one.ci95[0] <= 1 <= one.ci95[1] for one in witnesses) and least > 0
    as_much = most <= _ABOUT * least or all(
        math.log(one.ci95[0]) <= centre <= math.log(one.ci95[1]) for one in witnesses
    )
    if not all_moved or not as_much or abs(centre) <= math.log1p(LEAST_MARGIN):
        return None
    return CommonMove(ratio=math.exp(centre), moves=witnesses)


def rest_of(found: CommonMove, move: TargetMove) -> float:
    """By which ratio one target moved beside what all did."""
    return move.ratio / found.ratio
