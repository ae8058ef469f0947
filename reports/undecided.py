"""What a run has not decided so far, for the run itself, which goes on for that and for nothing else."""

from __future__ import annotations

from pathlib import Path

from experiment.rounds import Standing
from experiment.run_folder import read_run
from reports import cells, comparisons
from reports.deciding import is_asked, is_open, open_pair


def standing(folder: Path) -> Standing:
    """How the run in `folder` stands by what its journal has now, at the level that this look may have.

    The A/A pair is no question, so it is never undecided; a pair without figures that may be compared is none either.
    """
    run = read_run(folder)
    rows, _ = comparisons.compare(run, cells.results(run))
    asked = [row for row in rows if is_asked(row)]
    return Standing(undecided=tuple(open_pair(row) for row in asked if is_open(row)), pairs=len(asked))
