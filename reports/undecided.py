"""What a run has not decided so far, for the run itself, which goes on for that and for nothing else."""

from __future__ import annotations

from pathlib import Path

from experiment.rounds import OpenPair, Standing
from experiment.run_folder import read_run
from reports import cells, comparisons
from reports.deciding import ASKED
from reports.verdicts import Verdict


def standing(folder: Path) -> Standing:
    """How the run in `folder` stands by what its journal has now, at the level that this look may have.

    The A/A pair is no question, so it is never undecided; a pair without figures that may be compared is none either.
    """
    run = read_run(folder)
    rows, _ = comparisons.compare(run, cells.results(run))
    asked = [row for row in rows if row.axis != comparisons.NOISE_AXIS and row.metric in ASKED]
    still = [row for row in asked if row.verdict == Verdict.INCONCLUSIVE]
    return Standing(
        undecided=tuple(
            OpenPair(baseline=row.baseline, candidate=row.candidate, scenario=row.scenario) for row in still
        ),
        pairs=len(asked),
    )
