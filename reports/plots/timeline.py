"""The run from its beginning to its end: how fast everything was, visit by visit, and what disturbed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from experiment.run_folder import Run
from loadtests.trial_record import TrialRecord
from reports import drawing, wording
from reports.summary import Summary

TITLE = "The run in time"
NOTE = (
    "Closed loops, from the first slice to the last, or trial by trial where the journal tells of no slices: the rates "
    "of all targets over their own medians, so that 1 is usual. Light: all but the slowest and the fastest tenth of "
    "them. Orange: others took more than a twentieth of the targets\u2019 cores. Upright lines begin a block."
)
TAKEN = 0.05
US_PER_S = 1e6
LEAST_SLICES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice of one scenario in one block, over all targets: their rates over their own medians, and what was taken.

    `taken` is the share of the cores' time that others had; None where the journal does not tell.
    """

    block: int
    scenario: str
    rates: list[float]
    taken: float | None


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """What is drawn, in words; its figures are the samples'."""
    return f"Rates of all targets over their own medians, slice by slice, through {summary.all_blocks} blocks."


def draw(summary: Summary, run: Run) -> Figure | None:
    """The figure; None where fewer than a few slices were measured in closed loops."""
    first = {target.id for target in summary.first_targets}
    slices = list(_slices(run, first))
    if len(slices) < LEAST_SLICES:
        return None
    figure, grid = drawing.figure(1, 1, height_in=2.1)
    axes = grid[0][0]
    at = np.arange(len(slices))
    low, middle, high = np.array([np.percentile(one.rates, [10, 50, 90]) for one in slices]).T
    axes.fill_between(at, low, high, color=drawing.SPARE[0], alpha=0.25, linewidth=0)
    axes.plot(at, middle, color=drawing.SPARE[0], linewidth=1)
    for place, one in enumerate(slices):
        if one.taken is not None and one.taken > TAKEN:
            (point,) = axes.plot(place, middle[place], "v", color=drawing.SLOWER, markersize=4)
            text = f"others took {wording.percent(one.taken)} % of the cores"
            drawing.mark(point, f"block {one.block}, {one.scenario}, slice {place + 1}: {text}")
    starts = [place for place in range(len(slices)) if not place or slices[place].block != slices[place - 1].block]
    for place in starts:
        axes.axvline(place, color=drawing.QUIET, linewidth=0.8)
        (point,) = axes.plot(place, middle[place], "o", color=drawing.SPARE[0], markersize=4)
        drawing.mark(point, f"block {slices[place].block} begins: {wording.number(float(middle[place]))} of usual")
    axes.set_xticks(starts, [f"block {slices[place].block}" for place in starts], ha="left")
    axes.set_xlim(-1, len(slices))
    axes.set_ylabel("of usual")
    # A slice that nearly stood still, or one right behind it, would flatten all others.
    axes.set_ylim(max(0.0, float(low.min()) * 0.9), float(np.percentile(high, 99)) * 1.1)
    axes.grid(axis="y")
    return figure


def _slices(run: Run, targets: set[str]) -> Iterator[Slice]:
    """The slices in the order in which the trials were written; a trial that tells of none is one of itself."""
    trials: dict[tuple[int, str], list[TrialRecord]] = {}
    rates: dict[tuple[str, str], list[float]] = {}
    for trial in run.trials:
        if trial.target in targets and trial.offered_rps is None and trial.unusable() is None:
            trials.setdefault((trial.block, trial.scenario), []).append(trial)
            rates.setdefault((trial.target, trial.scenario), []).extend(_rates(trial))
    usual = {cell: float(np.median(own)) for cell, own in rates.items()}
    for (block, scenario), own in trials.items():
        known = [(trial, _rates(trial), _taken(trial)) for trial in own if usual[trial.target, scenario] > 0]
        for place in range(min((len(told) for _, told, _ in known), default=0)):
            shares = [taken[place] for _, _, taken in known if place < len(taken)]
            yield Slice(
                block=block,
                scenario=scenario,
                rates=[told[place] / usual[trial.target, scenario] for trial, told, _ in known],
                taken=float(np.mean(shares)) if shares else None,
            )


def _rates(trial: TrialRecord) -> list[float]:
    """A target's answers a second in each slice; of the whole trial where its slices are not told."""
    visits = trial.visits
    if visits is None:
        return [trial.throughput_rps]
    return [count * US_PER_S / max(1, us) for count, us in zip(visits.answered, visits.served_us, strict=False)]


def _taken(trial: TrialRecord) -> list[float]:
    """The share of the target's cores that others had in each slice; empty where it is not told."""
    visits = trial.visits
    if visits is None:
        return []
    both = zip(visits.served_us, visits.others_us, visits.stolen_us, strict=False)
    return [(others + stolen) / (max(1, us) * max(1, visits.cores)) for us, others, stolen in both]
